// The schema of the rule language before an independent validator: it is a schema, it takes every shipped rule and every example as it
// is written, and it refuses what `telltale rules lint` refuses for its form.  usage: node schema.mjs BINARY
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const require = createRequire(join(root, 'web/package.json'));
const Ajv = require('ajv2020/dist/2020.js').default;
const { parseAllDocuments } = require('yaml');

const binary = process.argv[2];
let passed = 0;
let failed = 0;
function check(name, good, why) {
    if (good) passed++;
    else failed++, console.log(`${name}: ${why}`);
}

const schema = JSON.parse(execFileSync(binary, ['rules', 'schema'], { encoding: 'utf8' }));
const ajv = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false, allowUnionTypes: true, verbose: false });
check('the schema', ajv.validateSchema(schema), ajv.errorsText());
const validate = ajv.compile(schema);

function documents(text) {
    return parseAllDocuments(text, { version: '1.2' }).filter((d) => d.contents !== null);
}
function accepts(name, text) {
    for (const [i, d] of documents(text).entries()) {
        check(`${name}, document ${i + 1}`, d.errors.length === 0 && validate(d.toJS()), d.errors[0] ?? ajv.errorsText(validate.errors).slice(0, 500));
    }
}

const rules = join(root, 'server/detect/rules');
for (const file of readdirSync(rules)) {
    const text = readFileSync(join(rules, file), 'utf8');
    if (file.endsWith('.yaml')) accepts(file, text);
    else for (const [, block] of text.matchAll(/^```yaml\n([^]*?)^```/gm)) accepts(file, block);
}
// Each example in the schema is what the part that it stands in allows.
function examples(node, path) {
    if (typeof node !== 'object' || node === null) return;
    if (Array.isArray(node.examples) && !path.endsWith('/properties')) {
        const one = ajv.compile({ $ref: `#/$defs/x`, $defs: { ...schema.$defs, x: { ...node, examples: undefined } } });
        for (const e of node.examples) check(`example ${JSON.stringify(e)} at ${path}`, one(e), ajv.errorsText(one.errors));
    }
    for (const [key, value] of Object.entries(node)) if (key !== 'examples') examples(value, `${path}/${key}`);
}
examples(schema, '#');

// What is wrong in form is wrong for both; the rest only means nothing.
const form = / was expected, but this is | has no key '| needs the key '| needs one of the keys | needs a key| is no name that can stand here/;
const bad = join(root, 'tests/rules/bad');
for (const file of readdirSync(bad)) {
    const text = readFileSync(join(bad, file), 'utf8');
    const { stdout } = spawnSync(binary, ['rules', 'lint', join(bad, file)], { encoding: 'utf8' });
    if (!form.test(stdout) || text.includes('$times')) continue; // names are filled in before the form is checked
    const docs = documents(text);
    check(file, docs.some((d) => d.errors.length > 0 || !validate(d.toJS())), 'lint refuses it, and the independent validator does not');
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
