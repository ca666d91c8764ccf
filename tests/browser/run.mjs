// Drives the page in a real Chromium against the real program.
// usage: node run.mjs BINARY [NAME...]      only these suites or groups of suites
import { accessChecks } from './access.mjs';
import { actionChecks } from './actions.mjs';
import { check, finish, launch, startServer } from './harness.mjs';
import { groupChecks } from './groups.mjs';
import { importChecks } from './imports.mjs';
import { docsChecks } from './docs.mjs';
import { listChecks } from './lists.mjs';
import { judgingChecks } from './judging.mjs';
import { lookChecks, loadSample } from './looks.mjs';
import { queryChecks } from './query.mjs';
import { readerChecks } from './reader.mjs';
import { reportChecks } from './report.mjs';
import { rubricChecks } from './rubrics.mjs';
import { searchChecks } from './search.mjs';
import { stateChecks } from './states.mjs';
import { twoChecks } from './two.mjs';
import { textChecks } from './text.mjs';
import { transcriptChecks } from './transcript.mjs';
import { triageChecks } from './triage.mjs';

const [binary, ...names] = process.argv.slice(2);
if (!binary) {
    console.error('usage: run.mjs BINARY [NAME...]');
    process.exit(2);
}

/* The two groups take about the same time, and may run beside each other. */
const SUITES = [
    { name: 'looks', group: 'pages', run: ({ browser, base, sample }) => lookChecks(browser, base, sample) },
    { name: 'reader', group: 'pages', run: ({ browser, base, sample }) => readerChecks(browser, base, sample) },
    { name: 'actions', group: 'pages', run: ({ browser, base, sample }) => actionChecks(browser, base, sample) },
    { name: 'query', group: 'pages', run: ({ browser, base }) => queryChecks(browser, base) },
    { name: 'two', group: 'pages', run: ({ browser, base }) => twoChecks(browser, base) },
    { name: 'lists', group: 'pages', run: ({ browser, base, sample }) => listChecks(browser, base, sample) },
    { name: 'states', group: 'pages', run: ({ browser, base, sample }) => stateChecks(browser, base, sample) },
    { name: 'access', group: 'work', run: ({ browser }) => accessChecks(browser, binary) },
    { name: 'docs', group: 'work', run: ({ browser, base }) => docsChecks(browser, base) },
    { name: 'text', group: 'work', run: () => textChecks() },
    { name: 'transcript', group: 'work', run: ({ browser, base }) => transcriptChecks(browser, base) },
    { name: 'imports', group: 'work', run: ({ browser, base }) => importChecks(browser, base) },
    { name: 'judging', group: 'work', run: ({ browser, base }) => judgingChecks(browser, binary, base) },
    { name: 'rubrics', group: 'work', run: ({ browser, base }) => rubricChecks(browser, binary, base) },
    { name: 'search', group: 'work', run: ({ browser }) => searchChecks(browser, binary) },
    { name: 'groups', group: 'work', run: ({ browser }) => groupChecks(browser, binary) },
    { name: 'triage', group: 'work', run: ({ browser }) => triageChecks(browser, binary) },
    { name: 'report', group: 'work', run: ({ browser }) => reportChecks(browser, binary) },
];
const wrong = names.filter(name => !SUITES.some(suite => suite.name === name || suite.group === name));
if (wrong.length) {
    console.error(`there is no suite ${wrong.join(', ')}; there are ${SUITES.map(suite => suite.name).join(', ')}, in groups pages and work`);
    process.exit(2);
}

const server = await startServer(binary);
const browser = await launch();
try {
    const sample = await loadSample(browser, server.base);
    for (const { name, group, run } of SUITES)
        if (!names.length || names.includes(name) || names.includes(group)) {
            const began = performance.now();
            // What a suite does between its checks may fail, too; the others still run.
            let failed = null;
            await run({ browser, base: server.base, sample }).catch(e => (failed = e));
            if (failed)
                await check(`the suite ${name} runs to its end`, () => {
                    throw failed;
                });
            console.log(`${name}: ${Math.round((performance.now() - began) / 1000)} s`);
        }
} finally {
    await browser.close();
    await server.stop();
}
process.exit(finish());
