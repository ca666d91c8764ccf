// The pages that list: runs, tasks, one task, the story and the collections.
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
        equal(await page.getByRole('link', { name: 'Compare' }).count(), 0, 'links to compare one run');
        await page.keyboard.press('x');
        const [a, b] = runs.map(run => run.id);
        equal(await page.getByRole('link', { name: 'Compare' }).getAttribute('href'), `/compare?a=${a}&b=${b}`, 'link');
    });
    equal(page.wrongs.join('\n'), '', 'console of the lists');
    await page.context().close();
}
