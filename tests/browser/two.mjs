// Two runs side by side: aligned, walked with keys, what differs shown word by word.
import { all, api, assert, check, equal, newPage } from './harness.mjs';
import { look } from './judging.mjs';

const call = (id, name, args, result) => [
    { role: 'assistant', content: '', tool_calls: [{ id, function: name, arguments: args }] },
    { role: 'tool', tool_call_id: id, function: name, content: result },
];
const run = (id, success, ...messages) => JSON.stringify({ id, task_id: 'mend', model: 'm', success, transcripts: [{ messages: messages.flat() }] });

export async function twoChecks(browser, base) {
    const many = Array.from({ length: 400 }, (_, i) => call('m' + i, 'read', { file: `f${i}` }, 'words '.repeat(20))).flat();
    const lines = [
        run('left', false, { role: 'user', content: 'Mend the build.' }, { role: 'assistant', content: 'I look first.' }, call('1', 'bash', { cmd: 'ls -l src' }, 'a.c\nb.c'),
            call('2', 'bash', { cmd: 'make one' }, 'error: one'), call('3', 'edit', { file: 'a.c' }, 'done'), many, { role: 'assistant', content: 'It is mended.' }),
        run('right', true, { role: 'user', content: 'Mend the build.' }, { role: 'assistant', content: 'Let me look first.' }, call('1', 'bash', { cmd: 'ls -l src' }, 'a.c\nc.c'),
            call('2', 'bash', { cmd: 'make two' }, 'ok: two'), many, { role: 'assistant', content: 'It is mended.' }),
    ];
    await api(base, '/collections', { method: 'POST', body: JSON.stringify({ name: 'twins' }) });
    await api(base, '/collections/twins/uploads?filename=twins.jsonl&wait=20', { method: 'POST', body: lines.join('\n') });
    const runs = await all(base, '/collections/twins/runs');
    const id = name => runs.find(r => r.external_id === name).id;
    const page = await newPage(browser, base);
    const open = page.locator('.beside-rows li.open');
    await check('two runs are aligned, and where they part is framed', async () => {
        await page.goto(`${base}/compare?a=${id('left')}&b=${id('right')}`);
        await page.getByText('402 steps the same, 3 differ, 1 only in A, 0 only in B. They part at step 4.').waitFor();
        equal(await page.locator('.parts .differs').allInnerTexts().then(t => t.join(' ')), 'one two', 'words that differ where they part');
        assert((await page.locator('.beside-rows li').count()) < 120, 'rows drawn');
    });
    await check('n and p walk what they do otherwise, and open it word by word', async () => {
        await page.keyboard.press('n');
        await open.locator('mark.a').first().waitFor();
        equal((await open.locator('pre').nth(1).locator('mark').allInnerTexts()).join(' '), 'two', 'words of B that are new in the arguments');
        equal(new URL(page.url()).searchParams.get('step'), '3', 'step in the address');
        await open.getByRole('button', { name: 'as values' }).click();
        const tree = open.getByRole('tree', { name: 'arguments: what differs' });
        assert(/one[^]*two/.test(await tree.innerText()), await tree.innerText());
        await open.getByRole('button', { name: 'as values' }).click();
        await look(page, 'compare-runs');
        await page.keyboard.press('n');
        await open.getByRole('button', { name: 'Step 5: only in A' }).waitFor();
        await page.keyboard.press('p');
        await open.getByRole('button', { name: 'Step 4: arguments and result differ, where they part' }).waitFor();
        await page.keyboard.press('Escape');
        equal(await open.count(), 0, 'open steps');
    });
    await check('all that differs may be walked too; a step leads to its place in the run', async () => {
        await page.getByLabel('stop at').selectOption('all');
        await page.getByRole('button', { name: 'Next' }).click();
        await open.getByRole('button', { name: 'Step 2: words differ' }).waitFor();
        equal((await open.locator('mark.a').allInnerTexts()).join('').trim(), 'Let me', 'words that came');
        await open.getByRole('link', { name: 'M1' }).last().click();
        await page.waitForURL(url => url.pathname === '/runs/' + id('right') && url.hash === '#m1');
        await page.goBack();
        await page.getByRole('link', { name: 'Swap' }).click();
        await page.getByText('0 only in A, 1 only in B').waitFor();
    });
    await check('an unknown run, and none, say what to do', async () => {
        equal(page.wrongs.join('\n'), '', 'wrongs');
        await page.goto(`${base}/compare?a=${id('left')}&b=00000000-0000-4000-8000-000000000000`);
        await page.getByText('there is no run').first().waitFor();
        await page.goto(base + '/compare');
        await page.getByText('Select two runs in a list').waitFor();
    });
    await page.context().close();
}
