// Judging in the page, against a model server of our own: connections, judging runs, what judges said, labels by key.
import { all, api, assert, axe, check, equal, newPage, settled, startModel, startServer, SHOTS } from './harness.mjs';
import { askChecks } from './transcript.mjs';

const RUBRIC = 'went-wrong';
const TEXT = `name: ${RUBRIC}
title: Something went wrong
behavior: error-ignored
question: Did a call fail?
counts: [a call that ends with an error]
does_not_count: [words about errors elsewhere]
finding: { when: { answer: ["yes"] }, severity: medium, title: A call failed }
`;

/** Every look that a page may have: nothing wider than the window, nothing that axe calls serious, a clean console. */
export async function look(page, name) {
    for (const colorScheme of ['light', 'dark']) {
        for (const width of [1440, 390]) {
            await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' }); // a colour on its way is no colour
            await page.setViewportSize({ width, height: width < 500 ? 844 : 900 });
            await settled(page);
            await page.screenshot({ path: `${SHOTS}/${name}-${colorScheme}-${width}.png` });
            const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
            assert(over <= 0, `${name}, ${colorScheme} ${width}: wider than the window by ${over} px`);
            equal((await axe(page)).join('\n'), '', `axe, ${name}, ${colorScheme} ${width}`);
        }
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1440, height: 900 });
    equal(page.wrongs.splice(0).join('\n'), '', 'console');
}

export async function until(holds, what) {
    for (const end = Date.now() + 20_000; !(await holds()); await new Promise(done => setTimeout(done, 60)))
        assert(Date.now() < end, `never came true: ${what}`);
}

export const post = (base, path, body) =>
    api(base, path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

export async function judgingChecks(browser, binary, modelless) {
    const bare = await newPage(browser, modelless);
    await check('without a model the settings say in one sentence how to connect one', async () => {
        await bare.goto(modelless + '/settings');
        const panel = bare.getByRole('region', { name: 'Models' });
        await panel.getByText('No model is connected').waitFor();
        await panel.getByRole('button', { name: 'Copy the two lines' }).click();
        const copied = await bare.evaluate(() => navigator.clipboard.readText());
        assert(/TELLTALE_MODEL_URL=http.*\n.*TELLTALE_MODEL=/.test(copied), `copied: ${copied}`);
        await look(bare, 'models-none');
    });
    await bare.context().close();

    const model = await startModel();
    const server = await startServer(binary, {
        TELLTALE_MODEL_URL: model.base + '/v1',
        TELLTALE_MODEL: 'tiny-judge',
        TELLTALE_MODEL_PRICE_IN: '1',
        TELLTALE_MODEL_PRICE_OUT: '2',
    });
    try {
        await post(server.base, '/sample', {});
        await until(
            async () => (await api(server.base, '/jobs')).items.every(job => job.state === 'done'),
            'the sample is there',
        );
        const [collection] = await all(server.base, '/collections');
        await post(server.base, '/rubrics', { text: TEXT });
        await connectionChecks(browser, server.base, model);
        const judged = await judgeChecks(browser, server.base, collection, model);
        await saidChecks(browser, server.base, judged);
        await askChecks(browser, server.base, judged.plain.run.id);
        await labelChecks(browser, server.base, collection);
    } finally {
        await server.stop();
        model.stop();
    }
}

async function connectionChecks(browser, base, model) {
    const page = await newPage(browser, base);
    const panel = page.getByRole('region', { name: 'Models' });
    await check('a connection is tested: what works, and in words what does not', async () => {
        await page.goto(base + '/settings');
        const row = panel.getByRole('row').filter({ hasText: 'environment' });
        await row.getByText('default').waitFor();
        await panel.getByRole('button', { name: 'Test env' }).click();
        await panel.getByText(/^It works:/).waitFor();
        await panel.getByText('log-probabilities').first().waitFor();
        await model.plan({ key: 'another' });
        await panel.getByRole('button', { name: 'Test env' }).click();
        const bad = panel.locator('.said-row', { hasText: 'It does not work:' });
        await bad.waitFor();
        assert(/key/i.test(await bad.innerText()), `said: ${await bad.innerText()}`);
        equal((await bad.innerText()).match(/not work/g).length, 1, 'times that it says so');
        await model.plan({ key: null });
        await look(page, 'models');
    });
    await check('a connection of the page is added, kept from private addresses, edited and deleted', async () => {
        await page.goto(base + '/settings');
        await panel.getByRole('button', { name: 'Add a connection' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill('lab');
        await dialog.getByLabel('Base URL').fill(model.base + '/v1');
        await dialog.getByLabel('Model').fill('tiny-judge');
        await dialog.getByLabel('Price in').fill('0.5');
        await dialog.getByLabel('Price out').fill('2');
        await dialog.getByRole('button', { name: 'Test' }).click();
        await dialog.getByText('It does not work:').waitFor();
        const told = dialog.getByRole('region', { name: 'For whoever runs Telltale' });
        await told.getByRole('button', { name: 'Copy the lines for telltale.yaml' }).click();
        equal(
            await page.evaluate(() => navigator.clipboard.readText()),
            `models:\n  default: "lab"\n  "lab": { url: "${model.base}/v1", model: "tiny-judge", price: { in: 0.5, out: 2 } }`,
            'lines for telltale.yaml',
        );
        await told.getByRole('button', { name: 'Copy the environment' }).click();
        equal(
            await page.evaluate(() => navigator.clipboard.readText()),
            `export TELLTALE_MODEL_URL=${model.base}/v1\nexport TELLTALE_MODEL=tiny-judge`,
            'lines for the environment',
        );
        assert(await dialog.getByRole('button', { name: 'Save' }).isDisabled(), 'it can be saved');
        equal(await dialog.getByText(/llama\.cpp|Ollama/).count(), 0, 'servers that cannot be added here');
        await look(page, 'model-form');
        await dialog.getByLabel('Base URL').fill('https://models.invalid/v1');
        await dialog.getByRole('button', { name: 'Save' }).click();
        await panel.getByText('0.5 in, 2 out').waitFor();
        const stored = async () => (await api(base, '/models')).items.find(m => m.name === 'lab');
        equal((await stored()).url, 'https://models.invalid/v1', 'url');
        await panel.getByRole('button', { name: 'Edit lab' }).click();
        await page.getByRole('dialog').getByLabel('Price in').fill('0.7');
        await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
        await panel.getByText('0.7 in, 2 out').waitFor();
        await panel.getByRole('button', { name: 'Delete lab' }).click();
        await panel.getByRole('button', { name: 'Delete lab' }).click();
        await until(async () => !(await stored()), 'the connection is gone');
    });
    await page.context().close();
}

const HOSTILE = '<img src=x onerror="window.__ran=1"><script>window.__ran=2</script>\u202eevil';

/** Judges six runs from the table; gives one that was flagged and one that was not. */
async function judgeChecks(browser, base, collection, model) {
    const page = await newPage(browser, base);
    const judgments = () => all(base, `/judgments?collection=${collection.id}`);
    await check('chosen runs are judged: an estimate first, then the job with what it spent', async () => {
        await page.goto(`${base}/c/${collection.name}/runs`);
        await page.locator('.dense .row').first().waitFor();
        for (let i = 0; i < 6; i++) {
            await page.keyboard.press('x');
            await page.keyboard.press('j');
        }
        await page.getByRole('group', { name: 'Selection' }).getByRole('button', { name: 'Judge…' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Rubric').selectOption(RUBRIC);
        await dialog.locator('.estimate').getByText('runs 6').waitFor();
        await dialog.getByText('Samples').locator('..').getByRole('combobox').selectOption('3');
        await dialog.locator('.estimate').getByText('calls 18').waitFor();
        await look(page, 'judge-dialog');
        await dialog.getByRole('button', { name: 'Judge 6 runs' }).click();
        await page.getByRole('button', { name: 'watch' }).click();
        await page.waitForURL('**/jobs');
        const job = page.getByRole('region', { name: 'Jobs' }).getByRole('row').filter({ hasText: 'judge' });
        await job.getByText('done', { exact: true }).waitFor();
        await job.getByText('18 calls').waitFor();
        await job.getByRole('link', { name: collection.name }).waitFor();
        equal((await judgments()).length, 6, 'judgments');
        await look(page, 'jobs-judge');
    });
    await check('runs judged alike before are left out, and said to be', async () => {
        await page.goto(`${base}/c/${collection.name}/runs`);
        await page.locator('.dense .row').first().waitFor();
        await page.getByText('All of these').click();
        await page.getByRole('button', { name: 'Judge…' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Rubric').selectOption(RUBRIC);
        await dialog.getByText('Samples').locator('..').getByRole('combobox').selectOption('3');
        await dialog.getByText('6 runs judged alike before').waitFor();
        await page.keyboard.press('Escape');
    });
    await check('a cap that is no number is told so, and nothing can start', async () => {
        await page.getByText('All of these').click();
        await page.getByRole('button', { name: 'Judge…' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Rubric').selectOption(RUBRIC);
        await dialog.getByLabel('Cap, USD').fill('-1');
        await dialog.getByText('The cap is a number above 0.').waitFor();
        assert(await dialog.getByRole('button', { name: 'Judge', exact: true }).isDisabled(), 'the button works');
        await page.keyboard.press('Escape');
    });
    await page.context().close();
    const done = await judgments();
    // A reply that is no JSON: of another rubric, as what was answered once is not asked again.
    const hostile = done[0].run.id;
    await post(base, '/rubrics', { text: TEXT.replaceAll(RUBRIC, 'went-badly').replace('Did a call', 'Did any call') });
    await model.plan({ answers: [{ contains: '', text: `no JSON ${HOSTILE}` }] });
    await post(base, '/judgments', { rubric: 'went-badly', collection: collection.id, ids: [hostile] });
    await until(async () => (await api(base, `/judgments?run=${hostile}&state=failed`)).items.length === 1, 'judged');
    await model.plan({ answers: [] });
    return { flagged: done.find(j => j.flagged), plain: done.find(j => !j.flagged), failed: hostile };
}

async function saidChecks(browser, base, { flagged, failed }) {
    const page = await newPage(browser, base);
    const row = text => page.locator('.judgments li', { hasText: text }).first();
    await check('the reader says what judges said, and shows their quotes in the words', async () => {
        await page.goto(`${base}/runs/${flagged.run.id}`);
        const said = row(flagged.decision);
        await said.getByRole('button').first().click();
        await said.locator('.quotes button').first().click();
        await page.locator('mark.ev.now').first().waitFor();
        await page
            .locator('.note.now', { hasText: `judge:${RUBRIC}@` })
            .first()
            .waitFor();
        await said.getByText('3 of 3 samples').waitFor();
        await look(page, 'judgments');
    });
    await check('a failed judgment is failed, never "no", and its raw reply is text', async () => {
        await page.goto(`${base}/runs/${failed}`);
        const said = row('failed');
        await said.getByRole('button').first().click();
        await said.getByText('This is no “no”').waitFor();
        await said.getByText('What came instead of an answer').click();
        await said.getByText('<script>window.__ran=2</script>').waitFor();
        equal(await page.evaluate(() => window.__ran ?? 0), 0, 'what ran');
        await look(page, 'judgment-failed');
    });
    await page.context().close();
}

async function labelChecks(browser, base, collection) {
    const page = await newPage(browser, base);
    const labels = set => all(base, `/labels?set=${set}`);
    const bar = page.getByRole('region', { name: 'Label', exact: true });
    const [judged] = await all(base, `/judgments?collection=${collection.id}`);
    await check('a set is made from a rubric, and a name given once', async () => {
        await page.goto(`${base}/runs/${judged.run.id}`);
        await page.locator('.jrow').first().waitFor();
        await page.keyboard.press('l');
        await bar.getByRole('button', { name: 'New set' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill('by-hand');
        await dialog.getByLabel('Asks').selectOption('rubric');
        await dialog.getByLabel('Rubric').selectOption(RUBRIC);
        await dialog.getByRole('button', { name: 'Make the set' }).click();
        await dialog.waitFor({ state: 'detached' });
        const name = bar.getByRole('textbox', { name: 'Your name' });
        await name.fill('Ada');
        await name.press('Enter');
        await bar.getByRole('group', { name: 'answer' }).waitFor();
        await look(page, 'label-bar');
    });
    await check('judges are not heard before one’s own label, and are after it', async () => {
        equal(await page.locator('.jrow').count(), 0, 'judgments shown before the label');
        await page.keyboard.press('1');
        await page.keyboard.press('Enter');
        await bar.getByText('you said').waitFor();
        await page.locator('.jrow').first().waitFor();
        const [label] = await labels('by-hand');
        equal(`${label.who} ${label.run}`, `Ada ${judged.run.id}`, 'label');
        assert(label.value.answer, `value: ${JSON.stringify(label.value)}`);
    });
    await check('runs are labelled one after another by keys alone, and u takes one back', async () => {
        const seen = new Set([judged.run.id]);
        for (let i = 0; i < 3; i++) {
            const before = page.url();
            await page.keyboard.press('J');
            await page.waitForURL(url => url.href !== before);
            await bar.getByText('what others said is shown after your own').waitFor();
            await page.keyboard.press('2');
            await page.keyboard.press('Enter');
            await bar.getByText('you said').waitFor();
            seen.add(new URL(page.url()).pathname.split('/')[2]);
        }
        equal(seen.size, 4, 'different runs');
        equal((await labels('by-hand')).length, 4, 'labels');
        await page.keyboard.press('u');
        await until(async () => (await labels('by-hand')).length === 3, 'the last label is gone');
        await bar.getByText('what others said is shown after your own').waitFor();
    });
    await check('selected words are the label’s evidence', async () => {
        const text = page.locator('.msg [data-part=text] [data-o]').first();
        await text.selectText();
        await bar.locator('.lb-evidence').waitFor();
        await page.evaluate(() => getSelection().removeAllRanges());
        await page.keyboard.press('1');
        await page.keyboard.press('Enter');
        await bar.getByText('you said').waitFor();
        const id = new URL(page.url()).pathname.split('/')[2];
        const label = (await labels('by-hand')).find(l => l.run === id);
        const { message, part, start, end, quote } = label.value.evidence;
        const { items } = await api(base, `/runs/${id}/messages?transcript=0&from=${message}&limit=1`);
        equal(Buffer.from(items[0][part]).subarray(start, end).toString(), quote, 'the bytes that the evidence names');
    });
    await check('a selection of the table is the queue, and its end is told', async () => {
        await page.goto(`${base}/c/${collection.name}/runs?sort=-messages`);
        await page.locator('.dense .row').first().waitFor();
        for (let i = 0; i < 2; i++) {
            await page.keyboard.press('x');
            await page.keyboard.press('j');
        }
        await page.getByRole('button', { name: 'Label…' }).click();
        for (let i = 0; i < 2; i++) {
            await bar.getByText(`of 2 labelled`).waitFor();
            if (!(await bar.getByText('you said').count())) {
                await page.keyboard.press('1');
                await page.keyboard.press('Enter');
                await bar.getByText('you said').waitFor();
            }
            await page.keyboard.press('J');
            if (i === 0) await page.waitForURL(url => !url.href.includes('never'));
        }
        await page.getByText('All 2 runs of the selection are labelled').waitFor();
    });
    await check('a set of behaviours takes several rows a run, and none', async () => {
        await bar.getByRole('button', { name: 'New set' }).click();
        const dialog = page.getByRole('dialog');
        await dialog.getByLabel('Name').fill('seen');
        await dialog.getByLabel('Asks').selectOption('behaviours');
        await dialog.getByRole('button', { name: 'Make the set' }).click();
        await bar
            .getByRole('textbox', { name: 'Behaviour' })
            .or(bar.getByRole('combobox', { name: 'Behaviour' }))
            .waitFor();
        await page.keyboard.press('Enter');
        await page.keyboard.type('gave-up');
        await page.keyboard.press('Enter');
        await bar.locator('.tag', { hasText: 'gave-up' }).waitFor();
        await page.keyboard.type('missing-program');
        await bar.getByRole('button', { name: 'borderline' }).click();
        await bar.getByRole('button', { name: 'Add' }).click();
        await bar.locator('.tag', { hasText: 'missing-program' }).waitFor();
        const rows = (await labels('seen')).map(l => `${l.value.behavior} ${l.value.strength}`).sort();
        equal(rows.join(', '), 'gave-up clear, missing-program borderline', 'rows');
        await look(page, 'label-behaviours');
        await bar.getByRole('button', { name: 'Remove gave-up' }).click();
        await until(async () => (await labels('seen')).length === 1, 'the row is gone');
    });
    equal(page.wrongs.join('\n'), '', 'console');
    await page.context().close();
}
