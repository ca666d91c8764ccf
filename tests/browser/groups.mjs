// Two groups of runs, and the map of all: compared, drawn round, tagged, reached by keys alone.
import { all, api, assert, axe, check, equal, newPage, settled, startServer } from './harness.mjs';
import { look, post, until } from './judging.mjs';

const HOSTILE = '<img src=x onerror="window.__ran=1">\u202eevil';
const MODELS = ['old', HOSTILE];

function runs() {
    const rows = [];
    for (let t = 0; t < 16; t++)
        for (const model of MODELS)
            for (let attempt = 1; attempt <= 2; attempt++) {
                const better = model === HOSTILE;
                const tools = t % 2 ? ['search', 'open'] : ['read', 'write'];
                const calls = [...tools, ...(better ? ['check'] : [])].map((name, i) => ({
                    id: `c${i}`,
                    type: 'function',
                    function: { name, arguments: JSON.stringify({ q: `${HOSTILE} ${t} ${i}` }) },
                }));
                rows.push({
                    id: `t${t}-${better ? 'b' : 'a'}-${attempt}`,
                    task_id: `task ${t}`,
                    model,
                    attempt,
                    success: better ? t < 14 : t < 4,
                    metadata: { build: better ? 'two' : 'one' },
                    messages: [
                        { role: 'user', content: `do ${t}` },
                        ...calls.flatMap(call => [
                            { role: 'assistant', content: `${t % 2 ? 'looking around the web' : 'editing the file'}`, tool_calls: [call] },
                            { role: 'tool', tool_call_id: call.id, content: 'ok' },
                        ]),
                        { role: 'assistant', content: 'done' },
                    ],
                });
            }
    return rows.map(row => JSON.stringify(row)).join('\n');
}

export async function groupChecks(browser, binary) {
    const server = await startServer(binary);
    const page = await newPage(browser, server.base);
    try {
        await post(server.base, '/collections', { name: 'c' });
        await api(server.base, '/collections/c/uploads?filename=runs.jsonl&wait=30', { method: 'POST', body: runs() });
        await comparing(page, server.base);
        await drawing(page, server.base);
        await check('nothing of a hostile name ran, nothing went wrong', async () => {
            equal(await page.evaluate(() => window.__ran), undefined, 'scripts that ran');
            equal(page.wrongs.join('; '), '', 'what went wrong');
        });
    } finally {
        await page.context().close();
        await server.stop();
    }
}

async function comparing(page, base) {
    const panel = name => page.getByRole('region', { name, exact: true });
    await check('two models are compared at once, in a sentence and task by task', async () => {
        await page.goto(base + '/c/c/compare?by=model&a=old&b=' + encodeURIComponent(HOSTILE));
        await page.locator('.lead-22').waitFor();
        const said = await page.locator('.lead-22').innerText();
        assert(/passes more: 87\.5 % against 25\.0 %/.test(said) && /\+62\.5 points/.test(said), said);
        equal(await panel('Outcome').locator('.winbar .wins b').innerText(), '10', 'tasks where the second is better');
        await panel('Outcome').getByRole('button', { name: /6 same/ }).click();
        equal(await panel('Outcome').locator('.cmp-tasks tbody tr').count(), 6, 'tasks that are the same');
    });
    await check('what changed is listed with how sure it is', async () => {
        const rows = panel('What changed').locator('tbody tr');
        assert(/tool calls|messages/.test(await rows.first().innerText()), await rows.first().innerText());
        equal(await panel('What changed').getByText('< 0.001').count(), await rows.count(), 'rows that are sure');
    });
    await check('a bar of the contrast opens to runs, at the call', async () => {
        const item = panel('What one does and the other does not').getByRole('button', { name: /check/ }).first();
        await item.click();
        const to = await page.locator('.shown-runs a').first().getAttribute('href');
        assert(/^\/runs\/[0-9a-f-]{36}#m\d+$/.test(to), to);
        await look(page, 'compare-groups');
    });
    await check('a length that one group has is a click away from its runs', async () => {
        const row = panel('What one does and the other does not').locator('a.had').filter({ hasText: /or more (messages|tool calls)/ }).first();
        const query = new URL(await row.getAttribute('href'), base).search;
        assert(/range\.(messages|calls)=\d+\.\./.test(query) && query.includes('model='), query);
        const { total } = await api(base, `/collections/c/runs${query}&count=1&limit=1`);
        assert(total > 0, 'runs behind the row');
    });
    await check('two groups without a shared task are compared unpaired, and it is said', async () => {
        const [one, two] = (await api(base, '/collections/c/tasks?limit=2')).items.map(task => encodeURIComponent(task.task_id));
        const here = page.url();
        await page.goto(`${base}/c/c/compare?by=task&a=${one}&b=${two}`);
        await page.getByText('Unpaired, over all their runs').waitFor();
        await page.getByText('unpaired: Fisher’s exact test').waitFor();
        await page.goto(here);
        await page.locator('.lead-22').waitFor();
    });
    await check('by keys: swapped, and grouped by a field of the metadata', async () => {
        await page.keyboard.press('s');
        await settled(page);
        assert(new URL(page.url()).searchParams.get('b') === 'old', page.url());
        assert((await page.locator('.lead-22').innerText()).includes('passes more: 87.5 %'), 'the better one is still named');
        await page.getByLabel('Compare by').selectOption('meta.build');
        await settled(page);
        equal(await page.locator('.sides tbody tr').count(), 2, 'groups');
        const link = await panel('Outcome').locator('.sides a').first().getAttribute('href');
        assert(link.includes('/c/c/runs?meta.build='), link);
    });
}

async function drawing(page, base) {
    const selection = page.getByRole('region', { name: 'Selection', exact: true });
    const ink = () =>
        page.evaluate(() => {
            const canvas = document.querySelector('.plane canvas');
            const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
            let n = 0;
            for (let i = 3; i < data.length; i += 4) n += data[i] > 0;
            return n;
        });
    await check('a map is drawn on the first visit', async () => {
        await page.goto(base + '/c/c/map');
        await page.locator('.plane canvas').waitFor();
        await settled(page);
        assert((await ink()) > 20, 'nothing is drawn');
        equal((await api(base, '/jobs')).items.filter(job => job.kind === 'map').length, 1, 'jobs that drew');
        equal(await page.locator('.legend-list li').count(), 2, 'colours');
    });
    await check('a line round all selects them; they are tagged and compared with the others', async () => {
        await page.getByRole('checkbox').nth(1).uncheck();
        const box = await page.locator('.plane').boundingBox();
        const corners = [
            [2, 2],
            [box.width - 3, 2],
            [box.width - 3, box.height - 3],
            [2, box.height - 3],
        ];
        await page.mouse.move(box.x + 2, box.y + 2);
        await page.mouse.down();
        for (const [x, y] of corners) await page.mouse.move(box.x + x, box.y + y, { steps: 4 });
        await page.mouse.up();
        equal(await selection.getByRole('heading').innerText(), '32 runs selected', 'what is selected');
        await page.getByLabel('Colour by').selectOption('success');
        await page.getByRole('region', { name: 'Colours' }).getByText('passed').waitFor();
        equal(await selection.getByRole('heading').innerText(), '32 runs selected', 'what is selected in other colours');
        await page.goBack();
        await page.getByRole('region', { name: 'Colours' }).getByText('old', { exact: true }).waitFor();
        await look(page, 'map');
        await selection.getByLabel('Tag for the selected runs').fill('mine');
        await page.keyboard.press('Enter');
        await selection.getByRole('link', { name: 'Compare with the others' }).waitFor();
        equal((await all(base, '/collections/c/runs?tag=mine')).length, 32, 'runs tagged');
        await selection.getByRole('link', { name: 'Compare with the others' }).click();
        await page.locator('.lead-22').waitFor();
        assert((await page.locator('.lead-22').innerText()).includes('mine'), 'the tag is compared');
    });
    await check('by keys alone: a part of the map, closer, whole again, cleared', async () => {
        await page.goBack();
        await page.locator('.cells button').first().waitFor();
        await page.locator('.cells button').first().focus();
        await page.keyboard.press('Enter');
        assert(/\d+ runs selected/.test(await selection.getByRole('heading').innerText()), 'nothing is selected');
        await page.keyboard.press('Escape');
        equal(await selection.getByRole('heading').innerText(), 'Selection', 'after Esc');
        const before = await ink();
        for (let i = 0; i < 6; i++) await page.keyboard.press('+');
        await page.waitForTimeout(60);
        assert((await ink()) !== before, 'the picture is the same from near');
        await page.keyboard.press('0');
        await page.waitForTimeout(60);
        equal(await ink(), before, 'the picture after 0');
    });
    await check('coloured by a number, and the old map stays while a new one is drawn', async () => {
        await page.getByLabel('Colour by').selectOption('calls');
        await settled(page);
        assert((await page.locator('.legend-list li').count()) >= 1, 'no colours');
        await api(base, '/collections/c/uploads?filename=more.jsonl&wait=30', { method: 'POST', body: runs().split('\n')[0].replace('t0-a-1', 'late') });
        await page.reload();
        await until(async () => (await api(base, '/collections/c/map')).runs.length === 65, 'the map is drawn anew');
        await page.getByText('65 runs').first().waitFor();
        for (const colorScheme of ['light', 'dark']) {
            await page.emulateMedia({ colorScheme });
            equal((await axe(page)).join('; '), '', `axe, ${colorScheme}`);
        }
        await page.emulateMedia({ colorScheme: 'light' });
    });
}
