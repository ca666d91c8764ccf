// What people do: review with keys, filter, sort, select, tag, go to.
import { all, api, assert, check, equal, newPage, settled } from './harness.mjs';

export async function actionChecks(browser, base, { collection, path, runs }) {
    const page = await newPage(browser, base);
    const until = async (holds, what) => {
        for (const end = Date.now() + 10_000; !(await holds()); await page.waitForTimeout(50)) {
            assert(Date.now() < end, `never came true: ${what}`);
        }
    };
    const state = async id => (await api(base, `/findings/${id}`)).status;
    const chosen = () =>
        page.evaluate(
            () =>
                new URLSearchParams(location.search).get('f') ??
                document
                    .querySelector('.item[aria-current]')
                    ?.getAttribute('href')
                    .match(/f=([^&]+)/)[1],
        );
    const openInbox = async () => {
        await page.goto(`${base}${path}/findings`);
        await page.locator('.ctx .msg, .field-evidence').first().waitFor();
        await settled(page);
    };
    await check('c confirms and moves on, u takes it back, and the server knows', async () => {
        await openInbox();
        const first = await chosen();
        await page.keyboard.press('c');
        await page.waitForFunction(
            id => new URLSearchParams(location.search).get('f') !== id && location.search.includes('f='),
            first,
        );
        await page.waitForFunction(() => document.querySelector('.toast'));
        equal(await state(first), 'confirmed', 'status after c');
        await page.keyboard.press('u');
        await page.waitForFunction(id => new URLSearchParams(location.search).get('f') === id, first);
        equal(await state(first), 'open', 'status after u');
    });
    await check('a review stands after a reload', async () => {
        await openInbox();
        const first = await chosen();
        await page.keyboard.press('c');
        await page.locator('.toast').first().waitFor();
        await page.goto(`${base}${path}/findings?status=any&f=${first}`);
        await page.locator('.item.done[aria-current]').waitFor();
        equal(await state(first), 'confirmed', 'status');
        const summary = await api(base, `/collections/${collection.id}/summary`);
        equal(
            summary.detectors.reduce((n, d) => n + d.confirmed, 0),
            1,
            'confirmed in all',
        );
    });
    await check('x asks once: only this, or all like it', async () => {
        await openInbox();
        const first = await chosen();
        await page.keyboard.press('x');
        await page.getByRole('group', { name: 'Dismiss' }).waitFor();
        equal(await state(first), 'open', 'status while asked');
        await page.keyboard.press('1');
        await page.locator('.toast').first().waitFor();
        equal(await state(first), 'dismissed', 'status after 1');
        const open = await all(base, `/collections/${collection.id}/findings?status=open`);
        const counts = new Map();
        for (const f of open) counts.set(f.detector + f.title, [...(counts.get(f.detector + f.title) ?? []), f.id]);
        const alike = [...counts.values()].find(ids => ids.length > 1);
        if (!alike) return;
        await page.goto(`${base}${path}/findings?f=${alike[0]}`);
        await page.locator('.item[aria-current]').waitFor();
        await settled(page);
        await page.keyboard.press('x');
        await page.keyboard.press('2');
        await page.locator('.toast').first().waitFor();
        for (const id of alike) equal(await state(id), 'dismissed', `status of ${id}`);
        await page.keyboard.press('u');
        for (const id of alike) await until(async () => (await state(id)) === 'open', `${id} is open again after u`);
    });
    await check('n writes a note', async () => {
        await openInbox();
        const first = await chosen();
        await page.keyboard.press('n');
        await page.getByRole('textbox', { name: 'Note' }).fill('because the image lacks it');
        await page.keyboard.press('Enter');
        await page.locator('.pane .in', { hasText: 'because the image lacks it' }).waitFor();
        await until(async () => (await api(base, `/findings/${first}`)).note === 'because the image lacks it', 'the note is stored');
    });
    await check('j and k walk the inbox, o opens the run at the words, Back returns', async () => {
        await openInbox();
        const first = await chosen();
        await page.keyboard.press('j');
        await page.waitForFunction(id => {
            const f = new URLSearchParams(location.search).get('f');
            return f && f !== id;
        }, first);
        await page.keyboard.press('k');
        await page.waitForFunction(id => new URLSearchParams(location.search).get('f') === id, first);
        const here = page.url();
        await page.keyboard.press('o');
        await page.waitForURL('**/runs/*finding=*');
        await page.goBack();
        await page.waitForURL(here);
    });
    await check('in the reader, too, a finding is confirmed with c', async () => {
        const [finding] = (await all(base, `/collections/${collection.id}/findings?status=open`)).filter(
            f => f.run && f.evidence[0]?.message != null,
        );
        await page.goto(`${base}/runs/${finding.run.id}?finding=${finding.id}#m${finding.evidence[0].message}`);
        await page.locator('.note.now').first().waitFor();
        await page.keyboard.press('c');
        await page.locator('.note.now', { hasText: 'confirmed' }).first().waitFor();
        await page.locator('.toast').first().waitFor(); // the server has it
        equal(await state(finding.id), 'confirmed', 'status');
        await page.keyboard.press('u');
        await page.locator('.note.now', { hasText: 'dismiss' }).first().waitFor();
        equal(await state(finding.id), 'open', 'status after u');
    });

    await check('the query box completes, filters, and its state is the address', async () => {
        await page.goto(`${base}${path}/runs`);
        await page.locator('.dense .row').first().waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('succ');
        await page
            .getByRole('option', { name: /success:/ })
            .first()
            .waitFor();
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Tab');
        await page.keyboard.type('fal');
        await page.getByRole('option', { name: /success:false/ }).waitFor();
        await page.keyboard.press('ArrowDown');
        await page.keyboard.press('Enter');
        await page.waitForURL('**/runs?success=false');
        const failed = runs.filter(run => run.success === false).length;
        await page.waitForFunction(n => document.querySelector('.count b')?.textContent === n.toLocaleString('en'), failed);
        equal(await page.locator('.dense .row .o-pass').count(), 0, 'passed runs in the list');
        await page.reload();
        await page.waitForFunction(n => document.querySelector('.count b')?.textContent === n.toLocaleString('en'), failed);
        await page.getByRole('button', { name: 'Remove success:false' }).click();
        await page.waitForURL(`${base}${path}/runs`);
        await page.goBack();
        await page.waitForURL('**/runs?success=false');
    });
    await check('words that are no field are told so, and the rows stay', async () => {
        await page.goto(`${base}${path}/runs`);
        await page.locator('.dense .row').first().waitFor();
        await page.keyboard.press('/');
        await page.keyboard.type('colour:red ');
        await page.locator('.query-error').waitFor();
        assert(await page.locator('.dense .row').count(), 'rows are gone');
    });
    await check('a click on a head sorts, and says so to readers', async () => {
        await page.goto(`${base}${path}/runs`);
        await page.locator('.dense .row').first().waitFor();
        await page.getByRole('link', { name: 'Msgs' }).click();
        await page.locator('th[aria-sort=descending]').waitFor();
        const most = Math.max(...runs.map(run => run.messages));
        await page.waitForFunction(n => document.querySelector('.dense .row .r2b')?.textContent === n.toLocaleString('en'), most);
    });
    await check('selected runs are tagged, and the tag is a filter', async () => {
        await page.goto(`${base}${path}/runs`);
        await page.locator('.dense .row').first().waitFor();
        await page.keyboard.press('x');
        await page.keyboard.press('j');
        await page.keyboard.press('x');
        await page.getByRole('button', { name: 'Tag' }).click();
        await page.getByRole('combobox', { name: 'Tag' }).fill('looked-at');
        await page.keyboard.press('Enter');
        await page.locator('.toast', { hasText: 'looked-at' }).waitFor();
        equal((await all(base, `/collections/${collection.id}/runs?tag=looked-at`)).length, 2, 'tagged runs');
        const [download] = await Promise.all([
            page.waitForEvent('download'),
            page.getByRole('button', { name: 'Export CSV' }).click(),
        ]);
        equal(download.suggestedFilename(), 'runs.csv', 'file');
    });
    await check('Ctrl-K goes to a page, a collection, a run', async () => {
        await page.goto(base + path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox', { name: 'Go to' }).fill('tasks');
        await page.getByRole('option', { name: /Tasks/ }).first().waitFor();
        await page.keyboard.press('Enter');
        await page.waitForURL(`${base}${path}/tasks`);
        await page.locator('.task-table .row').first().waitFor();
        await page.keyboard.press('Control+k');
        await page.getByRole('combobox', { name: 'Go to' }).fill(runs[0].external_id);
        await page.getByRole('option', { name: /run$/ }).first().click();
        await page.waitForURL('**/runs/*');
    });
    await check('? lists the keys of the page', async () => {
        await page.goto(`${base}${path}/findings`);
        await page.locator('.item').first().waitFor();
        await page.keyboard.press('?');
        const text = await page.getByRole('dialog', { name: 'Keys' }).innerText();
        for (const word of ['confirm', 'dismiss', 'go to anything']) assert(text.includes(word), `"${word}" is not listed`);
        await page.keyboard.press('Escape');
        await page.getByRole('dialog').waitFor({ state: 'detached' });
    });
    await check('at 390 px the inbox is two screens', async () => {
        await page.setViewportSize({ width: 390, height: 844 });
        await page.goto(`${base}${path}/findings`);
        await page.locator('.item').first().waitFor();
        equal(await page.locator('.pane').count(), 0, 'panes beside the list');
        await page.locator('.item').first().click();
        await page.locator('.acts-bar').waitFor();
        equal(await page.locator('.inbox').count(), 0, 'lists beside the finding');
        await page.getByRole('button', { name: '← list' }).click();
        await page.locator('.item').first().waitFor();
    });
    await check('what the server refuses is told with its code', async () => {
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.goto(`${base}/c/no-such-collection`);
        const text = await page.getByRole('alert').innerText();
        assert(text.includes('not_found'), text);
        page.wrongs.length = 0;
    });
    await page.context().close();
}
