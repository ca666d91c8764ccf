// The page's budgets, measured in a real Chromium against the real program: `make bench-web`.
// usage: node web.mjs BINARY [WORD...]      only what has one of the words in its name
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { all, api, launch, newPage, settled, startServer } from '../browser/harness.mjs';

const TURNS = 5;
const HERE = new URL('.', import.meta.url).pathname;
const ROOT = join(HERE, '../..');
const CORPORA = process.env.TELLTALE_CORPORA ?? join(ROOT, '../shared/corpora');
const [binary, ...words] = process.argv.slice(2);
if (!binary) {
    console.error('usage: web.mjs BINARY [WORD...]');
    process.exit(2);
}

/* ---- the collections ---- */

const folder = mkdtempSync(join(tmpdir(), 'telltale-bench-'));
const run = (...args) => execFileSync(args[0], args.slice(1), { stdio: ['ignore', 'ignore', 'inherit'] });
const made = name => join(folder, name);

function fill(db) {
    const take = (path, collection) => {
        try {
            run(binary, '--db', db, '--quiet', 'import', path, '-c', collection);
        } catch (e) {
            if (e.status !== 1) throw e; // 1: some records were refused
        }
    };
    take(join(ROOT, 'server/sample'), 'sample');
    if (existsSync(CORPORA)) take(CORPORA, 'corpora');
    else console.log(`NOT RUN: no corpora at ${CORPORA}; set TELLTALE_CORPORA`);
    mkdirSync(made('long'));
    run('python3', join(HERE, 'make_runs.py'), 'long', made('long'));
    take(made('long'), 'long');
    run('python3', join(HERE, 'make_runs.py'), 'many', '100000', made('many.jsonl'));
    take(made('many.jsonl'), 'many');
}

/* ---- measuring, inside the page ---- */

/** Set as the page's first script: when `selector` is first there and painted. */
const watch = selector => {
    window.bench = { useful: null };
    const look = () => {
        if (document.querySelector(selector)) requestAnimationFrame(() => setTimeout(() => (window.bench.useful = performance.now())));
        else requestAnimationFrame(look);
    };
    look();
};

/** Counts what the page's main thread works, in milliseconds of processor time: what else the machine does is not in it. */
async function worked(page) {
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable', { timeDomain: 'threadTicks' });
    return async () => (await client.send('Performance.getMetrics')).metrics.find(m => m.name === 'TaskDuration').value * 1000;
}

/** Milliseconds from the first byte of the answer until `selector` stands on the page, and what the main thread worked till then. */
async function opened(browser, base, path, selector) {
    const page = await newPage(browser, base);
    await page.addInitScript(watch, selector);
    const work = await worked(page);
    try {
        await page.goto(base + path, { waitUntil: 'commit' });
        await page.waitForFunction(() => window.bench?.useful != null);
        const cpu = await work();
        const ms = await page.evaluate(() => window.bench.useful - performance.getEntriesByType('navigation')[0].responseStart);
        return [ms, cpu];
    } finally {
        await page.context().close();
    }
}

/** Milliseconds from `act` in the page until `holds` is true there and painted. Both are sent as source. */
const until = (page, act, holds) =>
    page.evaluate(
        ([act, holds]) =>
            new Promise((resolve, reject) => {
                const holdsNow = new Function('return ' + holds);
                const began = performance.now();
                const look = () => {
                    if (holdsNow()) setTimeout(() => resolve(performance.now() - began));
                    else if (performance.now() - began > 20_000) reject(new Error('it never came: ' + holds));
                    else requestAnimationFrame(look);
                };
                new Function(act)();
                requestAnimationFrame(look);
            }),
        [act, holds],
    );

/** Scrolls `selector` (or the page) for `frames` frames, `step` pixels each; the longest frame in milliseconds. */
const scrolled = (page, step, frames, selector = null) =>
    page.evaluate(
        ([step, frames, selector]) =>
            new Promise(resolve => {
                const scroller = selector ? document.querySelector(selector) : document.scrollingElement;
                let last = performance.now();
                let longest = 0;
                const tick = () => {
                    const now = performance.now();
                    longest = Math.max(longest, now - last);
                    last = now;
                    scroller.scrollTop += step;
                    if (frames-- > 0) requestAnimationFrame(tick);
                    else resolve(longest);
                };
                requestAnimationFrame(tick);
            }),
        [step, frames, selector],
    );

/* ---- what is measured ---- */

/** A row: what, its budget, and one turn of it. */
const rows = [];
const measure = (name, budget, unit, turn) => rows.push({ name, budget, unit, turn });

/** Pages that are to be useful within 300 ms of the answer: their path, and what makes them useful. */
const PAGES = c => [
    ['/', '.cards .name'],
    [`/c/${c}`, '.rank li a'],
    [`/c/${c}/runs`, 'tr.row td a'],
    [`/c/${c}/findings`, '.inbox .item'],
    [`/c/${c}/tasks`, 'tbody tr td a'],
];

async function plan(browser, base, collections) {
    measure('first load of the landing page, gzip', 150, 'KiB', async () => {
        const page = await newPage(browser, base);
        const client = await page.context().newCDPSession(page);
        await client.send('Network.enable');
        let bytes = 0;
        client.on('Network.loadingFinished', event => (bytes += event.encodedDataLength));
        await page.goto(base + '/');
        await settled(page);
        await page.context().close();
        return [bytes / 1024];
    });
    for (const c of collections)
        for (const [path, selector] of PAGES(c)) {
            if (path === '/' && c !== collections[0]) continue;
            measure(`open ${path}`, 300, 'ms', () => opened(browser, base, path, selector));
        }

    const long = await all(base, '/collections/long/runs');
    const runOf = name => '/runs/' + long.find(r => r.external_id === name).id;
    measure('open a run of 2,000 messages', 200, 'ms', () => opened(browser, base, runOf('middle'), 'article.msg:not(.waiting)'));
    measure('open a run of 127 MB', 1000, 'ms', () => opened(browser, base, runOf('long'), 'article.msg:not(.waiting)'));
    measure('open messages of 10 MB', 1000, 'ms', () => opened(browser, base, runOf('wide'), 'article.msg:not(.waiting)'));
    measure('open a run of 127 MB at message 15,000', 1000, 'ms', () =>
        opened(browser, base, runOf('long') + '#m15000', '[id="m15000"] .body, article.msg:not(.waiting)'),
    );
    for (const [name, budget] of [['middle', 50], ['long', 50], ['wide', 50]])
        measure(`scroll the run "${name}": longest frame`, budget, 'ms', async () => {
            const page = await newPage(browser, base);
            await page.goto(base + runOf(name));
            await page.waitForSelector('article.msg:not(.waiting)');
            await settled(page);
            const longest = await scrolled(page, 90, 150);
            await page.context().close();
            return [longest];
        });

    const table = async turn => {
        const page = await newPage(browser, base);
        await page.goto(base + '/c/many/runs');
        await page.waitForSelector('tr.row td a');
        await settled(page);
        const work = await worked(page);
        const before = await work();
        const ms = await turn(page);
        const cpu = (await work()) - before;
        await page.context().close();
        return [ms, cpu];
    };
    const first = `document.querySelector('tr.row[aria-rowindex="2"]')?.textContent`;
    const changed = `const before = window.before; const now = ${first}; return now && now !== before`;
    const act = code => `window.before = ${first}; ${code}`;
    const link = title => `[...document.querySelectorAll('thead a')].find(a => a.textContent.startsWith('${title}')).click()`;
    for (const title of ['Msgs', 'Findings', 'Calls'])
        measure(`100,000 rows: sort by ${title.toLowerCase()}`, 200, 'ms', () =>
            table(page => until(page, act(link(title)), `(() => { ${changed} })()`)),
        );
    measure('100,000 rows: filter by a facet', 200, 'ms', () =>
        table(page =>
            until(page, act(`document.querySelector('.facets input').click()`), `(() => { ${changed} })()`),
        ),
    );
    measure('100,000 rows: scroll, longest frame', 50, 'ms', () => table(page => scrolled(page, 200, 120, '.dense-x')));
}

/* ---- */

const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const server = await startServer(binary, {}, fill);
const browser = await launch();
let over = 0;
try {
    const collections = (await api(server.base, '/collections?limit=100')).items.map(c => c.name).filter(c => c !== 'long').sort();
    await plan(browser, server.base, collections);
    const chosen = rows.filter(row => !words.length || words.some(word => row.name.includes(word)));
    console.log(`medians of ${TURNS}, least and most; work: processor time of the page's main thread; load of the machine ${loadavg()[0].toFixed(1)}`);
    for (const { name, budget, unit, turn } of chosen) {
        const turns = [];
        for (let i = 0; i < TURNS; i++) turns.push(await turn());
        const values = turns.map(([value]) => value).sort((a, b) => a - b);
        const cpus = turns.map(([, cpu]) => cpu).filter(cpu => cpu != null);
        const middle = median(values);
        if (middle > budget) over++;
        console.log(
            `${name.padEnd(48)} ${middle.toFixed(0).padStart(6)} ${unit.padEnd(3)}  (${values[0].toFixed(0)} to ${values.at(-1).toFixed(0)})`.padEnd(76) +
                (cpus.length ? `work ${median(cpus).toFixed(0)} ms`.padEnd(14) : ' '.repeat(14)) +
                ` budget ${budget}${middle > budget ? '   OVER' : ''}`,
        );
    }
    console.log(`${over} of ${chosen.length} over their budget`);
} finally {
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
}
process.exit(over ? 1 : 0);
