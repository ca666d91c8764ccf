// What the checks of the page share: a server on a temporary database, a browser, counting.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../../', import.meta.url).pathname;
const require = createRequire(join(root, 'web/package.json'));
export const { chromium } = require('playwright-core');
export const esbuild = require('esbuild');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const SHOTS = join(root, 'build/screenshots');
export const WEB = join(root, 'web');
mkdirSync(SHOTS, { recursive: true });

let passed = 0;
let failed = 0;

/** Runs one check; a line for each that fails. */
export async function check(name, run) {
    try {
        await run();
        passed++;
    } catch (e) {
        failed++;
        console.log(`FAILED ${name}: ${e.message.split('\n').slice(0, 6).join('\n    ')}`);
    }
}

export function assert(holds, message) {
    if (!holds) throw new Error(message);
}
export function equal(got, wanted, what) {
    if (got !== wanted) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export function finish() {
    console.log(`${passed} passed, ${failed} failed`);
    return failed ? 1 : 0;
}

/** Resolves with what `child` says after "listening on", which it must say within 20 s. */
function listening(child, stream) {
    let said = '';
    return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error(`it did not listen within 20 s; it said: ${said}`)), 20_000);
        child[stream].on('data', data => {
            said += data;
            const match = /listening on (http:\/\/\S+)/.exec(said);
            if (!match) return;
            clearTimeout(timer);
            resolve(match[1]);
        });
        child.on('exit', code => reject(new Error(`it ended with ${code}: ${said}`)));
    });
}

/** A model server that answers, and fails, as it is told. */
export async function startModel() {
    const child = spawn('python3', [join(root, 'tests/llm/fault_server.py'), '--port', '0'], {
        stdio: ['ignore', 'pipe', 'ignore'],
    });
    const base = await listening(child, 'stdout');
    const plan = keys => fetch(base + '/_plan', { method: 'POST', body: JSON.stringify(keys) });
    return { base, plan, stop: () => child.kill('SIGKILL') };
}

/** Starts `binary serve` on a port of its choice, on a database of its own that `fill(path)` may put something in; resolves when it listens. */
export async function startServer(binary, env = {}, fill = () => {}) {
    const folder = mkdtempSync(join(tmpdir(), 'telltale-browser-'));
    fill(join(folder, 'telltale.db'));
    const child = spawn(binary, ['--db', join(folder, 'telltale.db'), 'serve', '--listen', '127.0.0.1:0'], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ...env },
    });
    const base = await listening(child, 'stderr');
    const ended = new Promise(resolve => child.on('exit', resolve));
    const stop = async () => {
        child.kill('SIGTERM');
        await Promise.race([ended, new Promise(done => setTimeout(done, 10_000))]);
        rmSync(folder, { recursive: true, force: true });
    };
    return { base, stop };
}

export async function api(base, path, options) {
    const answer = await fetch(base + '/api/v1' + path, options);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
}

/** All items of a list, page by page. */
export async function all(base, path) {
    const items = [];
    for (let after = ''; ;) {
        const page = await api(
            base,
            `${path}${path.includes('?') ? '&' : '?'}limit=1000${after ? '&after=' + encodeURIComponent(after) : ''}`,
        );
        items.push(...page.items);
        if (!page.next) return items;
        after = page.next;
    }
}

export const launch = () =>
    chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: [
            '--headless',
            '--no-sandbox',
            '--disable-gpu',
            '--disable-quic',
            '--no-first-run',
            '--disable-background-networking',
            '--disable-component-update',
            '--disable-sync',
        ],
    });

/** A page of its own context. `page.wrongs` gathers console errors, exceptions and requests to other hosts. */
export async function newPage(browser, base, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light', ...options });
    await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: base });
    const page = await context.newPage();
    page.wrongs = [];
    page.on('console', message => {
        if (message.type() === 'error') page.wrongs.push(`console: ${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', error => page.wrongs.push(`exception: ${error.message}`));
    page.on('request', request => {
        const url = request.url();
        if (!url.startsWith(base) && !url.startsWith('data:') && !url.startsWith('blob:'))
            page.wrongs.push(`asked another host: ${url}`);
    });
    page.asked = page.answered = 0;
    page.on('request', () => page.asked++);
    for (const end of ['requestfinished', 'requestfailed']) page.on(end, () => page.answered++);
    page.setDefaultTimeout(20_000);
    return page;
}

/** Violations that keep somebody from using the page, once it has its lasting colours. */
export async function axe(page) {
    await page.evaluate(AXE);
    await page.evaluate(() => Promise.allSettled(document.getAnimations().filter(a => a.effect.getTiming().iterations !== Infinity).map(a => a.finished)));
    const result = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
    return result.violations
        .filter(v => v.impact === 'serious' || v.impact === 'critical')
        .map(v => `${v.id} (${v.nodes.length}): ${v.nodes[0].target.join(' ')} ${v.nodes[0].html.slice(0, 140)}`);
}

/** Waits until no request has been under way for a moment and what came has been drawn; 10 s at most, as the end of a request that a
 *  navigation took away is not always told. */
export async function settled(page) {
    const until = Date.now() + 10_000;
    for (let calm = 0; calm < 3 && Date.now() < until;) {
        const before = page.asked;
        await page.waitForTimeout(40);
        calm = before === page.asked && page.answered === page.asked ? calm + 1 : 0;
    }
    await page.evaluate(() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))));
}
