// Makes the picture of the README, deploy/screenshot.png, from the sample collection. usage: node deploy/screenshot.mjs BINARY
import { writeFileSync } from 'node:fs';
import { loadSample } from '../tests/browser/looks.mjs';
import { launch, newPage, settled, startServer } from '../tests/browser/harness.mjs';

const server = await startServer(process.argv[2]);
const browser = await launch();
try {
    await loadSample(browser, server.base);
    const page = await newPage(browser, server.base, { viewport: { width: 1180, height: 640 } });
    await page.goto(server.base + '/c/sample');
    await page.waitForSelector('main h1');
    await settled(page);
    const file = new URL('screenshot.png', import.meta.url).pathname;
    const picture = await page.screenshot();
    writeFileSync(file, picture);
    console.log(`${file}: ${Math.round(picture.length / 1000)} kB`);
} finally {
    await browser.close();
    await server.stop();
}
