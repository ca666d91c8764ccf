// The steps of the example workflow's last job, as JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { parse } = createRequire(new URL('../../web/package.json', import.meta.url))('yaml');
const { jobs } = parse(readFileSync(new URL('../../deploy/github-workflow.yml', import.meta.url), 'utf8'));
console.log(JSON.stringify(jobs.telltale.steps));
