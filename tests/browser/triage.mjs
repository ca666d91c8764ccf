// What is said of findings, and of rules: exceptions, reviews of many, a rule written and saved.
import { api, assert, axe, check, equal, esbuild, newPage, settled, SHOTS, startServer, WEB } from './harness.mjs';

const chat = (id, text) => JSON.stringify({ id, messages: [{ role: 'user', content: text }, { role: 'assistant', content: 'done' }] }) + '\n';
const RULE = `id: not-there
title: "{prog} is not there"
behavior: missing-program
why: A program is missing.
events: { miss: { on: user, text: '(?P<prog>\\w+): command not found' } }
find: miss
`;

/** Where a cursor stands in a rule, and what is offered there. */
async function completionChecks(base) {
    const out = `${SHOTS}/../rules-bundle.mjs`;
    await esbuild.build({ entryPoints: [`${WEB}/src/rules.ts`], bundle: true, format: 'esm', outfile: out, logLevel: 'error' });
    globalThis.addEventListener ??= () => {};
    const { completeRule, eventsOf, startText, triedText } = await import(out);
    const schema = await api(base, '/rules/schema');
    const offered = text => {
        const at = text.indexOf('|');
        return completeRule(schema, text.replace('|', ''), at)?.options.map(o => o.label) ?? [];
    };
    await check('the editor offers what may stand where', async () => {
        const has = (text, ...words) => {
            const all = offered(text);
            for (const word of words) assert(all.includes(word), `${JSON.stringify(text)} offers ${all.slice(0, 12)}, not ${word}`);
        };
        has('|', 'id: ', 'events: ', 'find: ');
        has('severity: |', 'low', 'medium', 'high');
        has('behavior: mis|', 'missing-program');
        has('events:\n  a: { on: |', 'tool_call', 'assistant');
        has('events:\n  a: { on: tool_call, |', 'name: ', 'args: ');
        has('events:\n  a:\n    on: tool_call\n    |', 'name: ');
        has('events:\n  slip: { on: user }\nfind:\n  count: { of: |', 'slip');
        has('events:\n  slip: { on: user }\nfind:\n  |', 'count: ', 'sequence: ');
        assert(!offered('events:\n  a: { on: tool_call, |').includes('find: '), 'an event offers what a rule has');
        equal(eventsOf('id: x\nevents:\n  a: { on: user }\n  b:\n    on: end\nfind: a\n').join(), 'a,b', 'names of events');
    });
    await check('a rule that begins with words compiles, and its tests hold, whatever they stand in', async () => {
        const hostile = 'a "quoted" \\ backslash: {brace} # no comment\n- two lines \u{1f600} $name ${x}';
        for (const part of ['text', 'reasoning', 'error', 'call:0.name', 'call:3.arguments', 'run.exit_status', 'run.limit', 'run.error', 'score:x.value']) {
            for (const quote of ['command not found', '$name', hostile]) {
                const answer = await api(base, '/rules/test', {
                    method: 'POST',
                    headers: { 'content-type': 'application/json' },
                    body: JSON.stringify({ rules: triedText(startText(part, quote)) }),
                });
                assert(!answer.problems.length, `${part}: ${answer.problems[0]?.message}\n${startText(part, quote)}`);
                assert(answer.tests.run === 2 && !answer.tests.failed, `${part}: ${answer.tests.output}`);
            }
        }
    });
}

export async function triageChecks(browser, binary) {
    const { base, stop } = await startServer(binary);
    const send = (method, path, body) =>
        api(base, path, { method, headers: { 'content-type': 'application/json' }, body: typeof body === 'string' ? body : JSON.stringify(body) });
    await send('PUT', '/rules/not-there', { text: RULE, author: 'ann' });
    await send('POST', '/collections', { name: 'c' });
    const upload = async (...programs) => {
        const text = programs.map(p => chat(`${p}-${Math.random()}`, `${p}: command not found`)).join('');
        await send('POST', `/collections/c/uploads?filename=${Math.random()}.jsonl&wait=20`, text);
    };
    await upload('xxd', 'xxd', 'vim', 'jq');
    const found = async query => (await api(base, `/collections/c/findings?detector=not-there&limit=100${query}`)).items;
    const page = await newPage(browser, base);
    const looks = async what => {
        for (const colorScheme of ['light', 'dark']) {
            await page.emulateMedia({ colorScheme });
            const wrong = await axe(page);
            assert(!wrong.length, `${what}, ${colorScheme}: ${wrong.join('; ')}`);
        }
    };
    try {
        await completionChecks(base);
        await check('a name is given once, and signs reviews', async () => {
            await page.goto(`${base}/c/c/findings?detector=not-there`);
            await page.locator('.item').first().waitFor();
            await page.getByRole('button', { name: 'Your name…' }).click();
            await page.getByRole('textbox', { name: 'Your name' }).fill('Carol');
            await page.keyboard.press('Enter');
            await page.getByRole('button', { name: 'as Carol' }).waitFor();
            await page.reload();
            await page.getByRole('button', { name: 'as Carol' }).waitFor();
        });
        await check('counts fall while one reviews, equal messages do not stack, and none lies over the list', async () => {
            await page.goto(`${base}/c/c/findings?detector=not-there`);
            await page.locator('.item').first().waitFor();
            await settled(page);
            const told = async n => {
                await page.locator('.inbox .bar .end', { hasText: `${n} open` }).waitFor({ timeout: 5000 });
                await page.locator('.inbox .group .dim', { hasText: `${n} open of 4` }).waitFor({ timeout: 5000 });
            };
            await told(4);
            // The two that are alike, one after the other.
            for (const left of [3, 2]) {
                await page.locator('.item:not(.done)', { hasText: 'xxd' }).first().click();
                await page.locator('.item[aria-current]', { hasText: 'xxd' }).waitFor();
                await page.keyboard.press('c');
                await told(left);
            }
            await page.locator('.toast', { hasText: 'confirmed' }).waitFor();
            await settled(page);
            equal(await page.locator('.toast').count(), 1, 'equal messages');
            const [toast, list] = [await page.locator('.toast').boundingBox(), await page.locator('.inbox').boundingBox()];
            assert(toast.x >= list.x + list.width, 'a message lies over the list');
            for (const left of [3, 4]) {
                await page.keyboard.press('u');
                await told(left);
            }
        });
        await check('a dismissal becomes an exception by keys alone, of what is there and of what comes; undo takes it back', async () => {
            const xxd = (await found('')).find(f => f.title.startsWith('xxd'));
            await page.goto(`${base}/c/c/findings?detector=not-there&f=${xxd.id}`);
            await page.locator('.item[aria-current]').waitFor();
            await settled(page);
            await page.keyboard.press('x');
            await page.getByRole('group', { name: 'Dismiss' }).waitFor();
            await page.keyboard.press('3');
            const chosen = page.getByRole('dialog').getByRole('checkbox').first();
            assert(await chosen.evaluate(box => box === document.activeElement), 'the focus is not at what one is to choose');
            await page.getByText('Sets aside 2 open findings now.').waitFor();
            const quote = page.getByRole('textbox', { name: 'quote has in it' });
            const words = await quote.inputValue();
            await quote.fill('');
            await page.keyboard.press('Enter');
            equal((await api(base, '/exceptions')).items.length, 0, 'exceptions of words that were taken out');
            await quote.fill(words);
            await page.getByRole('checkbox', { name: 'quote' }).uncheck();
            await looks('the dialog of an exception');
            await page.getByRole('textbox', { name: 'Why' }).fill('it is optional');
            await page.keyboard.press('Enter');
            await page.locator('.toast', { hasText: '2 findings set aside' }).waitFor();
            await upload('xxd');
            const aside = await found('&status=dismissed');
            equal(aside.length, 3, 'set aside, with one that came later');
            const [made] = (await api(base, '/exceptions')).items;
            equal(made.reviewer, 'Carol', 'who made it');
            equal(made.note, 'it is optional', 'why');
            equal(JSON.stringify(made.when), '{"capture.prog":{"is":"xxd"}}', 'its condition');
            await page.goto(`${base}/c/c/findings?status=any&f=${aside[0].id}`);
            await page.getByText('Set aside by an exception of the rule').waitFor();
            await page.getByRole('button', { name: 'Exceptions 1' }).click();
            await page.getByRole('link', { name: 'sets aside 3 findings' }).waitFor();
            await page.getByRole('button', { name: 'Take back' }).click();
            await page.locator('.toast', { hasText: '3 findings open again' }).waitFor();
            equal((await found('&status=open')).length, 5, 'open again');
        });
        await check('all that a filter names is reviewed at once, and saved as a file', async () => {
            await page.goto(`${base}/c/c/findings?detector=not-there&q=xxd`);
            await page.locator('.item').first().waitFor();
            await settled(page);
            await page.getByRole('button', { name: 'All…' }).click();
            const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Save as CSV' }).click()]);
            equal(file.suggestedFilename(), 'c-findings.csv', 'the file');
            await page.getByRole('button', { name: 'Confirm all' }).click();
            await page.locator('.toast', { hasText: '3 findings confirmed' }).waitFor();
            const confirmed = await found('&status=confirmed');
            assert(confirmed.length === 3 && confirmed.every(f => f.reviewer === 'Carol'), JSON.stringify(confirmed.map(f => f.reviewer)));
        });
        await check('a rule is written from words, tried while one types, saved, and found among the detectors', async () => {
            await page.goto(`${base}/rules/new?c=c&part=text&quote=${encodeURIComponent('jq: command not found')}`);
            await page.getByRole('heading', { name: 'Would flag 1 run' }).waitFor();
            await page.locator('.problems', { hasText: 'its 2 tests hold' }).waitFor();
            await looks('the editor of a rule');
            await page.locator('.cm-content, .editor textarea').first().click();
            await page.keyboard.press('Control+Home');
            await page.keyboard.press('Shift+End');
            await page.keyboard.type('id: of-jq');
            await page.keyboard.press('Escape');
            await page.keyboard.press('End');
            await page.keyboard.press('Enter');
            await page.keyboard.type('nonsense: 1');
            await page.locator('.problems button', { hasText: 'line 2' }).waitFor();
            assert(await page.getByRole('button', { name: /^Save/ }).isDisabled(), 'a rule with problems may be saved');
            await page.keyboard.press('Shift+Home');
            await page.keyboard.press('Backspace');
            await page.locator('.problems', { hasText: 'its 2 tests hold' }).waitFor();
            await page.getByText('Still to be written: title, behavior, why, unsure').waitFor();
            assert(await page.getByRole('button', { name: /^Save/ }).isDisabled(), 'a rule with the words of the template may be saved');
            await page.keyboard.press('Control+a');
            await page.keyboard.insertText(
                `id: of-jq\ntitle: jq is missing\nbehavior: missing-program\nseverity: low\nwhy: It is not there.\nunsure: A test of it.\n` +
                    `events:\n  seen: { on: message, text: { literal: "jq: command not found" } }\nfind: seen\n` +
                    `tests:\n  hit:\n    - [{ assistant: "jq: command not found" }]\n  clean:\n    - [{ assistant: "nothing" }]\n`,
            );
            await page.locator('.problems', { hasText: 'its 2 tests hold' }).waitFor();
            await page.locator('.save-bar button.btn-main:enabled').waitFor();
            await page.keyboard.press('Control+s');
            await page.locator('.toast', { hasText: 'of-jq version 1 saved' }).waitFor();
            await page.getByRole('button', { name: 'Version 1' }).waitFor();
            const [own] = (await api(base, '/rules')).items.filter(r => r.id === 'of-jq');
            equal(own.author, 'Carol', 'its author');
            await page.getByRole('button', { name: 'scan now' }).click();
            for (const end = Date.now() + 10_000; !(await api(base, '/collections/c/findings?detector=of-jq')).items.length; ) {
                assert(Date.now() < end, 'the scan found nothing');
                await page.waitForTimeout(100);
            }
            await page.goto(`${base}/rules?c=c&rule=of-jq`);
            await page.getByText('yours, version 1').waitFor();
            await page.getByRole('button', { name: 'Remove' }).click();
            await page.getByRole('button', { name: 'Remove it' }).click();
            await page.getByText('There is no detector of-jq').waitFor();
            await page.goto(`${base}/rules?c=c`);
            await page.locator('.rule-table').first().waitFor();
            await page.getByText('yours').waitFor();
            await looks('the catalogue');
        });
        await check('a new rule that is not saved yet is there when one comes back, and can be thrown away', async () => {
            await page.goto(`${base}/rules/new?c=c`);
            await page.locator('.cm-content').click();
            await page.keyboard.press('Control+Home');
            await page.keyboard.type('# mine ');
            await page.locator('.cm-content', { hasText: '# mine id: my-rule' }).waitFor();
            await page.reload();
            await page.locator('.cm-content', { hasText: '# mine id: my-rule' }).waitFor();
            await page.getByRole('button', { name: 'Discard changes' }).click();
            await page.reload();
            await page.locator('.cm-content', { hasText: 'id: my-rule' }).waitFor();
            equal(await page.getByText('# mine').count(), 0, 'what was thrown away');
        });
        await check('triage and rules say nothing to the console and ask no other host', () => equal(page.wrongs.join('; '), '', 'wrongs'));
        await page.setViewportSize({ width: 390, height: 844 });
        await check('at 390 px neither triage nor the editor scrolls sideways', async () => {
            for (const path of ['/c/c/findings', '/rules?c=c', '/rules/new?c=c&quote=x', '/rules?c=c&rule=not-there']) {
                await page.goto(base + path);
                await page.locator('main').first().waitFor();
                await settled(page);
                const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                assert(over <= 0, `${path} is ${over} px too wide`);
            }
        });
    } finally {
        await page.context().close();
        await stop();
    }
}
