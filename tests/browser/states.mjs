// Every page when the server is gone, refuses, has nothing or is slow; jobs; nested values by keys; a run on paper.
import { all, api, assert, axe, check, equal, newPage, settled, SHOTS } from './harness.mjs';

const problem = (status, code, detail) => ({
    status,
    contentType: 'application/problem+json',
    body: JSON.stringify({ type: 'about:blank', title: 'no', status, detail, code, instance: '' }),
});
const STATES = {
    gone: ['Is telltale still running?', 'network', route => route.abort()],
    missing: ['there is no such thing', 'not_found', route => route.fulfill(problem(404, 'not_found', 'there is no such thing'))],
    full: ['the disk is full', 'full', route => route.fulfill(problem(507, 'full', 'the disk is full'))],
};

export async function stateChecks(browser, base, { collection }) {
    const path = '/c/' + encodeURIComponent(collection.name);
    const run = (await all(base, `/collections/${collection.id}/runs`)).sort((a, b) => b.tool_calls - a.tool_calls)[0];
    const pages = {
        collections: '/',
        story: path,
        runs: path + '/runs',
        findings: path + '/findings',
        tasks: path + '/tasks',
        task: `${path}/tasks/${encodeURIComponent(run.task_id)}`,
        groups: `${path}/compare?by=success&a=true&b=false`,
        reader: '/runs/' + run.id,
        detectors: '/rules',
        rubrics: '/judges',
        rubric: '/judges/any',
        search: '/search?q=error',
        jobs: '/jobs',
        settings: '/settings',
    };
    const page = await newPage(browser, base);
    for (const [state, [words, code, answer]] of Object.entries(STATES)) {
        await page.route('**/api/v1/**', answer);
        await page.goto(base + '/'); // from here to every page without loading anew, and nothing kept from before
        for (const [name, address] of Object.entries(pages))
            await check(`${name} when what it needs is ${state}`, async () => {
                page.wrongs.length = 0;
                await page.evaluate(to => {
                    history.pushState(null, '', to);
                    dispatchEvent(new PopStateEvent('popstate'));
                }, address);
                const alerts = page.getByRole('alert').filter({ hasText: words });
                await alerts.filter({ hasText: code }).first().waitFor({ timeout: 2500 });
                equal(page.wrongs.filter(wrong => !wrong.includes('Failed to load resource')).join('\n'), '', 'console');
            });
        await page.screenshot({ path: `${SHOTS}/state-${state}.png` });
        await page.unroute('**/api/v1/**');
    }
    await check('a page that met no server goes on by itself when there is one again', async () => {
        await page.route('**/api/v1/**', route => route.abort());
        await page.goto(base + path + '/runs');
        await page.getByRole('alert').first().waitFor();
        await page.unroute('**/api/v1/**');
        await page.getByRole('table', { name: 'Runs' }).waitFor({ timeout: 8000 });
    });
    await page.context().close();
    await brokenChecks(browser, base, run);
    await jobChecks(browser, base);
    await paperChecks(browser, base, run);
}

async function brokenChecks(browser, base, run) {
    const page = await newPage(browser, base);
    await check('an address that was cut short in the middle of a span opens its run', async () => {
        await page.goto(`${base}/runs/${run.id}#m1:text%`);
        await page.locator('.msg').first().waitFor();
        equal(page.wrongs.join('\n'), '', 'console');
    });
    await check('what cannot be drawn is said, and every other page is a click away', async () => {
        await page.route('**/api/v1/runs/' + run.id, route => route.fulfill({ contentType: 'application/json', body: '{}' }));
        await page.goto(`${base}/runs/${run.id}`);
        await page.getByRole('alert').filter({ hasText: 'Reload the page' }).waitFor();
        assert(page.wrongs.some(wrong => wrong.startsWith('exception')), 'the console does not tell it');
        await page.unroute('**/api/v1/runs/' + run.id);
        await page.getByRole('link', { name: 'Search', exact: true }).first().click();
        await page.getByRole('textbox', { name: 'Search every message' }).waitFor();
    });
    await page.context().close();
}

async function jobChecks(browser, base) {
    await check('jobs by state, what each did, and what the files take', async () => {
        const page = await newPage(browser, base);
        await page.goto(base + '/jobs');
        const row = page.getByRole('region', { name: 'Jobs' }).getByRole('row').filter({ hasText: /^sample/ });
        await row.getByText('done', { exact: true }).waitFor();
        equal(await row.getByRole('button', { name: /again|Cancel/ }).count(), 0, 'ways to change what is done');
        equal(await page.locator('.all-pages [aria-current=page]').innerText(), 'Jobs', 'the page that the bar marks');
        await page.getByRole('button', { name: 'failed', exact: true }).click();
        await page.getByText('No job is failed.').waitFor();
        assert(page.url().endsWith('?state=failed'), 'the choice is in the address');
        await page.goto(base + '/settings');
        await page.getByRole('region', { name: 'Storage and version' }).getByText(/^Telltale \d/).waitFor();
        equal(page.wrongs.join('\n'), '', 'console');
        await page.context().close();
    });
}

async function paperChecks(browser, base, run) {
    const page = await newPage(browser, base, { colorScheme: 'dark', viewport: { width: 1000, height: 600 } });
    await page.goto(`${base}/runs/${run.id}`);
    await page.locator('.msg').first().waitFor();
    await settled(page);
    await check('a nested value is walked by keys, and gives the path of any part', async () => {
        await page.getByRole('button', { name: 'Metadata' }).click();
        const tree = page.getByRole('tree', { name: 'Metadata' });
        const items = tree.getByRole('treeitem');
        const first = items.first();
        await first.focus();
        equal(await tree.locator('[tabindex="0"]').count(), 1, 'stops of Tab in the tree');
        await page.keyboard.press('c');
        const path = await page.evaluate(() => navigator.clipboard.readText());
        equal(path, await first.getAttribute('data-path'), 'the path that was copied');
        assert(/^\$\./.test(path), path);
        const branch = tree.locator('[aria-expanded]').first();
        if (await branch.count()) {
            await branch.focus();
            const open = await branch.getAttribute('aria-expanded');
            await page.keyboard.press(open === 'true' ? 'ArrowLeft' : 'ArrowRight');
            assert((await branch.getAttribute('aria-expanded')) !== open, 'the arrows fold and open');
        }
        equal((await axe(page)).join('\n'), '', 'axe');
    });
    await check('a run goes to paper whole, without what is pressed, in the light theme', async () => {
        const drawn = () => page.locator('.msg').count();
        await page.evaluate(() => {
            window.print = () => (window.printed = true);
        });
        const before = await drawn();
        await page.keyboard.press('Control+p');
        await page.waitForFunction(() => window.printed);
        const last = (await api(base, '/runs/' + run.id)).transcripts[0].messages - 1;
        assert((await drawn()) > before, `${before} blocks were drawn before, and no more now`);
        await page.emulateMedia({ media: 'print' });
        assert(await page.getByText(`M${last}`, { exact: true }).last().isVisible(), 'the last message is drawn');
        equal(await page.locator('.top').isVisible(), false, 'the bar is on paper');
        equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), 'light', 'theme');
        equal(await page.locator('button.more:visible, .strip .btn:visible').count(), 0, 'buttons on paper');
        const pdf = (await page.pdf({ format: 'A4' })).toString('latin1');
        const pages = (pdf.match(/\/Type\s*\/Page\b/g) ?? []).length;
        assert(pages > 1 && pages < 60, `${pages} pages`);
        await page.evaluate(() => dispatchEvent(new Event('afterprint')));
        await page.emulateMedia({ media: 'screen' });
        await page.waitForFunction(most => document.querySelectorAll('.msg').length <= most, before + 20);
    });
    await page.context().close();
}
