// The documentation in the page: list, text, anchors, find.
import { assert, axe, check, equal, newPage, settled } from './harness.mjs';

export async function docsChecks(browser, base) {
    const page = await newPage(browser, base);

    await check('docs: the list leads to pages, and links between them stay in the page', async () => {
        await page.goto(base + '/docs');
        await page.waitForSelector('.docs-text h1');
        equal(await page.title(), 'Start, documentation - Telltale', 'title');
        await page.click('.docs-text a[href="/docs/rules"]');
        await page.waitForSelector('.docs-text h1:text("The rule language")');
        equal(await page.locator('.docs-pages [aria-current=page]').innerText(), 'The rule language', 'marked in the list');
        await page.goBack();
        await page.waitForSelector('.docs-text h1:text("Start")');
        assert((await page.locator('.docs-text a[target=_blank]').count()) === 0, 'no link leads elsewhere');
    });

    await check('docs: an address with an anchor opens at its place, and every anchor is unique', async () => {
        await page.goto(base + '/docs/sql#findings');
        await page.waitForSelector('.docs-text h2#findings');
        await settled(page);
        const top = await page.locator('h2#findings').evaluate(e => e.getBoundingClientRect().top);
        assert(top > 30 && top < 200, `the heading stands at ${top}`);
        for (const name of ['sql', 'rest']) {
            await page.click(`.docs-pages a[href="/docs/${name}"]`);
            await page.waitForFunction(to => document.querySelector('.docs-pages [aria-current]')?.getAttribute('href') === to && document.querySelector('.docs-contents a'), '/docs/' + name);
            const { ids, missing } = await page.evaluate(() => {
                const ids = [...document.querySelectorAll('.docs-text [id]')].map(e => e.id);
                const links = [...document.querySelectorAll('.docs-contents a')].map(a => a.getAttribute('href').slice(1));
                return { ids, missing: links.filter(link => !ids.includes(link)) };
            });
            assert(ids.length > 5, `${name} has ${ids.length} anchors`);
            equal(new Set(ids).size, ids.length, `anchors of ${name}`);
            equal(missing.join(), '', `places that ${name} has not`);
        }
    });

    await check('docs: find lists lines of all pages and leads to their heading', async () => {
        await page.goto(base + '/docs');
        await page.waitForSelector('.docs-text h1');
        await settled(page);
        await page.keyboard.press('/');
        await page.waitForFunction(() => document.activeElement?.tagName === 'INPUT');
        await page.locator('input:focus').fill('epistemic_confidence');
        await page.waitForSelector('.docs-found li a');
        assert(page.url().endsWith('?q=epistemic_confidence'), 'the address holds the words');
        await page.click('.docs-found a[href="/docs/sql#judgments"]');
        await page.waitForSelector('h2#judgments');
        await page.goto(base + '/docs?q=' + encodeURIComponent('nothing says this'));
        await page.waitForSelector('.docs-found:has-text("No line has all")');
    });

    await check('docs: a page that there is not is said so', async () => {
        await page.goto(base + '/docs/no-such-page');
        await page.waitForSelector('.failure:has-text("no-such-page")');
        page.wrongs = page.wrongs.filter(wrong => !wrong.includes('/api/v1/docs/no-such-page'));
    });

    for (const [colorScheme, width, names] of [
        ['light', 1440, ['webhooks']],
        ['dark', 390, ['start', 'rest', 'operations']],
    ])
        await check(`docs: ${colorScheme} at ${width} is as it should be for everybody`, async () => {
            const other = await newPage(browser, base, { colorScheme, viewport: { width, height: 900 } });
            for (const name of names) {
                await other.goto(`${base}/docs/${name}`);
                await other.waitForSelector('.docs-text h1');
                await settled(other);
                if (process.env.SHOTS) await other.screenshot({ path: `${process.env.SHOTS}/docs-${name}-${colorScheme}-${width}.png` });
                const wide = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                assert(wide <= 0, `${name} is ${wide} px too wide`);
                const torn = await other.evaluate(() => {
                    const lines = part => {
                        const range = document.createRange();
                        range.selectNodeContents(part);
                        return new Set([...range.getClientRects()].map(box => box.top)).size;
                    };
                    const parts = [...document.querySelectorAll('td:first-child code')].flatMap(code => [...code.childNodes]);
                    return parts.filter(part => part.textContent && lines(part) > 1).map(part => part.textContent);
                });
                if (name === 'operations') equal(torn.filter(text => /^\w+$/.test(text)).join(' '), '', 'words of names that are broken');
                if (name !== 'rest') equal((await axe(other)).join('\n'), '', `axe of ${name}`);
            }
            equal(other.wrongs.join('\n'), '', 'console');
            await other.context().close();
        });
    equal(page.wrongs.join('\n'), '', 'console');
    await page.context().close();
}
