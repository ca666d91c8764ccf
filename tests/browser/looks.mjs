// Every page, both themes, wide and narrow: nothing on the console, nothing that axe calls serious, nothing that overflows.
import { SHOTS, all, api, assert, axe, check, equal, newPage, settled } from './harness.mjs';

/** The empty page, its three ways in, and the sample loaded through it. Gives what the other checks look at. */
export async function loadSample(browser, base) {
    const page = await newPage(browser, base);
    await check('the page of an empty server has three ways in', async () => {
        await page.goto(base + '/');
        await page.getByRole('heading', { name: 'Put transcripts in.' }).waitFor();
        await settled(page);
        for (const [theme, width] of [
            ['light', 1440],
            ['dark', 1440],
            ['light', 390],
            ['dark', 390],
        ]) {
            await page.emulateMedia({ colorScheme: theme });
            await page.setViewportSize({ width, height: 900 });
            await page.screenshot({ path: `${SHOTS}/empty-${theme}-${width}.png`, fullPage: true });
            equal((await axe(page)).join('\n'), '', `axe, ${theme} ${width}`);
        }
        await page.setViewportSize({ width: 1440, height: 900 });
        await page.getByRole('button', { name: 'Copy the curl command' }).click();
        const copied = await page.evaluate(() => navigator.clipboard.readText());
        assert(copied.includes(new URL(base).host) && copied.includes('/uploads'), `copied: ${copied}`);
        await page.getByRole('button', { name: 'Copy the import command' }).waitFor();
        await page.getByRole('button', { name: 'Choose files' }).waitFor();
    });
    await check('the sample loads and its story opens', async () => {
        await page.goto(base + '/');
        await page.getByRole('button', { name: 'Load the sample collection' }).click();
        await page.waitForURL('**/c/*', { timeout: 60_000 });
        await page.getByRole('heading', { level: 1 }).waitFor();
        equal(page.wrongs.join('\n'), '', 'console');
    });
    await page.context().close();
    const [collection] = await all(base, '/collections');
    if (!collection) return null;
    const summary = await api(base, `/collections/${collection.id}/summary`);
    const findings = await all(base, `/collections/${collection.id}/findings`);
    const runs = await all(base, `/collections/${collection.id}/runs`);
    return { collection, summary, findings, runs, path: '/c/' + encodeURIComponent(collection.name) };
}

export async function lookChecks(browser, base, { path, collection, findings, summary, runs }) {
    const cited =
        findings.find(f => f.evidence.length > 1 && f.run && f.evidence[0].message != null) ??
        findings.find(f => f.run && f.evidence[0]?.message != null);
    const plain = runs.find(run => !run.first_finding) ?? runs[0];
    const pages = {
        collections: '/',
        story: path,
        runs: path + '/runs',
        findings: path + '/findings',
        finding: `${path}/findings?status=any&f=${cited.id}`,
        tasks: path + '/tasks',
        reader: `/runs/${plain.id}`,
        evidence: `/runs/${cited.run.id}?finding=${cited.id}`,
        detectors: '/rules',
        'detectors here': `/rules?c=${encodeURIComponent(collection.name)}`,
        'one detector': `/rules?rule=${cited.detector}&c=${encodeURIComponent(collection.name)}`,
        settings: '/settings',
        jobs: '/jobs',
        unknown: '/runs/00000000-0000-0000-0000-000000000000',
    };
    for (const colorScheme of ['light', 'dark']) {
        for (const width of [1440, 390]) {
            const page = await newPage(browser, base, { colorScheme, viewport: { width, height: width < 500 ? 844 : 900 } });
            for (const [name, address] of Object.entries(pages)) {
                await check(`${name}, ${colorScheme}, ${width} px`, async () => {
                    page.wrongs.length = 0;
                    await page.goto(base + address);
                    await page.locator('#main').first().waitFor();
                    await settled(page);
                    await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png` });
                    if (name === 'story' || name === 'collections')
                        await page.screenshot({ path: `${SHOTS}/${name}-whole-${colorScheme}-${width}.png`, fullPage: true });
                    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                    assert(over <= 0, `wider than the window by ${over} px`);
                    equal((await axe(page)).join('\n'), '', 'axe');
                    // A run that is not there is a refusal that the browser reports too.
                    equal(page.wrongs.filter(w => name !== 'unknown' || !w.includes('404')).join('\n'), '', 'console');
                });
            }
            await page.context().close();
        }
    }
    const wide = await newPage(browser, base, { viewport: { width: 2560, height: 1400 } });
    for (const name of ['collections', 'story', 'runs', 'findings', 'tasks', 'evidence']) {
        await check(`${name}, 2560 px`, async () => {
            await wide.goto(base + pages[name]);
            await wide.locator('#main').first().waitFor();
            await settled(wide);
            await wide.screenshot({ path: `${SHOTS}/${name}-light-2560.png` });
            equal(wide.wrongs.join('\n'), '', 'console');
        });
    }
    await wide.context().close();

    const page = await newPage(browser, base);
    await check('the story says what the summary says', async () => {
        await page.goto(base + path);
        const said = await page.getByRole('heading', { level: 1 }).innerText();
        const has = n => new RegExp(`(^|\\D)${n.toLocaleString('en')}(\\D|$)`).test(said);
        assert(has(summary.runs) && has(summary.tasks), `"${said}" tells ${summary.runs} runs and ${summary.tasks} tasks`);
        assert(has(Math.round(summary.pass_rate.value * 100)), `"${said}" tells the pass rate ${summary.pass_rate.value}`);
        assert(!summary.broken_tasks || has(summary.broken_tasks), `"${said}" tells ${summary.broken_tasks} broken tasks`);
        assert(
            !summary.kinds.odd_behavior.runs || has(summary.kinds.odd_behavior.runs),
            `"${said}" tells ${summary.kinds.odd_behavior.runs} odd runs`,
        );
        assert(
            !summary.kinds.near_miss.runs || has(summary.kinds.near_miss.runs),
            `"${said}" tells ${summary.kinds.near_miss.runs} near misses`,
        );
        const broken = page.getByRole('region', { name: 'Broken tasks' }).locator('li');
        await broken.first().waitFor();
        equal(await broken.count(), Math.min(7, summary.broken_tasks), 'broken tasks listed');
        assert(await broken.first().locator('mark').count(), 'a broken task shows the words that prove it');
    });
    await check('the grid marks as broken what has that verdict; what is only said to be is hollow, and says so', async () => {
        await page.locator('.heat .t').first().waitFor();
        equal(await page.locator('.heat .t .k-broken_task:not(.hollow)').count(), summary.broken_tasks, 'broken tasks in the grid');
        for (const mark of await page.locator('.heat .t .hollow').all())
            assert(/not its verdict/.test(await mark.getAttribute('title')), 'a hollow mark says why');
    });
    await check('the grid of tasks is walked with arrow keys and opened with Enter', async () => {
        const first = page.locator('.heat .t').first();
        await first.focus();
        await page.keyboard.press('ArrowRight');
        const label = await page.evaluate(() => document.activeElement.getAttribute('aria-label'));
        const task = label.slice(0, label.indexOf(':'));
        equal(await page.locator('.readout b').first().innerText(), task, 'the read-out follows');
        await page.keyboard.press('Enter');
        await page.waitForURL(url => url.pathname.endsWith('/runs') && url.searchParams.get('task') === task);
        await page.goBack();
        await page.waitForURL(base + path);
    });
    await check('the strict policy is sent, and the page holds no inline script or style', async () => {
        const answer = await fetch(base + '/');
        const policy = answer.headers.get('content-security-policy') ?? '';
        for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "require-trusted-types-for 'script'"])
            assert(policy.includes(part), `policy: ${policy}`);
        const html = await answer.text();
        assert(!/<style|style=|<script(?![^>]*src=)|\son\w+=/.test(html), 'inline script or style');
    });
    await check('an address that is no page is 404', async () => {
        for (const address of ['/nothing', '/c', '/runs', '/c/x/y', '/assets/none.js'])
            equal((await fetch(base + address)).status, 404, address);
    });
    await check('a mistyped address is answered in words, with a way on', async () => {
        const answer = await page.goto(base + '/collections/sample');
        equal(answer.status(), 404, 'status');
        await page.getByRole('heading', { level: 1, name: 'There is nothing here' }).waitFor();
        equal((await axe(page)).join('\n'), '', 'axe');
        await page.getByRole('link', { name: 'All collections' }).click();
        await page.waitForURL(base + '/');
    });
    await check('where a finger points, no key is hinted at', async () => {
        for (const touch of [false, true]) {
            const on = await newPage(browser, base, touch ? { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } : {});
            await on.goto(base + '/settings');
            await on.getByRole('button', { name: 'New token' }).click();
            await on.getByRole('button', { name: 'Close' }).waitFor();
            equal(await on.locator('dialog kbd').isVisible(), !touch, `Esc, ${touch ? 'touched' : 'with keys'}`);
            await on.context().close();
        }
    });
    await check('the theme is chosen, kept, and set before the first paint', async () => {
        await page.goto(base + '/');
        const button = page.locator('.theme');
        while ((await button.innerText()) !== 'Dark') await button.click();
        equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'theme');
        await page.reload();
        equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark', 'theme after a reload');
        await page.evaluate(() => localStorage.clear());
    });
    await check('the keyboard reaches everything: skip link first, then the bar', async () => {
        await page.goto(base + path);
        await page.getByRole('heading', { level: 1 }).waitFor();
        await page.keyboard.press('Tab');
        equal(await page.evaluate(() => document.activeElement.className), 'skip', 'the first stop');
        await page.keyboard.press('Enter');
        equal(await page.evaluate(() => document.activeElement.id), 'main', 'where the skip link leads');
        const reached = await page.evaluate(() =>
            [...document.querySelectorAll('a[href], button, input, summary, [tabindex]')]
                .filter(
                    e =>
                        e.checkVisibility() &&
                        !e.disabled &&
                        e.tabIndex < 0 &&
                        !e.closest('.heat, .dense, main[tabindex], [role=combobox]') &&
                        e.id !== 'main',
                )
                .map(e => e.outerHTML.slice(0, 120)),
        );
        equal(reached.join('\n'), '', 'controls that Tab does not reach');
    });
    await page.context().close();
}
