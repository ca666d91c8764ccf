// The page that `scan --output html` writes, opened from the disk: it needs nothing else, and stands in both themes, wide and narrow.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SHOTS, assert, axe, check, equal } from './harness.mjs';

export async function reportChecks(browser, binary) {
    const folder = mkdtempSync(join(tmpdir(), 'telltale-report-'));
    const file = join(folder, 'report.html');
    const sample = new URL('../../server/sample/data', import.meta.url).pathname;
    writeFileSync(file, execFileSync(binary, ['scan', sample, '--output', 'html', '--quiet'], { maxBuffer: 1 << 28 }));
    for (const [theme, width, ground] of [
        ['light', 1440, 'rgb(246, 247, 248)'],
        ['dark', 1440, 'rgb(14, 16, 19)'],
        ['light', 390, 'rgb(246, 247, 248)'],
    ])
        await check(`the report as a page, ${theme} ${width}`, async () => {
            const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 } });
            const page = await context.newPage();
            const wrongs = [];
            page.on('console', message => wrongs.push(message.text()));
            page.on('request', request => request.url() !== 'file://' + file && wrongs.push(`asked for ${request.url()}`));
            await page.goto('file://' + file);
            const group = page.locator('details').first();
            const open = (await group.getAttribute('open')) !== null;
            for (const now of [!open, open]) {
                await group.locator(':scope > summary').click();
                equal(await group.locator('mark').first().isVisible(), now, 'the words that show it, opened and closed');
            }
            equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), ground, 'ground');
            const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(over <= 0, `wider than the window by ${over} px`);
            equal(wrongs.join('\n'), '', 'console');
            await page.screenshot({ path: `${SHOTS}/report-${theme}-${width}.png` });
            const place = page.locator('figcaption a').first();
            await place.click();
            const cited = page.locator(':target');
            assert(await cited.isVisible(), 'the cited place is in the file');
            assert((await cited.locator('mark').count()) > 0, 'and its words are marked there');
            await page.screenshot({ path: `${SHOTS}/report-run-${theme}-${width}.png` });
            // Transcripts are alike: one of each, few findings and few rows are looked at for all.
            await page.evaluate(() => {
                for (const few of ['.run', '.msg', 'article', 'tr'])
                    document.querySelectorAll(few).forEach((element, i) => i >= 12 && element.remove());
            });
            equal((await axe(page)).join('\n'), '', 'axe');
            await context.close();
        });
    rmSync(folder, { recursive: true, force: true });
}
