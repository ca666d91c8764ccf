// Rubrics in the page: read, written, tried, run, and how far their answers agree with people.
import { all, api, assert, check, equal, newPage, settled, startModel, startServer } from './harness.mjs';
import { look, post, until } from './judging.mjs';

const HOSTILE = '<img src=x onerror="window.__ran=1"><script>window.__ran=2</script>\u202eevil';
const TEXT = `name: says-error
title: Says error
behavior: error-ignored
question: Does a message say that something failed? ${HOSTILE.replace('\u202e', '')}
counts:
  - a message that reports a failure
does_not_count:
  - a plan for the case of a failure
finding: { when: { answer: ["yes"] }, severity: high, title: Something failed }
unsure: whether it mattered
`;

export async function rubricChecks(browser, binary, modelless) {
    await withoutModel(browser, modelless);
    const model = await startModel();
    const server = await startServer(binary, {
        TELLTALE_MODEL_URL: model.base + '/v1',
        TELLTALE_MODEL: 'tiny-judge',
        TELLTALE_MODEL_PRICE_IN: '1',
        TELLTALE_MODEL_PRICE_OUT: '2',
    });
    try {
        await post(server.base, '/sample', {});
        await until(async () => (await api(server.base, '/jobs')).items.every(job => job.state === 'done'), 'the sample is there');
        const [collection] = await all(server.base, '/collections');
        const where = '?collection=' + encodeURIComponent(collection.name);
        await writingChecks(browser, server.base, where);
        await runningChecks(browser, server.base, collection, where, model);
        await agreementChecks(browser, server.base, collection, where);
        await helpChecks(browser, server.base, where, model);
        await jobChecks(browser, server.base, collection, where, model);
    } finally {
        await server.stop();
        model.stop();
    }
}

async function withoutModel(browser, base) {
    const page = await newPage(browser, base);
    await check('without a model rubrics are read and checked, and one sentence says how to connect one', async () => {
        const shipped = await all(base, '/rubrics');
        await page.goto(base + '/judges');
        await page.locator('.rubric-table tbody tr').first().waitFor();
        equal(await page.locator('.rubric-table tbody tr').count(), shipped.length, 'rubrics listed');
        equal(await page.getByText('No model is connected:').count(), 1, 'sentences about the model');
        equal(await page.locator('.by-model').count(), 0, 'figures of what nobody measured');
        await look(page, 'rubrics-none');
        const one = shipped.find(r => r.name === 'near-miss') ?? shipped[0];
        await page.getByRole('link', { name: one.title, exact: true }).click();
        await page.getByRole('region', { name: 'The rubric' }).getByText(one.question, { exact: true }).waitFor();
        equal(await page.getByRole('region', { name: 'Try' }).count(), 0, 'ways to judge');
        await look(page, 'rubric-none');
        await page.keyboard.press('e');
        await page.getByText('The text is a rubric.').waitFor();
        await page.getByRole('button', { name: 'Leave' }).click();
        await page.keyboard.press('g');
        await page.getByRole('region', { name: 'No labels yet' }).waitFor();
        await look(page, 'agreement-none');
    });
    await page.context().close();
}

async function writingChecks(browser, base, where) {
    const page = await newPage(browser, base);
    const text = page.getByLabel('The rubric as YAML');
    const problems = page.locator('.problems');
    await check('a new rubric begins with a template that is one', async () => {
        await page.goto(base + '/judges' + where);
        await page.getByRole('button', { name: 'New rubric' }).click();
        await look(page, 'rubric-new');
        await page.getByRole('button', { name: 'Begin with a template' }).click();
        await problems.getByText('The text is a rubric.').waitFor();
    });
    await check('what is wrong is told while one types, at its line, and leads there', async () => {
        await text.fill(TEXT.replace('question:', 'qestion:'));
        const place = problems.getByRole('button', { name: /^line 4, column/ }).first();
        await place.waitFor();
        assert(await page.getByRole('button', { name: /^Save/ }).isDisabled(), 'it can be saved');
        await place.click();
        equal(await page.evaluate(() => document.activeElement.value?.slice(0, document.activeElement.selectionStart).split('\n').length), 4, 'line');
        await look(page, 'rubric-problem');
    });
    await check('a draft outlives a reload, and is a rubric when it is saved', async () => {
        await text.fill(TEXT);
        await problems.getByText('The text is a rubric.').waitFor();
        await page.reload();
        equal(await text.inputValue(), TEXT, 'text after the reload');
        await page.getByRole('button', { name: /^Save/ }).click();
        await page.waitForURL('**/judges/says-error?*');
        await page.getByRole('region', { name: 'The rubric' }).getByText('a message that reports a failure').waitFor();
        equal((await api(base, '/rubrics/says-error')).version, 1, 'version');
        equal(await page.evaluate(() => window.__ran), undefined, 'what hostile words ran');
        equal(await page.getByText('unsaved changes').count(), 0, 'drafts left');
    });
    await check('an edit is a version that says what changed; another one’s version is never written over unseen', async () => {
        await page.keyboard.press('e');
        await text.fill((await text.inputValue()).replace('reports a failure', 'reports a failure or an error'));
        const theirs = (await api(base, '/rubrics/says-error')).text.replace('whether it mattered', 'whether it matters');
        await api(base, '/rubrics/says-error', {
            method: 'PUT',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ text: theirs, base: 1, author: 'ann', note: 'grammar' }),
        });
        await problems.getByText('The text is a rubric.').waitFor();
        await page.keyboard.press('Control+s');
        const told = page.getByRole('alert').filter({ hasText: 'Version 2 was saved by ann while you wrote' });
        await told.waitFor();
        await told.locator('.text-diff .a', { hasText: 'or an error' }).waitFor();
        await told.locator('.text-diff .d', { hasText: 'whether it matters' }).waitFor();
        page.wrongs.length = 0; // the refusal is on the console, too
        await look(page, 'rubric-conflict');
        await told.getByRole('button', { name: 'Save mine as version 3' }).click();
        const versions = page.getByRole('region', { name: 'Versions', exact: true });
        await versions.getByRole('link', { name: 'v3' }).waitFor();
        await versions.getByRole('button', { name: 'changes of version 3' }).click();
        await versions.locator('.text-diff .a', { hasText: 'or an error' }).waitFor();
        equal((await all(base, '/rubrics/says-error/versions')).map(v => v.version).join(), '3,2,1', 'versions');
        await look(page, 'rubric-versions');
    });
    await page.context().close();
}

async function runningChecks(browser, base, collection, where, model) {
    const page = await newPage(browser, base);
    const open = async () => {
        await page.goto(`${base}/judges/says-error${where}`);
        await page.getByRole('region', { name: 'Judge runs' }).waitFor();
        await settled(page);
    };
    await check('a try on five runs stores nothing; a failed answer is failed, with what was sent', async () => {
        await open();
        await model.plan({ faults: { malformed: 0.4 }, seed: 3 });
        await page.getByRole('button', { name: 'Try', exact: true }).click();
        const tried = page.getByRole('region', { name: 'Tried' });
        await tried.waitFor({ timeout: 60_000 });
        equal(await tried.locator('.tries > li').count(), 5, 'runs tried');
        await look(page, 'rubric-tried');
        await model.plan({ faults: {} });
        equal((await all(base, `/judgments?rubric=says-error`)).length, 0, 'judgments stored');
    });
    await check('runs of a filter are estimated, judged and watched; the answers are listed', async () => {
        await open();
        await page.getByLabel('Only runs like').fill('success:false');
        const wanted = (await all(base, `/collections/${collection.id}/runs?success=false`)).length;
        await page.getByRole('button', { name: `Judge ${wanted} runs` }).waitFor();
        await page.getByLabel('At most, runs').fill('12');
        await page.getByRole('button', { name: 'Judge 12 runs' }).click();
        const job = page.getByRole('region', { name: 'The job' });
        await job.getByText('Done', { exact: true }).waitFor({ timeout: 60_000 });
        await job.getByText('12 of 12 runs').waitFor();
        const judgments = await all(base, '/judgments?rubric=says-error');
        equal(judgments.length, 12, 'judgments');
        const answers = page.getByRole('region', { name: 'Answers' });
        await answers.getByRole('link', { name: 'all 12' }).waitFor();
        const flagged = judgments.filter(j => j.flagged).length;
        await answers.getByRole('link', { name: `flagged ${flagged}` }).click();
        await page.waitForFunction(n => document.querySelectorAll('.answers tbody tr').length === n, flagged);
        assert(flagged > 0, 'no run of the sample says that something failed');
        await answers.getByRole('button', { name: 'show' }).first().click();
        const href = await answers.locator('.quotes a').first().getAttribute('href');
        assert(/^\/runs\/[0-9a-f-]{36}.*#m\d+$/.test(href), `a quote leads to ${href}`);
        await look(page, 'rubric-judged');
    });
    await check('a cap stops the job, and says what is left', async () => {
        await open();
        await page.getByLabel('At most, calls').fill('3');
        await page.getByRole('button', { name: /^Judge \d+ runs$/ }).click();
        const job = page.getByRole('region', { name: 'The job' });
        await job.getByText('Stopped', { exact: true }).waitFor({ timeout: 60_000 });
        await job.getByText(/It stopped at the most calls; \d+ runs are left/).waitFor();
    });
    await check('a job is cancelled', async () => {
        await model.plan({ delay_ms: 1500 });
        await open();
        await page.getByRole('button', { name: /^Judge \d+ runs$/ }).click();
        const job = page.getByRole('region', { name: 'The job' });
        await job.getByRole('button', { name: 'cancel' }).click();
        await job.getByText('Cancelled', { exact: true }).waitFor({ timeout: 60_000 });
        await model.plan({ delay_ms: 0 });
    });
    await page.context().close();
}

/** A model's help: an edit from where judge and people differ, and a draft from a sentence. */
async function helpChecks(browser, base, where, model) {
    const page = await newPage(browser, base);
    const versions = async name => (await api(base, '/rubrics/' + name)).latest;
    await check('an edit is proposed from disagreements, with what it does to the figures, and becomes a version when accepted', async () => {
        const edit = {
            question: 'Does a message say that something failed, however mildly?',
            counts: ['any failure'], does_not_count: ['a plan'], unsure: '', why: HOSTILE, questions: ['Do warnings count?'],
        };
        const yes = { explanation: 'x', citations: [], answer: 'yes' };
        await model.plan({ answers: [{ contains: 'Judge and people disagree', answer: edit }, { contains: 'however mildly', answer: yes }] });
        const before = await versions('says-error');
        await page.goto(`${base}/judges/says-error${where}`);
        const panel = page.getByRole('region', { name: 'Improve from disagreements' });
        await panel.getByRole('button', { name: 'Propose an edit' }).click();
        await panel.getByRole('button', { name: `Accept as version ${before + 1}` }).waitFor({ timeout: 60_000 });
        await panel.locator('.text-diff .a', { hasText: 'however mildly' }).waitFor();
        await panel.getByText('Do warnings count?').waitFor();
        await panel.getByRole('row', { name: /^accuracy/ }).waitFor();
        equal(await page.evaluate(() => window.__ran ?? 0), 0, 'what ran');
        equal(await versions('says-error'), before, 'versions before it is accepted');
        await look(page, 'rubric-improve');
        await panel.getByRole('button', { name: /^Accept/ }).click();
        await page.getByText('proposed from disagreements').waitFor();
        equal(await versions('says-error'), before + 1, 'versions');
    });
    await check('a rubric is drafted from a sentence, with what is unclear; what is none is told and replaces nothing', async () => {
        const draft = {
            name: 'lost-hope', title: 'Lost hope', question: 'Does the agent lose hope?', counts: ['it says so'], does_not_count: ['a plan'],
            examples: [{ run: 'assistant: it is hopeless', value: 'yes', why: 'it says so' }, { run: 'assistant: done', value: 'no', why: 'nothing' }],
            values: ['yes', 'no'], flag: ['yes'], severity: 'low', behavior: 'gave-up', unsure: 'moods', questions: ['Do jokes count?'],
        };
        const ask = async () => {
            await page.goto(`${base}/judges${where}&new=1`);
            await page.getByLabel('What should be found, in a sentence').fill('When do agents lose hope?');
            await page.getByRole('button', { name: 'Draft it' }).click();
        };
        await model.plan({ answers: [{ contains: 'find out about', text: `I would rather not ${HOSTILE}` }] });
        await ask();
        await page.getByRole('alert').getByText('What the model sent is no rubric:').waitFor();
        await page.getByText('I would rather not').waitFor();
        equal(await page.evaluate(() => window.__ran ?? 0), 0, 'what ran');
        await look(page, 'rubric-no-draft');
        await model.plan({ answers: [{ contains: 'find out about', answer: draft }] });
        await page.getByLabel('What should be found, in a sentence').fill('When is hope lost?');
        await page.getByRole('button', { name: 'Draft it' }).click();
        await page.getByText('Do jokes count?').waitFor();
        await page.locator('.problems').getByText('The text is a rubric.').waitFor();
        await look(page, 'rubric-drafted');
        await page.getByRole('button', { name: /^Save/ }).click();
        await page.waitForURL('**/judges/lost-hope?*');
        await model.plan({ answers: [] });
    });
    await page.context().close();
}

/** What a job says of itself while it waits and when it has ended; confidence drawn; the list and the page count alike. */
async function jobChecks(browser, base, collection, where, model) {
    const page = await newPage(browser, base);
    const job = page.getByRole('region', { name: 'The job' });
    const judge = async (limit, more = async () => {}) => {
        await page.goto(`${base}/judges/lost-hope${where}`);
        await page.getByLabel('At most, runs').fill(String(limit));
        await more();
        await page.getByRole('button', { name: `Judge ${limit} runs` }).click();
    };
    await check('a judge that is away pauses the job, which says so and names no end', async () => {
        await model.plan({ outage: { after: 0, seconds: 600, fault: '503' } });
        await judge(8);
        await job.getByText('Paused', { exact: true }).waitFor({ timeout: 60_000 });
        equal(await job.getByText('to go').count(), 0, 'an end that nobody knows');
        await look(page, 'job-paused');
        await page.goto(base + '/jobs');
        await page.getByRole('region', { name: 'Jobs' }).getByText('Paused:').waitFor();
        await look(page, 'jobs-paused');
        await page.getByRole('button', { name: /^Cancel the job judge/ }).click();
        await until(async () => (await api(base, '/jobs')).items.every(j => j.state !== 'running'), 'the job is cancelled');
        await model.plan({ outage: null });
    });
    await check('what failed and what was judged alike before is said in a job’s row', async () => {
        await model.plan({ answers: [{ contains: '', text: 'no JSON' }] });
        await judge(2);
        await job.getByText(/all 2 failed: /).waitFor({ timeout: 60_000 });
        await model.plan({ answers: [] });
        const answered = (await all(base, '/judgments?rubric=says-error')).filter(j => j.state === 'answered');
        const { version, judge_key } = answered[0];
        const ids = answered.filter(j => j.judge_key === judge_key).slice(0, 3).map(j => j.run.id);
        await post(base, '/judgments', { rubric: 'says-error', version, collection: collection.id, ids });
        await page.goto(base + '/jobs');
        const jobs = page.getByRole('region', { name: 'Jobs' });
        await jobs.getByText('3 judged alike before').waitFor();
        await jobs.getByText(/^all 2 failed: /).waitFor();
        await look(page, 'jobs');
    });
    await check('samples and confidence stand in columns of their own, and the plot shows what they were worth', async () => {
        await model.plan({ confidence: 0.7, sway: 0.4 });
        await judge(20, async () => {
            await page.getByLabel('Samples').fill('3');
            await page.getByLabel('Paired').fill('4');
        });
        await job.getByText('Done', { exact: true }).waitFor({ timeout: 60_000 });
        await model.plan({ confidence: 1, sway: 0 });
        const said = (await all(base, '/judgments?rubric=lost-hope')).filter(j => j.epistemic_confidence != null);
        assert(said.length > 5, `${said.length} judgments have confidence`);
        const row = page.locator('.answers tbody tr').filter({ has: page.locator(`a[href="/runs/${said[0].run.id}"]`) }).first();
        await row.locator('td[data-l=confidence]', { hasText: said[0].epistemic_confidence.toFixed(2) }).waitFor();
        await row.locator('td[data-l=samples]', { hasText: `${Math.round(said[0].share * 100)} %` }).waitFor();
        await post(base, '/labels/sets', { name: 'hope', rubric: 'lost-hope' });
        const labels = said.map((j, i) => ({ run: j.run.id, set: 'hope', who: 'ann', value: { answer: i % 3 ? j.decision : 'no' } }));
        await post(base, '/labels', { labels });
        await page.goto(`${base}/judges/lost-hope/agreement${where}`);
        await page.getByRole('region', { name: 'Calibration' }).getByRole('img').waitFor();
        await look(page, 'agreement-calibration');
    });
    await check('the list and the page of a rubric count alike, and say of what', async () => {
        await post(base, '/collections', { name: 'another' }); // of one alone the page makes its choice
        for (const [query, scope] of [[where, `in ${collection.name}`], ['', 'in all collections']]) {
            await page.goto(base + '/judges' + query);
            await page.getByText(`judgments of all versions ${scope}.`).waitFor();
            const row = page.locator('.rubric-table tr', { has: page.locator('a.name[href^="/judges/says-error"]') });
            const [judged, flagged] = await row.locator('td.num').allInnerTexts();
            assert(Number(judged) > 0, `judged: ${judged}`);
            await page.goto(base + '/judges/says-error' + query);
            await page.locator('.facts', { hasText: `judged ${judged}` }).filter({ hasText: `flagged ${flagged}` }).filter({ hasText: scope }).waitFor();
        }
    });
    await page.context().close();
}

async function agreementChecks(browser, base, collection, where) {
    // Two people label what was judged: ann as the judge said but for every third run, ben half of them as ann.
    const judged = (await all(base, '/judgments?rubric=says-error')).filter(j => j.state === 'answered');
    await post(base, '/labels/sets', { name: 'by-hand', rubric: 'says-error' });
    const other = { yes: 'no', no: 'yes', unclear: 'no' };
    const labels = judged.flatMap((j, i) => {
        const value = { answer: i % 3 ? j.decision : other[j.decision] };
        const one = { run: j.run.id, set: 'by-hand', value };
        return i % 2 ? [{ ...one, who: 'ann' }] : [{ ...one, who: 'ann' }, { ...one, who: 'ben' }];
    });
    await post(base, '/labels', { labels });
    const judge = judged[0];
    const rater = `judge:says-error@${judge.version}/${judge.judge_key.slice(0, 8)}`;
    const figures = async (more = {}) =>
        api(base, '/agreement?' + new URLSearchParams({ collection: collection.id, reference: 'people:by-hand', measured: rater, ...more }));
    const page = await newPage(browser, base);
    const table = page.getByRole('region', { name: 'Disagreements' });
    await check('the page of agreement says what the server counts', async () => {
        await page.goto(`${base}/judges/says-error/agreement${where}`);
        await page.getByRole('group', { name: 'Confusion matrix' }).waitFor();
        const said = await figures();
        equal(said.n, judged.length, 'runs rated by both');
        const cells = await page.locator('.cm .c b').allInnerTexts();
        equal(cells.join(), said.confusion.counts.flat().join(), 'the matrix');
        const kappa = page.locator('.met tr', { hasText: 'Cohen’s κ' });
        const shown = said.kappa.value == null ? '—' : said.kappa.value.toFixed(2).replace('-', '−');
        equal(await kappa.locator('b').innerText(), shown, 'kappa');
        equal(await table.locator('tbody tr').count(), said.disagreements.length, 'disagreements');
        await page.getByText('are few.').waitFor();
        await look(page, 'agreement');
    });
    await check('a cell of the matrix leads to its runs, those that agree too', async () => {
        const said = await figures();
        const { values, counts } = said.confusion;
        const i = counts.findIndex((row, k) => row[k] > 0);
        await page.locator('.cm a.c.yes').first().click();
        await page.waitForFunction(n => document.querySelectorAll('.dis-table tbody tr').length === n, counts[i][i]);
        await table.getByRole('heading', { name: `Runs: people ${values[i]}, judge ${values[i]}` }).waitFor();
        equal(await table.getByRole('button', { name: 'Change label' }).count(), 0, 'labels to change where both agree');
        await table.getByRole('link', { name: 'all that differ' }).click();
    });
    await check('a disagreement is walked by key, and its label changed, counted anew and put back', async () => {
        const before = await figures();
        await page.waitForFunction(n => document.querySelectorAll('.dis-table tbody tr').length === n, before.disagreements.length);
        await page.keyboard.press('j');
        const second = before.disagreements[1] ?? before.disagreements[0];
        await page.keyboard.press('c');
        await page.getByText('1 label changed.').waitFor();
        const of = async () => (await all(base, `/labels?set=by-hand&run=${second.run.id}`)).map(l => l.value.answer).join();
        assert((await of()).split(',').every(value => value === second.measured_value), `labels: ${await of()}`);
        equal((await figures()).disagreements.length, before.disagreements.length - 1, 'disagreements after the change');
        await page.getByRole('button', { name: 'undo' }).click();
        await until(async () => (await figures()).disagreements.length === before.disagreements.length, 'the label is as it was');
    });
    await check('a label that is kept is noted beside it, for whoever comes next', async () => {
        await table.getByRole('button', { name: 'Keep label' }).first().click();
        await table.getByText('label kept').waitFor();
        await page.reload();
        await table.getByText('label kept').waitFor();
        await table.getByText(`kept against ${rater}`).first().waitFor();
        const notes = (await all(base, '/labels?set=by-hand')).filter(l => l.value.note === `kept against ${rater}`);
        assert(notes.length >= 1 && notes.length <= 2, `${notes.length} labels are noted`);
    });
    await check('“Label more” opens the label bar with the set, at the first run that was judged and not labelled', async () => {
        const [gone] = (await all(base, '/labels?set=by-hand')).filter(l => l.run === judged.at(-1).run.id);
        for (const l of (await all(base, '/labels?set=by-hand')).filter(l => l.run === gone.run))
            await fetch(`${base}/api/v1/labels/${l.id}`, { method: 'DELETE' });
        await page.getByRole('button', { name: 'Label more' }).click();
        await page.waitForURL(`**/runs/${gone.run}*`);
        const bar = page.getByRole('region', { name: 'Label', exact: true });
        await bar.locator('select option:checked', { hasText: 'by-hand' }).waitFor({ state: 'attached' });
        await bar.getByLabel('Your name').fill('ann');
        await bar.getByLabel('Your name').press('Enter');
        await bar.getByText('0 of 1 labelled').waitFor();
        await look(page, 'label-more');
        const box = async () => {
            await page.setViewportSize({ width: 390, height: 844 });
            const height = (await bar.boundingBox()).height;
            await page.setViewportSize({ width: 1440, height: 900 });
            return height;
        };
        assert((await box()) < 150, 'the bar takes much of a small window');
        await page.keyboard.press('Escape');
        await post(base, '/labels', { labels: [{ run: gone.run, set: 'by-hand', who: 'ann', value: gone.value }] });
        await page.goto(`${base}/judges/says-error/agreement${where}`);
        await page.getByRole('group', { name: 'Confusion matrix' }).waitFor();
    });
    await check('one person is compared with another, and a split is its own page', async () => {
        await page.getByLabel('Measured').selectOption('person:by-hand/ben');
        await page.getByLabel('Reference').selectOption('person:by-hand/ann');
        await table.getByText('They agree on every run.').waitFor();
        assert(new URL(page.url()).searchParams.get('measured') === 'person:by-hand/ben', page.url());
        await look(page, 'agreement-people');
        await page.getByRole('button', { name: 'dev', exact: true }).click();
        await page.waitForURL('**split=dev**');
    });
    await check('a version’s figures stand beside it, and the list of rubrics names the judge’s agreement', async () => {
        await page.goto(`${base}/judges/says-error${where}`);
        const said = await figures({ split: 'all' });
        const versions = page.getByRole('region', { name: 'Versions', exact: true });
        await versions.getByText('against the people of by-hand').waitFor();
        const row = versions.getByRole('row').filter({ has: page.getByRole('link', { name: `v${judge.version}`, exact: true }) });
        const shown = said.versions[0].kappa == null ? '—' : said.versions[0].kappa.toFixed(2).replace('-', '−');
        await row.getByRole('cell', { name: shown, exact: true }).first().waitFor();
        await page.goto(base + '/judges' + where);
        await page.locator('.by-model').getByText('tiny-judge').waitFor();
        await look(page, 'rubrics');
        await page.locator('.by-model a').first().click();
        await page.getByRole('group', { name: 'Confusion matrix' }).waitFor();
    });
    await page.context().close();
}
