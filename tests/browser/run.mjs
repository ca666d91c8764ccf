// Drives the page in a real Chromium against the real program.  usage: node run.mjs BINARY
import { actionChecks } from './actions.mjs';
import { finish, launch, startServer } from './harness.mjs';
import { groupChecks } from './groups.mjs';
import { importChecks } from './imports.mjs';
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

const binary = process.argv[2];
if (!binary) {
    console.error('usage: run.mjs BINARY');
    process.exit(2);
}
await textChecks();
const server = await startServer(binary);
const browser = await launch();
try {
    const sample = await loadSample(browser, server.base);
    if (sample) {
        await lookChecks(browser, server.base, sample);
        await readerChecks(browser, server.base, sample);
        await actionChecks(browser, server.base, sample);
        await queryChecks(browser, server.base);
        await twoChecks(browser, server.base);
        await listChecks(browser, server.base, sample);
        await stateChecks(browser, server.base, sample);
    }
    await transcriptChecks(browser, server.base);
    await importChecks(browser, server.base);
    await judgingChecks(browser, binary, server.base);
    await rubricChecks(browser, binary, server.base);
    await searchChecks(browser, binary);
    await groupChecks(browser, binary);
    await triageChecks(browser, binary);
    await reportChecks(browser, binary);
} finally {
    await browser.close();
    await server.stop();
}
process.exit(finish());
