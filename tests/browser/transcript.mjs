// The reader on transcripts made for it: time and sub-agents, words that lead on, markdown, code, edits, budgets, and a hostile run.
import { all, api, assert, axe, check, equal, newPage, settled, SHOTS } from './harness.mjs';

const BIDI = '\u202egnp.exe\u202c';
const HOSTILE =
    '<script>window.__ran = 1</script><img src=x onerror="window.__ran=1"><svg onload="window.__ran=1"><a href="javascript:window.__ran=1">a</a> ' +
    `[link](javascript:window.__ran=1) ![i](https://example.org/x.png) ${BIDI} \u001b[31mred\u001b[0m ` +
    '\u001b]8;;https://example.org\u0007click\u001b]8;;\u0007 \u001b]0;title\u0007 \u0000';
const NAME = 'n'.repeat(1_000_000);
const CALLS = 100_000;
const LONG = 2000;

const call = (id, name, args) => ({ id, function: name, arguments: args });

function runs() {
    const at = seconds => new Date(Date.UTC(2026, 0, 2, 3, 0, seconds)).toISOString();
    const lanes = {
        id: 'lanes',
        task_id: 'lanes',
        success: true,
        transcripts: [
            {
                id: 'main',
                messages: [
                    { role: 'user', content: 'Look at the two files.', timestamp: at(0) },
                    {
                        role: 'assistant',
                        content: '# Plan\n\n- read **a**\n- [the docs](https://example.org/docs), [not this](javascript:alert(1))\n\n| file | lines |\n|---|---|\n| a.py | 2 |',
                        timestamp: at(10),
                        tool_calls: [call('r', 'read_file', { path: 'a.py', lines: 40 })],
                    },
                    { role: 'tool', tool_call_id: 'r', content: 'def a():\n    return "x"  # why', timestamp: at(12) },
                    {
                        role: 'assistant',
                        content: 'An edit.',
                        timestamp: at(20),
                        tool_calls: [call('e', 'edit', { path: 'a.py', old_str: 'one\ntwo\nthree', new_str: 'one\n2\nthree' })],
                    },
                    { role: 'tool', tool_call_id: 'e', content: 'done', timestamp: at(100) },
                    {
                        role: 'assistant',
                        content: '',
                        tool_calls: [call('c', 'bash', { cmd: 'if true; then\n  echo "größer"\nfi' })],
                        timestamp: at(7300),
                    },
                ],
            },
            { id: 'sub', name: 'scout', parent: 'main', messages: [{ role: 'user', content: 'Scout ahead.', timestamp: at(30) }, { role: 'assistant', content: 'Seen.', timestamp: at(60) }] },
        ],
    };
    const hostile = {
        id: HOSTILE,
        name: HOSTILE,
        task_id: HOSTILE,
        model: HOSTILE,
        agent: NAME,
        success: false,
        exit_status: HOSTILE,
        error: HOSTILE,
        limit: HOSTILE,
        tags: [HOSTILE, NAME],
        metadata: { [HOSTILE]: HOSTILE },
        scores: [{ name: HOSTILE, value: HOSTILE, answer: HOSTILE, target: NAME, explanation: HOSTILE }],
        transcripts: [
            {
                id: 't',
                name: HOSTILE,
                messages: [
                    { role: 'user', content: HOSTILE, model: HOSTILE },
                    {
                        role: 'assistant',
                        content: HOSTILE,
                        reasoning: HOSTILE,
                        finish_reason: HOSTILE,
                        tool_calls: [call('1', HOSTILE, { [HOSTILE]: [HOSTILE, { [HOSTILE]: HOSTILE }] }), call('2', NAME, NAME)],
                    },
                    { role: 'tool', tool_call_id: '1', function: HOSTILE, content: HOSTILE, error: HOSTILE },
                    { role: 'tool', tool_call_id: '2', function: NAME, content: '\u001b[31m\u0001'.repeat(100_000) },
                    { role: 'assistant', content: 'many', tool_calls: Array.from({ length: CALLS }, (_, i) => call(`k${i}`, 'bash', { cmd: `echo ${i}` })) },
                    { role: 'tool', tool_call_id: 'k0', content: '[' .repeat(200_000) },
                    { role: 'assistant', content: 'z'.repeat(10_000_000) },
                    { role: 'assistant', content: '\u202e'.repeat(100_000) },
                    { role: 'user', content: `${'- '.repeat(50_000)}\n${'> '.repeat(50_000)}\n${'*'.repeat(50_000)}${'`'.repeat(49_999)}\n|${'|'.repeat(50_000)}\n|${'-|'.repeat(25_000)}` },
                ],
            },
            { id: 'u', parent: 't', name: NAME, messages: [{ role: 'user', content: HOSTILE }] },
        ],
    };
    const long = {
        id: 'long-2000',
        task_id: 'long',
        success: true,
        transcripts: [
            {
                messages: Array.from({ length: LONG }, (_, i) =>
                    i % 2
                        ? { role: 'tool', tool_call_id: `c${i - 1}`, content: Array.from({ length: 30 }, (_, k) => `line ${k} of ${i}: ${'word '.repeat(8)}`).join('\n') }
                        : { role: 'assistant', content: `Step ${i}. ${'text '.repeat(40)}`, tool_calls: [call(`c${i}`, 'bash', { cmd: `cat ${i}` })] },
                ),
            },
        ],
    };
    return [lanes, hostile, long].map(run => JSON.stringify(run)).join('\n') + '\n';
}

async function load(base) {
    await api(base, '/collections', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name": "reading"}' });
    await api(base, '/collections/reading/uploads?filename=runs.jsonl&wait=60', { method: 'POST', body: runs() });
    const items = await all(base, '/collections/reading/runs');
    const of = id => items.find(run => run.external_id === id)?.id;
    return { lanes: of('lanes'), long: of('long-2000'), hostile: items.find(run => run.external_id?.startsWith('<script>'))?.id };
}

/** Selects characters [from, to) of the first text that has so many. */
const select = (page, selector, from, to) =>
    page.evaluate(
        ([selector, from, to]) => {
            const texts = [...document.querySelectorAll(selector)].flatMap(e => [...e.childNodes]);
            const text = texts.find(node => node.nodeType === Node.TEXT_NODE && node.data.length >= to);
            const range = document.createRange();
            range.setStart(text, from);
            range.setEnd(text, to);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            return range.toString();
        },
        [selector, from, to],
    );

export async function transcriptChecks(browser, base) {
    const made = await load(base);
    const page = await newPage(browser, base);
    const open = async (run, after = '') => {
        await page.goto(`${base}/runs/${run}${after}`);
        await page.locator('.msg .body').first().waitFor();
        await settled(page);
    };

    await check('a run with times and a sub-agent has a lane for each transcript, and a press goes there', async () => {
        await open(made.lanes);
        equal(await page.locator('.lane').count(), 2, 'lanes');
        assert((await page.locator('.axis').innerText()).includes('1 pause of over an hour drawn short'), 'the pause is said');
        equal(await page.locator('.lane .cut').count(), 2, 'and marked in each lane');
        const box = await page.locator('.lane svg').first().boundingBox();
        await page.mouse.click(box.x + box.width - 2, box.y + 7);
        await page.locator('#m5.cur').waitFor();
        await page.locator('.lane a', { hasText: 'scout' }).click();
        await page.getByText('Scout ahead.').waitFor();
        equal(await page.locator('.lane a[aria-current]').innerText(), 'scout 2', 'the lane that is read');
    });
    await check('code is coloured, an edit is a diff, markdown comes when it is asked for and follows no script', async () => {
        await open(made.lanes);
        equal(await page.locator('#m2 .k-k').first().innerText(), 'def', 'a keyword of what was read');
        equal(await page.locator('#m2 .k-c').innerText(), '# why', 'a comment');
        equal(await page.locator('#m3 .text-diff .d').innerText(), '- two', 'what the edit takes away');
        equal(await page.locator('#m3 .text-diff .a').innerText(), '+ 2', 'what it brings');
        equal(await page.locator('.md').count(), 0, 'as sent at first');
        await page.keyboard.press('m');
        equal(await page.locator('#m1 .md li').count(), 2, 'items');
        equal(await page.locator('#m1 .md td').first().innerText(), 'a.py', 'a cell');
        const links = await page.locator('#m1 .md a').evaluateAll(list => list.map(a => `${a.href} ${a.rel} ${a.target}`));
        equal(links.join(), 'https://example.org/docs noopener noreferrer nofollow _blank', 'links');
        assert((await page.locator('#m1 .md').innerText()).includes('[not this](javascript:alert(1))'), 'what is no link is its words');
        equal((await axe(page)).join('\n'), '', 'axe');
        await page.keyboard.press('m');
        equal(await page.locator('.md').count(), 0, 'as sent again');
        await page.keyboard.press('/');
        await page.keyboard.type('three');
        await page.locator('#m3 mark.now').waitFor();
        equal(await page.locator('#m3 .text-diff').count(), 0, 'a hit is marked in the words as they were sent');
        await page.keyboard.press('Escape');
    });
    await check('selected words in decoded arguments: the link marks exactly them; a rule, a label and a judge begin with them', async () => {
        await open(made.lanes, '#m5');
        const words = await select(page, '#m5 .one-arg .k-s', 1, 7);
        equal(words, 'größer', 'selected');
        await page.getByRole('button', { name: 'Copy link to these words' }).click();
        const link = await page.evaluate(() => navigator.clipboard.readText());
        const rule = new URL(await page.getByRole('link', { name: 'Make a rule' }).getAttribute('href'), base);
        equal(`${rule.pathname} ${rule.searchParams.get('quote')} ${rule.searchParams.get('part')}`, '/rules/new größer call:0.arguments', 'the rule');
        await page.getByRole('button', { name: 'Ask a judge' }).click();
        await page.getByRole('heading', { name: 'Ask a judge about M5' }).waitFor();
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
        await select(page, '#m5 .one-arg .k-s', 1, 7);
        await page.locator('.span-link').getByRole('button', { name: 'Label' }).click();
        await page.locator('.label-bar').waitFor();
        await page.keyboard.press('Escape');
        await page.goto('about:blank');
        await page.goto(link);
        await page.locator('mark.now').first().waitFor();
        equal((await page.locator('mark.now').allInnerTexts()).join(''), 'größer', 'marked');
    });
    await check('a run of 2,000 messages: first screen, and what scrolling costs', async () => {
        await page.goto('about:blank');
        await page.goto(`${base}/runs/${made.long}`);
        await page.locator('.msg .body').first().waitFor();
        const first = await page.evaluate(() => performance.now());
        await settled(page);
        assert(first < 3000, `first screen after ${first} ms`);
        const drawn = () => page.evaluate(() => document.querySelectorAll('.rows-in-view > [data-row]').length);
        assert((await drawn()) < 40, 'only what is near the view is drawn');
        // A row that stays in view stays the same element: drawing it anew is what would make scrolling slow.
        const kept = await page.evaluate(async () => {
            const row = [...document.querySelectorAll('.rows-in-view > [data-row]')].at(-1);
            const body = row.querySelector('.body');
            let changes = 0;
            new MutationObserver(list => (changes += list.length)).observe(row, { childList: true, subtree: true, characterData: true, attributes: true });
            for (let i = 0; i < 8; i++) {
                scrollBy(0, 60);
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            }
            return row.isConnected && row.querySelector('.body') === body ? changes : -1;
        });
        equal(kept, 0, 'changes to a row that only moved');
        await page.keyboard.press('G');
        await page.locator(`#m${LONG - 1}`).waitFor();
        assert((await drawn()) < 40, 'at the end, too');
        const mini = await page.locator('.mini svg').boundingBox();
        await page.mouse.move(mini.x + 20, mini.y + mini.height - 3);
        await page.mouse.down();
        await page.mouse.move(mini.x + 20, mini.y + 3, { steps: 4 });
        await page.mouse.up();
        await page.locator('#m0').waitFor();
    });
    await check('the hostile transcript is text throughout, runs nothing, asks nobody, and hangs nothing', async () => {
        await open(made.hostile);
        await page.evaluate(() => {
            window.__longest = 0;
            new PerformanceObserver(list => {
                for (const entry of list.getEntries()) window.__longest = Math.max(window.__longest, entry.duration);
            }).observe({ type: 'longtask' });
        });
        const seen = async () => {
            equal(await page.evaluate(() => window.__ran), undefined, 'something ran');
            equal(await page.evaluate(() => document.querySelectorAll('#main iframe, #main script, #main img, #main a[href^="javascript:"]').length), 0, 'elements made of text');
            const text = await page.locator('body').innerText();
            assert(!/[\u202a-\u202e\u0000\u001b]/.test(text), 'direction marks and control characters are made visible');
            assert(text.length < 400_000, `${text.length} characters at once`);
            const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(over <= 0, `wider than the window by ${over} px`);
        };
        await seen();
        for (const m of [1, 3, 4, 6, 7, 8]) {
            await page.evaluate(m => {
                history.replaceState(null, '', '#m' + m);
                dispatchEvent(new PopStateEvent('popstate'));
            }, m);
            const message = page.locator(`#m${m}`).first();
            await message.waitFor();
            await settled(page);
            await seen();
            if (m === 4) {
                await page.getByRole('button', { name: /more of 100,000 calls/ }).waitFor();
                assert((await page.locator('#m4 .call').count()) < 60, 'some calls of a hundred thousand');
            }
            const more = message.getByRole('button', { name: /^show / }).last();
            if (await more.count()) await more.click();
            await settled(page);
        }
        await page.keyboard.press('m');
        await settled(page);
        await seen();
        await page.keyboard.press('m');
        assert((await page.evaluate(() => document.querySelectorAll('*').length)) < 30_000, 'elements drawn');
        const longest = await page.evaluate(() => window.__longest);
        assert(longest < 3000, `a task of ${longest} ms`);
    });
    for (const [theme, width] of [['dark', 1440], ['light', 390]])
        await check(`the reader stands in ${theme} at ${width}`, async () => {
            const other = await newPage(browser, base, { colorScheme: theme, viewport: { width, height: 900 } });
            await other.goto(`${base}/runs/${made.lanes}`);
            await other.locator('.msg .body').first().waitFor();
            await settled(other);
            equal((await axe(other)).join('\n'), '', 'axe');
            const over = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(over <= 0, `wider than the window by ${over} px`);
            await other.screenshot({ path: `${SHOTS}/transcript-${theme}-${width}.png` });
            equal(other.wrongs.join('\n'), '', 'console');
            await other.context().close();
        });
    await check('nothing was said on the console', () => equal(page.wrongs.join('\n'), '', 'console'));
    await page.context().close();
}

/** With a model at hand: a question about selected words, whose rubric stays only where it is wanted. */
export async function askChecks(browser, base, run) {
    const page = await newPage(browser, base);
    const asked = async () => (await all(base, '/rubrics')).filter(rubric => rubric.name.startsWith('asked-')).length;
    await check('a judge answers a question about selected words, and the question is gone afterwards', async () => {
        await page.goto(`${base}/runs/${run}`);
        await page.locator('.msg p [data-o]').first().waitFor();
        await settled(page);
        await select(page, '.msg p [data-o]', 0, 5);
        await page.getByRole('button', { name: 'Ask a judge' }).click();
        await page.getByRole('textbox', { name: 'Question' }).fill('Did the agent look first?');
        await page.getByRole('button', { name: 'Ask', exact: true }).click();
        await page.locator('.asked-said .ans').waitFor();
        equal(await asked(), 1, 'rubrics while it is asked');
        equal((await axe(page)).join('\n'), '', 'axe');
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
        for (let left = 50; (await asked()) && left; left--) await page.waitForTimeout(50);
        equal(await asked(), 0, 'rubrics afterwards');
        equal(page.wrongs.join('\n'), '', 'console');
    });
    await page.context().close();
}
