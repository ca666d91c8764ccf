// The pages that list: runs, tasks, one task, the story and the collections.
import { readFileSync } from 'node:fs';
import { SHOTS, api, assert, axe, check, equal, newPage, settled } from './harness.mjs';

export async function listChecks(browser, base, { collection, path, runs }) {
    const page = await newPage(browser, base);
    const tasks = (await api(base, `/collections/${collection.id}/tasks?limit=1000`)).items;
    const broken = tasks.find(task => task.verdict === 'broken');
    const taskPath = task => `${path}/tasks/${encodeURIComponent(task)}`;
    const rows = page.locator('.dense .row');

    await check('from the first page to a broken task and the words that prove it: two clicks', async () => {
        await page.goto(base + '/');
        await page.getByRole('link', { name: collection.name, exact: true }).click();
        await page.getByRole('region', { name: 'Broken tasks' }).getByRole('link').nth(1).click();
        await page.waitForURL('**/runs/*');
        await page.locator('mark.ev').first().waitFor();
        assert(await page.locator('mark.ev').first().isVisible(), 'the words are in view');
    });
    await check('a task tells its verdict and why, answers beside the target, and every attempt', async () => {
        const detail = await api(base, `/collections/${collection.id}/tasks/${encodeURIComponent(broken.task_id)}`);
        await page.goto(`${base}${path}/tasks`);
        await page.locator('.task-table .wide a').first().click();
        await page.waitForURL(base + taskPath(broken.task_id));
        await page.getByRole('region', { name: 'Verdict' }).getByText(detail.findings[0].title).waitFor();
        await rows.first().waitFor();
        equal(await rows.count(), Math.min(detail.task.runs, await rows.count()), 'attempts');
        equal(await page.locator('[aria-label=Answers] .group').count(), Math.min(6, detail.answers.length), 'groups of answers');
        await page.getByRole('region', { name: 'Verdict' }).locator('a.l2').first().click();
        await page.waitForURL('**/runs/*finding=*');
    });
    for (const [colorScheme, width] of [
        ['light', 1440],
        ['dark', 390],
    ]) {
        await check(`a task, ${colorScheme}, ${width} px`, async () => {
            await page.emulateMedia({ colorScheme });
            await page.setViewportSize({ width, height: 900 });
            await page.goto(base + taskPath(broken.task_id));
            await rows.first().waitFor();
            await settled(page);
            await page.screenshot({ path: `${SHOTS}/task-${colorScheme}-${width}.png`, fullPage: true });
            const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(over <= 0, `wider than the window by ${over} px`);
            equal((await axe(page)).join('\n'), '', 'axe');
        });
    }
    await page.setViewportSize({ width: 1440, height: 900 });
    await check('all that the filter names is tagged at once, and the tag is taken off again', async () => {
        const failed = runs.filter(run => run.success === false).length;
        await page.goto(`${base}${path}/runs?success=false`);
        await rows.first().waitFor();
        await page.keyboard.press('a');
        await page.getByText(`all ${failed.toLocaleString('en')} selected`).waitFor();
        for (const [button, left] of [
            ['Set', failed],
            ['Take off', 0],
        ]) {
            await page.getByRole('button', { name: 'Tag', exact: true }).click();
            await page.getByRole('combobox', { name: 'Tag' }).fill('to-mend');
            await page.getByRole('button', { name: button, exact: true }).click();
            await page.getByRole('combobox', { name: 'Tag' }).waitFor({ state: 'detached' });
            equal((await api(base, `/collections/${collection.id}/runs?tag=to-mend&count=1&limit=1`)).total, left, `tagged after ${button}`);
        }
        await page.keyboard.press('Escape');
        await page.getByRole('group', { name: 'Selection' }).waitFor({ state: 'detached' });
    });
    await check('two selected runs are compared', async () => {
        await page.goto(`${base}${path}/runs`);
        await rows.first().waitFor();
        await page.keyboard.press('x');
        await page.keyboard.press('j');
        const compare = page.getByRole('group', { name: 'Selection' }).getByRole('link', { name: 'Compare' });
        equal(await compare.count(), 0, 'links to compare one run');
        await page.keyboard.press('x');
        const [a, b] = runs.map(run => run.id);
        equal(await compare.getAttribute('href'), `/compare?a=${a}&b=${b}`, 'link');
    });
    await check('counts beside the filters are of the runs that the other filters leave', async () => {
        const { facets } = await api(base, `/collections/${collection.id}/facets?fields=model&success=false`);
        const first = facets[0].values.find(value => value.value != null);
        await page.goto(`${base}${path}/runs?success=false`);
        const model = page.getByRole('region', { name: 'Model', exact: true });
        await model.locator('label').first().waitFor();
        const label = model.locator('label', { has: page.getByTitle(first.value, { exact: true }) });
        equal(await label.locator('.n').innerText(), first.runs.toLocaleString('en'), 'runs of the model that failed');
        await label.locator('input').check();
        await page.waitForFunction(n => document.querySelector('.count b')?.textContent === n.toLocaleString('en'), first.runs);
        const outcome = page.getByRole('region', { name: 'Outcome' });
        assert((await outcome.locator('label').count()) > 1, 'the outcomes that are not chosen are counted still');
    });
    await check('a range narrows the list, and is a term of the query', async () => {
        const few = runs.filter(run => run.messages <= 10).length;
        await page.goto(`${base}${path}/runs`);
        await page.getByRole('textbox', { name: 'Messages to' }).fill('10');
        await page.keyboard.press('Enter');
        await page.waitForURL('**/runs?range.messages=..10');
        await page.waitForFunction(n => document.querySelector('.count b')?.textContent === n.toLocaleString('en'), few);
        await page.getByRole('button', { name: 'Remove range.messages:..10' }).click();
        await page.waitForURL(`${base}${path}/runs`);
    });
    await check('a score is a column', async () => {
        const score = runs.flatMap(run => run.scores).find(s => s.name && !s.name.includes(','));
        await page.goto(`${base}${path}/runs`);
        await page.getByText('Columns', { exact: true }).click();
        await page.locator('.pop label', { hasText: score.name }).locator('input').last().check();
        await page.locator('th', { hasText: score.name }).first().waitFor();
        assert(decodeURIComponent(page.url()).includes(`score.${score.name}`), 'the column is in the address');
    });
    await check('the story tells what runs took, and how often each behaviour is found', async () => {
        await page.goto(base + path);
        const took = page.getByRole('region', { name: 'What runs took', exact: true });
        await took.getByRole('button', { name: 'Outcome' }).click();
        await page.waitForURL('**by=success');
        const { items } = await api(base, `/collections/${collection.id}/stats?by=success`);
        await took.locator('td .o').first().waitFor();
        equal(await took.locator('tbody tr').count(), items.length, 'outcomes');
        const often = page.getByRole('region', { name: 'Findings by model or day', exact: true });
        await often.locator('tbody tr').first().waitFor();
        const behaviour = (await often.locator('tbody a').first().innerText()).trim();
        const told = await often.locator('tbody tr').first().locator('td').last().innerText();
        equal(told, (await api(base, `/collections/${collection.id}/runs?behavior=${behaviour}&count=1&limit=1`)).total.toLocaleString('en'), `runs with ${behaviour}`);
        await page.emulateMedia({ colorScheme: 'light' });
        await settled(page);
        await page.screenshot({ path: `${SHOTS}/story-took.png`, fullPage: true });
        equal((await axe(page)).join('\n'), '', 'axe');
    });
    await check('how often something is found over time says what is true of few dates, and of none', async () => {
        const dated = await datedCollection(base);
        const often = page.getByRole('region', { name: 'Findings by model or day', exact: true });
        const told = async () => (await often.innerText()).replaceAll(/\s+/g, ' ');
        await page.goto(`${base}/c/dated?found=day`);
        await often.getByText('Nothing was found in the 2 runs with a date. 3 of 5 runs have no date.').waitFor();
        assert(!(await told()).includes('%') && !(await often.locator('svg[role=img]').count()), await told());
        await page.screenshot({ path: `${SHOTS}/story-dated.png`, fullPage: true });
        const took = page.getByRole('region', { name: 'What runs took', exact: true });
        await took.getByRole('link', { name: 'one' }).waitFor(); // by the one model: no run tells an outcome, and no other field tells runs apart
        equal(await took.getByRole('group', { name: 'By' }).count(), 0, 'a choice where there is none');
        await dated.add('late', '2026-01-02T09:00:00Z', true);
        await page.reload();
        await often.getByText('3 of 6 runs have no date.').waitFor();
        assert(/repeated-action 50\.0 % 50\.0 % 4\b/.test(await told()), await told());
        await dated.add('later', '2026-01-03T09:00:00Z', false);
        await page.reload();
        await often.getByText('3 of 7 runs have no date.').waitFor();
        assert(/repeated-action 50\.0 % 0\.0 % 4\b/.test(await told()), await told());
        await page.screenshot({ path: `${SHOTS}/story-dated-found.png`, fullPage: true });
        await api(base, '/collections/dated', { method: 'DELETE' }).catch(() => undefined);
    });
    await check('while a filter is not answered, or refused, nothing can be done with the rows of the one before', async () => {
        const failed = runs.filter(run => run.success === false).length;
        await page.goto(`${base}${path}/runs`);
        await rows.first().waitFor();
        await settled(page);
        const bar = page.getByRole('group', { name: 'Selection' });
        const off = async when => {
            await page.locator('tbody[inert]').waitFor();
            assert(await page.getByRole('checkbox', { name: 'Select all runs of this list' }).isDisabled(), `${when}: all may be selected`);
            equal(await page.locator('.popover[inert]').count(), 2, `${when}: menus that are off`);
            for (const key of ['a', 'x']) await page.keyboard.press(key);
            equal(await bar.count(), 0, `${when}: selections`);
        };
        let answer;
        const held = new Promise(resolve => (answer = resolve));
        await page.route(/\/runs\?.*success=false/, async route => (await held, route.continue()));
        await page.getByRole('region', { name: 'Outcome' }).locator('label', { hasText: 'failed' }).locator('input').check();
        await page.waitForURL('**success=false');
        await off('waiting');
        answer();
        await page.waitForFunction(n => document.querySelector('.count b')?.textContent === n.toLocaleString('en'), failed);
        equal(await page.locator('tbody[inert]').count(), 0, 'rows that are off');
        await page.keyboard.press('a');
        await bar.getByText(`all ${failed.toLocaleString('en')} selected`).waitFor();
        await page.keyboard.press('Escape');
        await page.unroute(/\/runs\?.*success=false/);
        await page.locator('.facets').getByRole('textbox', { name: 'Messages to' }).fill('many');
        await page.keyboard.press('Enter');
        await page.getByText('the rows below are those of the one before').waitFor();
        await page.evaluate(() => document.activeElement?.blur());
        await off('refused');
        await page.goBack();
        await page.waitForFunction(() => !document.querySelector('tbody[inert]'));
        page.wrongs.length = 0;
    });
    await check('the story can be taken along as one file', async () => {
        await page.goto(base + path);
        const href = await page.getByRole('link', { name: 'Send as one file' }).getAttribute('href');
        const sent = await fetch(base + href);
        assert(sent.ok && /^<!doctype html>/i.test(await sent.text()), href);
    });
    await check('runs that do not say an agent can be chosen', async () => {
        await page.goto(`${base}${path}/runs`);
        const agents = page.getByRole('region', { name: 'Agent', exact: true });
        await agents.getByRole('checkbox', { name: /not said/ }).click();
        await page.waitForURL(/[?&]agent=(&|$)/);
        assert(await agents.getByRole('checkbox', { name: /not said/ }).isChecked(), 'it is chosen');
        const { total } = await api(base, `/collections/${collection.id}/runs?agent=&count=1&limit=1`);
        await page.getByText(new RegExp(`^${total} runs|of ${total}\\b|^${total}$`)).first().waitFor();
        await agents.getByRole('checkbox', { name: /not said/ }).click();
        await page.waitForURL(url => !url.searchParams.has('agent'));
    });
    const small = await smallCollection(base);
    await check('selected runs are deleted after a question', async () => {
        const { facets } = await api(base, `/collections/${small.id}/facets?fields=format`);
        await page.goto(`${base}/c/small/runs?format=${encodeURIComponent(facets[0].values[0].value)}`);
        await rows.first().waitFor();
        await page.keyboard.press('x');
        await page.keyboard.press('j');
        await page.keyboard.press('x');
        await page.getByRole('button', { name: 'Delete…' }).click();
        await page.getByRole('button', { name: 'Delete 2 runs' }).click();
        await page.getByRole('dialog').waitFor({ state: 'detached' });
        equal((await api(base, `/collections/${small.id}`)).runs, 4, 'runs left');
        await page.waitForFunction(() => document.querySelectorAll('.dense .row').length === 4);
        await page.waitForFunction(() => document.querySelector('.facet[aria-label=Format] .n')?.textContent === '4');
    });
    await check('a selection is exported as it can be imported again', async () => {
        await page.keyboard.press('x');
        const [download] = await Promise.all([
            page.waitForEvent('download'),
            page.getByRole('button', { name: 'Export JSONL' }).click(),
        ]);
        const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').map(line => JSON.parse(line));
        equal(lines.filter(line => line.transcripts).length, 1, 'runs in the file');
        equal(lines[0].telltale, 1, 'header');
        await page.evaluate(() => {
            history.pushState(null, '', '?model=nobody');
            dispatchEvent(new PopStateEvent('popstate'));
        });
        await page.getByText('No run is like that').waitFor();
        const [table] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export CSV' }).click()]);
        equal(readFileSync(await table.path(), 'utf8').trim().split('\n').length, 2, 'lines of the table, where the list shows no run of the selection');
    });
    await check('a collection is renamed, and a name that is taken is refused in place', async () => {
        await page.goto(base + '/');
        await page.getByRole('button', { name: 'Change small' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill(collection.name);
        await page.keyboard.press('Enter');
        await dialog.getByRole('alert').waitFor();
        await dialog.getByLabel('Name').fill('smaller');
        await page.keyboard.press('Enter');
        await page.getByRole('link', { name: 'smaller', exact: true }).waitFor();
        equal((await api(base, '/collections/smaller')).id, small.id, 'the same collection');
        await page.getByRole('button', { name: 'Change smaller' }).click();
        await dialog.getByLabel('Keeps its runs').fill('a while');
        await dialog.getByLabel('May have at most').fill('100runs,1GB');
        await page.keyboard.press('Enter');
        await dialog.getByText('90d, 12h, 5000runs or forever').waitFor();
        await dialog.getByLabel('Keeps its runs').fill('900d');
        await page.keyboard.press('Enter');
        await page.getByText('at most 100runs,1GB, keeps 900d').waitFor();
        const changed = await api(base, '/collections/smaller');
        equal([changed.keep, changed.quota, changed.bytes > 0].join(), '900d,100runs,1GB,true', 'what it keeps and may have');
        await page.goto(base + '/c/smaller');
        await page.getByText(/^\d of 100 runs, [\d.,]+ (bytes|KB) of 1 GB of its quota$/).waitFor();
        await page.goto(base + path);
        await page.locator('.facts').waitFor();
        equal(await page.getByText('of its quota').count(), 0, 'a quota where there is none');
        await api(base, '/collections/smaller', { method: 'DELETE' }).catch(() => undefined);
    });
    // A refused name is a refusal that the browser reports too.
    equal(page.wrongs.filter(w => !w.includes('409') && !w.includes(`400 (Bad Request) ${base}/api/v1/collections/${small.id}`)).join('\n'), '', 'console of the lists');
    await page.context().close();
}

/** Two dated runs in which nothing is found, and three without a date that repeat themselves. */
async function datedCollection(base) {
    await api(base, '/collections', { method: 'POST', body: JSON.stringify({ name: 'dated' }), headers: { 'content-type': 'application/json' } });
    const repeated = Array.from({ length: 8 }, (_, i) => [
        { role: 'assistant', content: '', tool_calls: [{ id: `c${i}`, type: 'function', function: { name: 'read', arguments: '{"path":"a"}' } }] },
        { role: 'tool', tool_call_id: `c${i}`, content: 'Error: no such file' },
    ]).flat();
    const run = (id, started_at, repeats) =>
        JSON.stringify({ id, model: 'one', ...(started_at && { started_at }), messages: [{ role: 'user', content: 'Read it.' }, ...(repeats ? repeated : []), { role: 'assistant', content: 'Done.' }] });
    const send = lines => api(base, '/collections/dated/uploads?filename=dated.jsonl&wait=30', { method: 'POST', body: lines.join('\n') });
    await send([run('a', '2026-01-01T00:00:00Z'), run('b', '2026-01-02T00:00:00Z'), ...['c', 'd', 'e'].map(id => run(id, null, true))]);
    return { add: (...what) => send([run(...what)]) };
}

/** Six runs in a collection of their own. */
async function smallCollection(base) {
    const small = await api(base, '/collections', { method: 'POST', body: JSON.stringify({ name: 'small' }), headers: { 'content-type': 'application/json' } });
    const lines = Array.from({ length: 6 }, (_, i) =>
        JSON.stringify({ id: `small-${i}`, messages: [{ role: 'user', content: `Question ${i}` }, { role: 'assistant', content: 'Done.' }] }),
    );
    await api(base, `/collections/${small.id}/uploads?filename=small.jsonl&wait=30`, { method: 'POST', body: lines.join('\n') });
    return small;
}
