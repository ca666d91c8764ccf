// A closed server in the page: signing in and out, what a token may, tokens made and revoked, webhooks, the log of changes.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, axe, check, equal, newPage, settled, startServer } from './harness.mjs';

export async function accessChecks(browser, binary) {
    const folder = mkdtempSync(join(tmpdir(), 'telltale-access-'));
    const config = join(folder, 'telltale.yaml');
    writeFileSync(config, 'serve: { require-token: true, sample: true, private-webhooks: true }\n');
    const made = {};
    const server = await startServer(binary, { TELLTALE_CONFIG: config }, db => {
        for (const [scope, ...limits] of [['admin'], ['read'], ['ingest', '--rate', '1', '--max-upload', '20']])
            made[scope] = /tt_[\w-]+/.exec(
                execFileSync(binary, ['--db', db, 'token', 'create', scope + ' person', '--scope', scope, ...limits], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
            )?.[0];
        for (const scope of ['admin', 'read', 'ingest']) assert(made[scope], `no token for ${scope}`);
    });
    const { base } = server;
    const heard = [];
    const listener = createServer((request, answer) => {
        heard.push(request.headers);
        answer.statusCode = request.url === '/away' ? 503 : 204;
        request.resume().on('end', () => answer.end());
    });
    await new Promise(done => listener.listen(0, '127.0.0.1', done));
    const there = `http://127.0.0.1:${listener.address().port}`;
    const page = await newPage(browser, base);
    const signIn = async (on, token) => {
        await on.waitForSelector('.sign-in input');
        await on.fill('.sign-in input', token);
        await on.keyboard.press('Enter');
    };
    const shots = async (on, name) => process.env.SHOTS && (await on.screenshot({ path: `${process.env.SHOTS}/${name}.png` }));
    const refusals = /status of 40[13]/;

    try {
        await check('access: a wrong token is refused in words, a right one leads on to the address that was asked for', async () => {
            await page.goto(base + '/settings#tokens');
            await signIn(page, 'tt_nonsense');
            await page.waitForSelector('.sign-in [role=alert]');
            assert((await page.locator('.sign-in [role=alert]').innerText()).length > 10, 'says why');
            const after = await page.locator('.sign-in code').evaluate(code => code.nextSibling?.textContent ?? '');
            equal(after.trim(), '', 'what would be copied with the command');
            await shots(page, 'sign-in-light-1440');
            equal((await axe(page)).join('\n'), '', 'axe of the card');
            await signIn(page, made.admin);
            await page.waitForSelector('.tokens tbody tr');
            assert(page.url().endsWith('/settings#tokens'), page.url());
            assert(await page.locator('.account summary', { hasText: 'admin person' }).isVisible(), 'who is signed in');
            page.wrongs = page.wrongs.filter(wrong => !refusals.test(wrong));
        });

        await check('access: the token is in no storage, no address and no cookie that scripts see', async () => {
            const seen = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }) + document.cookie + location.href);
            assert(!seen.includes('tt_') && !seen.includes('telltale_session'), seen.slice(0, 200));
            const [cookie] = (await page.context().cookies()).filter(c => c.name === `telltale_session_${new URL(base).port}`);
            assert(cookie?.httpOnly && cookie.sameSite === 'Strict', JSON.stringify(cookie));
        });

        let fresh = '';
        await check('access: a token is made for one collection, shown once, and revoked', async () => {
            await page.click('text=New token');
            await page.waitForSelector('.token-form');
            await page.keyboard.type('the nightly job');
            await page.click('.token-form label:has-text("ingest") input');
            await page.click('.token-form label:has-text("these alone")');
            await page.click('.token-form .choose label >> nth=0');
            await page.getByLabel('Requests a second').fill('20');
            await page.getByLabel('MB an upload').fill('500');
            await shots(page, 'token-form-light-1440');
            await page.click('text=Make the token');
            fresh = (await page.locator('.secret').innerText()).match(/tt_[\w-]+/)[0];
            await shots(page, 'token-made-light-1440');
            await page.keyboard.press('Escape');
            const row = page.locator('.tokens tr', { hasText: 'the nightly job' });
            await row.waitFor();
            assert((await row.innerText()).includes('ingest, read'), await row.innerText());
            const limits = await page.locator('.tokens tr', { hasText: 'ingest person' }).locator('[data-l=may]').innerText();
            equal([limits, await row.locator('[data-l=may]').innerText()].join('; '), 'ingest, at most 1 request a second, 20 MB an upload; ingest, read, at most 20 requests a second, 500 MB an upload', 'limits');
            await shots(page, 'tokens-limits-light-1440');
            assert(!(await page.content()).includes(fresh.slice(20)), 'it is shown once');
            equal((await fetch(base + '/api/v1/collections', { headers: { authorization: `Bearer ${fresh}` } })).status, 200, 'it works');
            await page.click('[aria-label="Revoke the nightly job"]');
            await page.click('dialog .btn-danger');
            await page.waitForSelector('.tokens tr.over:has-text("the nightly job")');
            equal((await fetch(base + '/api/v1/collections', { headers: { authorization: `Bearer ${fresh}` } })).status, 401, 'it is over');
        });

        await check('access: a webhook is added, its secret shown once, tested, paused and deleted', async () => {
            const add = async path => {
                await page.click('text=Add a webhook');
                await page.keyboard.type(there + path);
                await page.keyboard.press('Enter');
                const secret = (await page.locator('.secret').innerText()).match(/whsec_[\w+/=]+/)[0];
                await page.keyboard.press('Escape');
                assert(!(await page.content()).includes(secret), 'it is shown once');
                return page.locator('.webhooks tr', { hasText: path });
            };
            assert((await page.locator('#webhooks').innerText()).includes('Nobody is told.'), 'there is none yet');
            const here = await add('/here');
            await here.locator('text=Test').press('Enter');
            await page.waitForSelector('.deliveries li:has-text("answered 204")');
            await here.locator('text=1 delivered').waitFor();
            assert(heard.length === 1 && /^v1,/.test(heard[0]['webhook-signature']), JSON.stringify(heard));
            await here.locator('[aria-label^="Change the events"]').click();
            for (const name of ['import.done', 'judge.done', 'job.failed']) await page.click(`dialog label:has-text("${name}") input`);
            await shots(page, 'webhook-events-light-1440');
            await page.click('dialog .btn-main');
            await here.locator('td[data-l="events"]:has-text("findings.new")').waitFor();
            assert(!(await here.innerText()).includes('import.done'), 'it is told of one event now');
            await page.click('.deliveries .more');
            await page.waitForSelector('dialog .raw:has-text("timestamp")');
            await page.keyboard.press('Escape');
            const away = await add('/away');
            await away.locator('text=Test').click();
            await page.waitForSelector('.deliveries li:has-text("503")');
            equal((await axe(page)).join('\n'), '', 'axe of the settings');
            await away.locator('text=Pause').click();
            await away.locator('.tag:has-text("paused")').waitFor();
            assert(await away.locator('text=Test').isDisabled(), 'a paused one is not tested');
            await away.locator('text=Resume').waitFor();
            await shots(page, 'webhooks-light-1440');
            await away.locator('text=Delete').click();
            await page.click('dialog .btn-danger');
            await away.waitFor({ state: 'detached' });
            equal(await page.locator('.webhooks tbody .to').count(), 1, 'webhooks left');
        });

        await check('access: the log of changes says who did it', async () => {
            await page.goto(base + '/audit');
            await page.waitForSelector('.audit tbody tr');
            const rows = await page.locator('.audit tbody').innerText();
            assert(rows.includes('admin person') && rows.includes('/api/v1/tokens'), rows.slice(0, 600));
            assert(!rows.includes(fresh.slice(20)), 'without the token');
            await shots(page, 'audit-light-1440');
        });

        await check('access: with a token that only reads nothing is offered that it may not', async () => {
            const other = await newPage(browser, base, { colorScheme: 'dark', viewport: { width: 390, height: 844 } });
            await other.goto(base + '/');
            await other.waitForSelector('.sign-in');
            await shots(other, 'sign-in-dark-390');
            await signIn(other, made.read);
            await other.waitForSelector('a[href^="/c/"]');
            equal(await other.locator('[data-need=admin]:visible').count(), 0, 'controls of an admin');
            equal(await other.locator('.drop:visible, pre.cmd:visible').count(), 0, 'ways to import');
            const c = await other.locator('a[href^="/c/"]').first().getAttribute('href');
            await other.goto(base + c + '/findings');
            await other.waitForSelector('.triage, .inbox, main');
            await settled(other);
            equal(await other.locator('[data-need=review]:visible').count(), 0, 'controls of a reviewer');
            const asked = [];
            other.on('request', request => request.method() !== 'GET' && asked.push(request.url()));
            for (const key of ['c', 'n', 'u']) await other.keyboard.press(key);
            await other.keyboard.press('?');
            await other.waitForSelector('.keylist');
            assert(!(await other.locator('.keylist').innerText()).includes('confirm'), 'the keys are not listed');
            equal(asked.join(), '', 'keys that change something');
            await other.goto(base + '/settings#tokens');
            await other.waitForSelector('#tokens:has-text("Only a token")');
            await other.waitForSelector('#webhooks:has-text("Only a token")');
            await settled(other);
            equal(await other.locator('a[href="/audit"]:visible').count(), 0, 'links to the log of changes');
            await shots(other, 'settings-read-dark-390');
            const wide = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(wide <= 0, `settings are ${wide} px too wide`);
            other.wrongs = other.wrongs.filter(wrong => !refusals.test(wrong));
            equal(other.wrongs.join('\n'), '', 'console');
            await other.context().close();
        });

        await check('access: with a token for one collection SQL answers of it alone, and nothing of everybody is kept', async () => {
            const ask = (path, body, token = made.admin) =>
                fetch(base + '/api/v1/' + path, { method: 'POST', headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' }, body: JSON.stringify(body) }).then(answer => answer.json());
            await ask('collections', { name: 'beside the sample' });
            const kept = await ask('queries', { name: 'all collections', text: 'SELECT name FROM collections ORDER BY name' });
            const { token } = await ask('tokens', { name: 'reviewer of one', scopes: ['review'], collections: ['beside the sample'] });
            for (const look of [{}, { colorScheme: 'dark', viewport: { width: 390, height: 844 } }]) {
                const other = await newPage(browser, base, look);
                await other.goto(base + '/query?saved=' + kept.id);
                await signIn(other, token);
                await other.waitForSelector('[aria-label="The result"] td:has-text("beside the sample")');
                equal(await other.locator('[aria-label="The result"] tbody tr').count(), 1, 'collections');
                await settled(other);
                equal(await other.locator('.run-bar button:has-text("Save"):visible, [aria-label^="Delete all"]:visible').count(), 0, 'ways to keep or delete a query');
                assert((await other.locator('[aria-label="Queries and views"]').innerText()).includes('judgments'), 'the views are listed');
                await shots(other, `query-bound-${look.colorScheme ?? 'light'}`);
                await other.goto(base + '/query?q=' + encodeURIComponent('SELECT count(*) AS n FROM messages'));
                await other.waitForSelector('[aria-label="The result"] td:has-text("0")');
                await other.goto(base + '/query?q=' + encodeURIComponent('SELECT id FROM main.run'));
                await other.waitForSelector('[aria-label="The result"]:has-text("no such table")');
                await other.goto(base + '/settings');
                for (const panel of ['models', 'tokens', 'webhooks', 'storage']) await other.waitForSelector(`#${panel}:has-text("Only a token with the scope")`);
                await settled(other);
                equal(await other.locator('[role=alert], main button:has-text("Try again")').count(), 0, 'what looks like a failure in the settings');
                await shots(other, `settings-bound-${look.colorScheme ?? 'light'}`);
                other.wrongs = other.wrongs.filter(wrong => !/status of 40[013]/.test(wrong));
                equal(other.wrongs.join('\n'), '', 'console');
                await other.context().close();
            }
            await fetch(base + '/api/v1/collections/beside%20the%20sample', { method: 'DELETE', headers: { authorization: `Bearer ${made.admin}` } });
            const admin = await newPage(browser, base, {});
            await admin.goto(base + '/settings#tokens');
            await signIn(admin, made.admin);
            const row = admin.locator('.tokens tr', { hasText: 'reviewer of one' });
            await row.waitFor();
            assert((await row.innerText()).includes('none (deleted)'), await row.innerText());
            await row.scrollIntoViewIfNeeded();
            await shots(admin, 'token-of-none-light');
            await admin.context().close();
        });

        await check('access: a token that only sends runs is told so in words, and the way to another', async () => {
            for (const look of [{}, { colorScheme: 'dark', viewport: { width: 390, height: 844 } }]) {
                const other = await newPage(browser, base, look);
                await other.goto(base + '/');
                await signIn(other, made.ingest);
                await other.waitForSelector('h1:has-text("This token only sends runs")');
                const words = await other.locator('main').innerText();
                assert(words.includes('scope read') && words.includes(`--to ${base}`) && !words.includes('Try again'), words);
                const wide = await other.evaluate(() => document.documentElement.scrollWidth - innerWidth);
                assert(wide <= 0, `it is ${wide} px too wide`);
                equal((await axe(other)).join('\n'), '', 'axe');
                await shots(other, `sends-only-${look.colorScheme ?? 'light'}`);
                await other.click('button:has-text("another token")');
                await signIn(other, made.read);
                await other.waitForSelector('a[href^="/c/"]');
                other.wrongs = other.wrongs.filter(wrong => !refusals.test(wrong));
                equal(other.wrongs.join('\n'), '', 'console');
                await other.context().close();
            }
        });

        await check('access: what the browser keeps of somebody is gone when they sign out, or another token signs in', async () => {
            const one = await newPage(browser, base);
            const two = await one.context().newPage();
            const asked = base + '/query?' + new URLSearchParams({ q: "SELECT 'words of a collection' AS w" });
            const answered = '[aria-label="The result"] td:has-text("words of a collection")';
            const kept = on => on.evaluate(() => [localStorage, sessionStorage].map(store => Object.keys(store).sort().join()).join(' | '));
            const fill = on =>
                on.evaluate(() => {
                    localStorage.setItem('telltale.theme', 'dark');
                    localStorage.setItem('telltale.rubric.draft', JSON.stringify({ text: 'words', base: 0, note: '', when: '' }));
                    for (const store of [localStorage, sessionStorage]) store.setItem('telltale.labelling', JSON.stringify({ who: 'admin person' }));
                });
            const endSession = () =>
                one.evaluate(async () => {
                    const { csrf } = await (await fetch('/api/v1/session')).json();
                    await fetch('/api/v1/session', { method: 'DELETE', headers: { 'x-telltale-csrf': csrf } });
                });
            await one.goto(asked);
            await signIn(one, made.admin);
            await one.waitForSelector(answered);
            await fill(one);
            await two.goto(asked);
            await two.waitForSelector(answered);

            // The session ends by itself: the same token goes on where it was.
            await endSession();
            await one.click('.run-bar .btn-main');
            await signIn(one, made.admin);
            await one.waitForSelector(answered);
            equal(one.url(), asked, 'address');
            assert((await kept(one)).includes('telltale.queries,telltale.rubric.draft,telltale.theme'), await kept(one));
            // Another token does not.
            await endSession();
            await one.click('.run-bar .btn-main');
            await signIn(one, made.read);
            await one.waitForURL(base + '/');
            await one.waitForSelector('a[href^="/c/"]');
            equal(await kept(one), 'telltale.theme,telltale.whose | telltale.whose', 'kept for another token');
            await one.goto(base + '/query');
            await one.waitForSelector('.cm-content');
            assert(!(await one.content()).includes('words of a collection'), 'the query of somebody else');

            // Nor does what is left behind by signing out, in this tab or another.
            await one.goto(asked);
            await one.waitForSelector(answered);
            await fill(one);
            await two.goto(asked);
            await two.waitForSelector(answered);
            await two.evaluate(token => fetch('/api/v1/session', { method: 'POST', body: JSON.stringify({ token }) }), made.read); // anew, which `one` does not hear of
            await one.click('.account summary');
            await one.click('.account-box button');
            await one.waitForURL(base + '/');
            await one.waitForSelector('.sign-in');
            equal(await kept(one), 'telltale.theme | ', 'kept after signing out');
            await two.waitForSelector('.sign-in');
            await signIn(two, made.admin);
            await two.waitForURL(base + '/');
            await two.waitForSelector('a[href^="/c/"]');
            equal(await kept(two), 'telltale.theme,telltale.whose | telltale.whose', 'kept in the other tab');
            one.wrongs = one.wrongs.filter(wrong => !refusals.test(wrong));
            equal(one.wrongs.join('\n'), '', 'console');
            await one.context().close();
        });

        await check('access: signing out by the keyboard ends it, and the documentation stays open', async () => {
            await page.goto(base + '/');
            await page.focus('.account summary');
            await page.keyboard.press('Enter');
            await page.locator('pre.cmd', { hasText: '--to ' }).waitFor(); // once it is known that the server asks for tokens
            const commands = await page.locator('pre.cmd').allInnerTexts();
            assert(commands[0].includes(`${base}/api/v1/collections`), `the curl without its scheme: ${commands[0]}`);
            assert(commands[1].includes(`--to ${base}`), commands[1]);
            await shots(page, 'account-light-1440');
            await page.keyboard.press('Tab');
            await page.keyboard.press('Enter');
            await page.waitForSelector('.sign-in');
            equal(await page.evaluate(() => fetch('/api/v1/collections').then(answer => answer.status)), 401, 'the session is over');
            await page.click('.sign-in a[href="/docs/access"]');
            await page.waitForSelector('.docs-text h1');
            page.wrongs = page.wrongs.filter(wrong => !refusals.test(wrong));
        });
        equal(page.wrongs.join('\n'), '', 'console');
    } finally {
        await page.context().close();
        listener.close();
        await server.stop();
        rmSync(folder, { recursive: true, force: true });
    }
}
