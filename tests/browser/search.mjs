// Search in the page: words, phrases and patterns, hits as they come, facets, keys, and the way to the very words.
import { all, api, assert, check, equal, newPage, settled, startServer } from './harness.mjs';
import { look, post, until } from './judging.mjs';

const MANY = 2600;
const HOSTILE = '<img src=x onerror="window.__ran=1"> \u001b[31mzebra\u001b[0m \u202egnp.exe <script>window.__ran=2</script>';

async function put(base, collection, runs) {
    await post(base, '/collections', { name: collection });
    await api(base, `/collections/${collection}/uploads?filename=${collection}.jsonl&wait=30`, {
        method: 'POST',
        body: runs.map(run => JSON.stringify(run) + '\n').join(''),
    });
}

const call = (name, text) => ({
    role: 'assistant',
    content: 'calling it',
    tool_calls: [{ id: 'c1', type: 'function', function: { name, arguments: JSON.stringify({ text }) } }],
});

export async function searchChecks(browser, binary) {
    const server = await startServer(binary);
    const page = await newPage(browser, server.base);
    try {
        await put(server.base, 'small', [
            {
                id: 'one',
                model: 'model-a',
                success: true,
                messages: [
                    { role: 'user', content: `first line\nthe quick Zebra jumps over the n\u00e4\u00efve \u{1f98a} fox\nlast line` },
                    call('bash', 'a zebra in an argument'),
                    { role: 'tool', tool_call_id: 'c1', name: 'bash', content: 'fox first, then a zebra' },
                ],
            },
            { id: 'two', model: 'model-b', success: false, messages: [{ role: 'user', content: HOSTILE }] },
        ]);
        const said = Array.from({ length: MANY }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `everyword number ${i}` }));
        await put(server.base, 'large', [{ id: 'long', model: 'model-a', messages: said }]);
        await wordChecks(page, server.base);
        await wayChecks(page, server.base);
        await streamChecks(page, server.base);
    } finally {
        await page.context().close();
        await server.stop();
    }
}

const box = page => page.getByRole('textbox', { name: 'Search every message' });
const hits = page => page.locator('a.hit');
const shows = (page, n) => until(async () => (await page.locator('.count b').textContent().catch(() => '')) === n, `${n} hits`);

/** The page when it is ready to be typed into. */
async function start(page, base) {
    await page.goto(base + '/search');
    await page.getByRole('heading', { name: 'Find words in every message' }).waitFor();
}

async function wordChecks(page, base) {
    await check('field:value in the box is a filter, in quotes it is words', async () => {
            await page.goto(`${base}/search`);
            const box = page.getByRole('textbox', { name: 'Search every message' });
            await box.fill('zebra role:tool');
            await box.press('Enter');
            await page.locator('.qts .qt', { hasText: 'role:tool' }).waitFor();
            await settled(page);
            equal(await box.inputValue(), 'zebra', 'what remains in the box');
            equal(new URL(page.url()).searchParams.get('role') + new URL(page.url()).searchParams.get('q'), 'toolzebra', 'the address');
            equal(await page.locator('.hit:not(.soon)').count(), 1, 'hits');
            await page.goto(`${base}/search`);
            await box.fill('"role:tool"');
            await box.press('Enter');
            await settled(page);
            equal(await page.locator('.qts .qt').count(), 0, 'filters of quoted words');
        });
        await check('typing searches: each hit in its line, its words marked, and counted by what can be chosen', async () => {
        await start(page, base);
        await page.keyboard.type('zebra');
        await shows(page, '4');
        equal(new URL(page.url()).searchParams.get('q'), 'zebra', 'q in the address');
        equal(await hits(page).count(), 4, 'rows');
        const marked = await page.locator('a.hit mark').allTextContents();
        assert(marked.every(m => m.toLowerCase() === 'zebra'), `marked: ${marked}`);
        const roles = page.getByRole('region', { name: 'Role' });
        equal((await roles.locator('label').allInnerTexts()).map(t => t.replace(/\s+/g, ' ').trim()).sort().join(), 'assistant 1,tool 1,user 2', 'roles');
    });
    await check('a facet narrows and shows what else could be chosen; its token takes it out', async () => {
        const roles = page.getByRole('region', { name: 'Role' });
        await roles.getByLabel('tool').check();
        await shows(page, '1');
        equal(new URL(page.url()).searchParams.get('role'), 'tool', 'role in the address');
        equal(await roles.locator('label').count(), 3, 'roles that can be chosen');
        await roles.getByLabel('user').check();
        await shows(page, '3');
        await page.getByRole('button', { name: 'Remove role:tool,user' }).click();
        await shows(page, '4');
    });
    await check('several words are all in one text; in quotes they are a phrase; a pattern is one with its switch', async () => {
        await box(page).fill('fox zebra');
        await shows(page, '2');
        await box(page).fill('"zebra jumps"');
        await shows(page, '1');
        await box(page).fill('z[e]bra|n\u00e4.ve');
        await page.getByRole('heading', { name: 'No message says that.' }).waitFor();
        await page.getByRole('link', { name: 'search for it as one' }).click();
        await shows(page, '4');
        await box(page).fill('z[e');
        await page.getByRole('alert').getByText('error at byte').waitFor();
        equal(await hits(page).count(), 4, 'rows that stay while the pattern has an error');
        equal(page.wrongs.splice(0).filter(w => !w.includes('status of 400')).join('\n'), '', 'console');
    });
    await check('hostile text in a hit is text', async () => {
        await page.goto(base + '/search?q=gnp.exe');
        await hits(page).first().waitFor();
        const line = await hits(page).first().locator('samp').textContent();
        assert(line.includes('<img src=x') && line.includes('U+202E') && !line.includes('\u001b'), `line: ${line}`);
        equal(await page.evaluate(() => window.__ran ?? 0), 0, 'what ran');
    });
    await look(page, 'search-hostile');
}

async function wayChecks(page, base) {
    await check('keys alone lead from a search to the very words, and Back to the same hits', async () => {
        await start(page, base);
        await page.keyboard.type('n\u00e4\u00efve \u{1f98a}');
        await shows(page, '1');
        await page.keyboard.press('ArrowDown');
        equal(await page.locator('a.hit[aria-current]').count(), 1, 'hit in focus');
        await page.keyboard.press('o');
        await page.waitForURL('**/runs/*');
        await page.locator('mark.now').first().waitFor();
        equal((await page.locator('mark.now').allTextContents()).join(''), 'n\u00e4\u00efve', 'marked in the run');
        await page.goBack();
        await hits(page).first().waitFor();
        equal(await box(page).inputValue(), 'n\u00e4\u00efve \u{1f98a}', 'words in the box');
        await page.keyboard.press('/');
        await page.keyboard.type('argument');
        await hits(page).getByText('a zebra in an').waitFor();
        await hits(page).first().click();
        await page.waitForURL(/#m1:call%3A0\.arguments:/);
        await settled(page);
    });
}

async function streamChecks(page, base) {
    await check('many hits come by themselves as far as two thousand, then by scrolling; only those in view are drawn', async () => {
        await page.goto(base + '/search?q=everyword');
        await shows(page, new Intl.NumberFormat('en').format(MANY));
        await page.getByText('the first 2,050 shown').waitFor();
        assert((await hits(page).count()) < 200, `${await hits(page).count()} rows drawn`);
        await page.locator('.hits').evaluate(el => (el.scrollTop = el.scrollHeight));
        await page.getByText(`everyword number ${MANY - 1}`).or(page.getByText('scroll for more')).first().waitFor();
        await page.locator('.hits').evaluate(el => (el.scrollTop = el.scrollHeight));
        await until(async () => (await page.getByText('shown', { exact: false }).count()) === 0, 'all hits are there');
        await page.locator('.hits').evaluate(el => (el.scrollTop = el.scrollHeight));
        await page.getByText(`number ${MANY - 1}`).waitFor();
    });
    await check('typing on gives up what is under way', async () => {
        const gone = [];
        page.on('requestfailed', r => gone.push(r.url()));
        await page.route(/q=slow&/, async route => {
            await new Promise(done => setTimeout(done, 1500));
            await route.continue().catch(() => {});
        });
        await start(page, base);
        await page.keyboard.type('slow');
        await page.waitForURL(/q=slow$/);
        await page.keyboard.type(' zebra');
        await page.getByRole('heading', { name: 'No message says that.' }).waitFor();
        assert(gone.some(url => /q=slow&/.test(url)), 'the search for “slow” was not given up');
        equal((await all(base, '/search?q=slow')).length, 0, 'hits of “slow”');
    });
    await page.goto(base + '/search?q=everyword');
    await hits(page).first().waitFor();
    await look(page, 'search');
}
