// Is a file what SARIF 2.1.0's own schema says? usage: sarif.mjs FILE...; exit 1 and a line for each thing that is wrong
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const Ajv = require('ajv');
const schema = require('@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json');

const ajv = new Ajv({ schemaId: 'id', meta: false, allErrors: true, logger: false });
ajv.addMetaSchema(require('ajv/lib/refs/json-schema-draft-04.json'));
const valid = ajv.compile(schema);
let wrong = 0;
for (const file of process.argv.slice(2)) {
    if (valid(JSON.parse(readFileSync(file, 'utf8')))) continue;
    for (const e of valid.errors.slice(0, 20)) console.log(`${file}: ${e.dataPath} ${e.message}`);
    wrong++;
}
process.exit(wrong ? 1 : 0);
