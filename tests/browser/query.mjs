// SQL in the page: written with completion, run, shown, kept, taken along.
import { readFileSync } from 'node:fs';
import { api, assert, check, equal, newPage } from './harness.mjs';
import { look } from './judging.mjs';

export async function queryChecks(browser, base) {
    const page = await newPage(browser, base);
    const editor = page.locator('.cm-content');
    const write = async text => {
        await editor.click();
        await page.keyboard.press('Control+A');
        await page.keyboard.insertText(text);
    };
    const saveOf = async name => {
        const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name, exact: true }).click()]);
        return readFileSync(await file.path());
    };
    const rows = page.locator('.sql tbody tr:not(.gap-row)');

    await check('a query that stands ready is one click away, with its chart', async () => {
        await page.goto(base + '/query');
        await editor.waitFor();
        await page.getByRole('button', { name: 'Findings by model and kind' }).click();
        await page.locator('svg.plot rect').first().waitFor();
        const wanted = await api(base, '/sql', { method: 'POST', body: JSON.stringify({ query: "SELECT count(*) FROM (SELECT DISTINCT r.model, f.kind FROM findings f JOIN runs r ON r.id = f.run WHERE f.status <> 'dismissed')" }) });
        equal(await page.locator('svg.plot text.in').count(), wanted.rows[0][0], 'cells of the heat map with a number');
        await look(page, 'query');
    });
    await check('the editor completes views and columns, and runs with Ctrl-Enter', async () => {
        await write('SELECT r.ext FROM runs r ORDER BY 1 LIMIT 7');
        await page.keyboard.press('Home');
        for (let i = 0; i < 12; i++) await page.keyboard.press('ArrowRight');
        await page.keyboard.press('Control+Space');
        const option = page.locator('.cm-tooltip-autocomplete li[aria-selected]');
        await option.waitFor();
        equal((await option.innerText()).split(/\s/)[0], 'external_id', 'completion');
        await page.waitForTimeout(100); // CodeMirror takes no key for a completion that was only just shown
        await page.keyboard.press('Tab');
        await page.keyboard.press('Control+Enter');
        await page.getByText('7 rows in').waitFor();
        await page.getByRole('button', { name: 'Table', exact: true }).click();
        equal(await rows.count(), 7, 'rows drawn');
        assert(new URL(page.url()).searchParams.get('q').startsWith('SELECT r.external_id FROM'), page.url());
    });
    await check('a mistake is marked where it is, and one click leads there', async () => {
        await write('SELECT model\nFROM runs\nWHERE modle = 1');
        await page.keyboard.press('Control+Enter');
        await page.getByText('no such column: modle').first().waitFor();
        await page.locator('.cm-lintRange-error').waitFor();
        equal(await page.locator('.cm-lintRange-error').innerText(), 'modle', 'words marked');
        await page.getByRole('button', { name: 'Go to line 3, column 7' }).click();
        await page.keyboard.type('X');
        assert((await editor.innerText()).includes('WHERE Xmodle'), await editor.innerText());
    });
    await check('parameters are asked for, in the order of the query', async () => {
        await write('SELECT :b AS b, ? AS q, :a AS a, :b AS again');
        await page.getByLabel(':b').fill('x');
        await page.getByLabel('?2').fill('2.5');
        await page.keyboard.press('Enter');
        await page.getByText('1 row in').waitFor();
        equal((await rows.first().innerText()).split(/\s+/).join(' '), '1 x 2.5 — x', 'row');
    });
    await check('a long result draws only what is in view, ids lead to their run, long values open', async () => {
        await write("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 5000) SELECT (SELECT id FROM runs) AS run, i, json_object('deep', json_array(1, 2, json_object('x', 'words that are long enough'))) AS v FROM n");
        await page.getByLabel('at most').selectOption('10000');
        await page.keyboard.press('Escape');
        await editor.click();
        await page.keyboard.press('Control+Enter');
        await page.getByText('5,000 rows in').waitFor();
        assert((await rows.count()) < 120, `${await rows.count()} rows drawn`);
        await page.locator('.sql-x').evaluate(box => (box.scrollTop = box.scrollHeight));
        await page.getByText('5,000', { exact: true }).waitFor();
        await page.locator('.sql .as-text').last().click();
        await page.getByRole('dialog').getByText('words that are long enough').waitFor();
        await page.keyboard.press('Escape');
        await page.locator('.sql td a').last().click();
        await page.waitForURL(/\/runs\/[0-9a-f-]{36}$/);
        await page.goBack();
        await page.getByText('5,000 rows in').waitFor();
    });
    await check('bars and lines are drawn and taken along as CSV, JSON and PNG', async () => {
        await write("SELECT column1 AS name, column2 AS n FROM (VALUES ('=a\"b', 1), ('c', 2.5), (NULL, -1))");
        await page.keyboard.press('Control+Enter');
        await page.getByText('3 rows in').waitFor();
        equal((await saveOf('CSV')).toString(), 'name,n\r\n"\'=a""b",1\r\nc,2.5\r\n,-1\r\n', 'CSV');
        equal(JSON.stringify(JSON.parse(await saveOf('JSON'))), '[{"name":"=a\\"b","n":1},{"name":"c","n":2.5},{"name":null,"n":-1}]', 'JSON');
        await page.getByRole('button', { name: 'Bars' }).click();
        equal(await page.locator('svg.plot rect').count(), 3, 'bars');
        const png = await saveOf('PNG');
        equal(png.subarray(1, 4).toString(), 'PNG', 'picture');
        assert(png.length > 3000, `the picture has ${png.length} bytes`);
        await page.getByRole('button', { name: 'Lines' }).click();
        await page.locator('svg.plot path.line').waitFor();
        await page.goBack();
    });
    await check('whole numbers keep all their digits, on the page and taken along; infinity is not NULL', async () => {
        await write('SELECT 9007199254740993 AS n, -9223372036854775807 AS m, 9e999 AS x, NULL AS y');
        await page.keyboard.press('Control+Enter');
        await rows.first().getByText('9007199254740993', { exact: true }).waitFor();
        equal((await rows.first().innerText()).split(/\s+/).join(' '), '1 9007199254740993 -9223372036854775807 Infinity —', 'row');
        equal((await saveOf('CSV')).toString(), 'n,m,x,y\r\n9007199254740993,-9223372036854775807,Infinity,\r\n', 'CSV');
        const json = (await saveOf('JSON')).toString();
        assert(json.includes('"n": 9007199254740993,') && json.includes('"m": -9223372036854775807,') && JSON.parse(json)[0].y === null, json);
        await page.getByRole('button', { name: 'Bars' }).click();
        equal(await page.locator('svg.plot rect').count(), 1, 'bars');
        await page.goBack();
    });
    await check('a query is kept under a name, found again with its chart, changed and deleted', async () => {
        await write('SELECT model, count(*) AS n FROM runs GROUP BY model');
        await page.keyboard.press('Control+Enter');
        await page.locator('.sql-x, svg.plot').first().waitFor();
        await page.getByRole('button', { name: 'Bars' }).click();
        await page.keyboard.press('Control+s');
        await page.getByLabel('Name').fill('By model');
        await page.keyboard.press('Enter');
        await page.getByText('“By model” is kept').waitFor();
        const [kept] = (await api(base, '/queries')).items;
        equal(kept.name + ' ' + kept.chart.type, 'By model bar', 'what is kept');
        await page.goto(`${base}/query?saved=${kept.id}`);
        await page.locator('svg.plot rect').first().waitFor();
        await page.getByRole('button', { name: 'Delete By model' }).click();
        await page.getByText('None yet.').waitFor();
        await page.getByRole('button', { name: 'Undo' }).click();
        await page.getByRole('button', { name: 'Delete By model' }).waitFor();
    });
    await check('a query without end is cancelled at once', async () => {
        await write('WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n');
        await page.keyboard.press('Control+Enter');
        await page.getByRole('button', { name: 'Cancel' }).click();
        await page.getByRole('button', { name: 'Run', exact: true }).waitFor();
    });
    await check('nothing went wrong meanwhile', async () => {
        equal(page.wrongs.filter(w => !w.includes('400 (Bad Request)')).join('\n'), '', 'wrongs');
    });
    await page.context().close();
}
