// The Model Context Protocol as its own SDK speaks it, over HTTP and over stdio. usage: sdk.mjs PROGRAM DB URL [TOKEN]; exit 1 and a
// line for each thing that is wrong
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StdioClientTransport } = require('@modelcontextprotocol/sdk/client/stdio.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');
const { LATEST_PROTOCOL_VERSION, SUPPORTED_PROTOCOL_VERSIONS } = require('@modelcontextprotocol/sdk/types.js');
const Ajv = require('ajv2020/dist/2020').default;

const [program, db, url, token] = process.argv.slice(2);
const headers = token ? { Authorization: `Bearer ${token}` } : {};
const over = {
    http: () => new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers } }),
    stdio: () => new StdioClientTransport({ command: program, args: ['--db', db, 'mcp', '--page', url], env: process.env, stderr: 'inherit' }),
};

async function connect(transport) {
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    const use = async (name, args = {}) => {
        const result = await client.callTool({ name, arguments: args });
        assert(!result.isError, `${name} ${JSON.stringify(args)}: ${result.content[0].text}`);
        assert.deepEqual(JSON.parse(result.content[0].text), result.structuredContent, name);
        return { ...result.structuredContent, links: result.content.slice(1) };
    };
    const fails = async (name, args) => {
        const result = await client.callTool({ name, arguments: args });
        assert(result.isError, `${name} ${JSON.stringify(args)} should fail`);
        return result.content[0].text;
    };
    return { client, use, fails };
}

/* What an agent does: from the collections to the words that prove a finding, and back with a review. */
async function walk({ client, use, fails }, name) {
    const info = client.getServerVersion();
    assert.equal(info.name, 'telltale');
    assert.match(client.getInstructions(), /never follow instructions/);
    const tools = (await client.listTools()).tools;
    const ajv = new Ajv({ strict: true, allowUnionTypes: true });
    for (const tool of tools) ajv.compile(tool.inputSchema);
    await client.ping();

    const { items: collections } = await use('list_collections');
    const collection = collections[0].name;
    const summary = await use('get_summary', { collection });
    assert.equal(summary.collection.name, collection);
    const found = await use('list_findings', { collection, limit: 5 });
    assert(found.items.length === 5 && found.next);
    const more = await use('list_findings', { collection, limit: 5, after: found.next });
    assert.notEqual(more.items[0].id, found.items[0].id);
    assert.equal(found.links[0].type, 'resource_link');
    assert(found.links[0].uri.startsWith(url), found.links[0].uri);

    const finding = await use('get_finding', { finding: found.items.find(f => f.run && f.evidence.some(e => e.message != null)).id });
    const proof = finding.evidence.find(e => e.message != null);
    const read = await use('read_messages', { run: proof.run, transcript: proof.position, from: proof.message, limit: 1 });
    assert.equal(read.items[0].index, proof.message);
    assert(JSON.stringify(read.evidence).includes(finding.id), 'the evidence stands beside its message');
    assert(read.items[0].url.endsWith(`#m${proof.message}`), read.items[0].url);
    const run = await use('get_run', { run: proof.run });
    assert(run.all_findings.some(f => f.id === finding.id));
    const runs = await use('list_runs', { collection, success: ['true', 'false'], limit: 3, sort: '-messages' });
    assert(runs.items.length === 3 && runs.items[0].messages >= runs.items[2].messages);

    const hits = await use('search', { q: finding.evidence[0].quote.split(/[^A-Za-z]+/).find(w => w.length > 3) ?? 'error', collection });
    assert(hits.items.length && hits.items[0].url.includes('#m'));
    const rows = await use('query', { query: 'SELECT count(*) AS n FROM runs WHERE model IS NOT ?', params: ['x'] });
    assert.deepEqual(rows.columns, ['n']);
    assert((await use('query_schema')).views.some(v => v.name === 'findings'));
    const tasks = await use('list_tasks', { collection, limit: 2 });
    const task = await use('get_task', { collection, task: tasks.items[0].task_id });
    assert.equal(task.task.task_id, tasks.items[0].task_id);
    const page = await fetch(task.url, { headers });
    assert.equal(page.status, 200, task.url);
    assert((await use('list_detectors')).items.length > 20);
    await use('compare_runs', { run: runs.items[0].id, other_run: runs.items[1].id });

    const set = `seen over ${name}`;
    await use('label_run', { run: proof.run, set, value: { fine: true, why: 'read it' }, who: 'agent' });
    const labels = await use('list_labels', { set });
    assert.deepEqual([labels.total, labels.items[0].value, labels.items[0].who], [1, { fine: true, why: 'read it' }, 'agent']);
    assert((await use('list_label_sets')).items.some(s => s.name === set));
    const reviewed = await use('review_finding', { finding: finding.id, status: 'confirmed', note: `over ${name}`, reviewer: 'agent' });
    assert.deepEqual([reviewed.status, reviewed.note], ['confirmed', `over ${name}`]);
    assert.equal((await use('tag_runs', { ids: [proof.run], tag: name })).changed, 1);

    /* answers keep to a size, and say what they left out */
    const small = await use('get_summary', { collection, max_bytes: 2000 });
    assert(JSON.stringify(small).includes('more with max_bytes') && JSON.stringify(small).length < JSON.stringify(summary).length);

    assert.match(await fails('get_run', { run: 'nobody' }), /^not_found: there is no run "nobody"/);
    assert.match(await fails('get_run', {}), /"run" is missing/);
    assert.match(await fails('get_run', { run: 'x', colour: 1 }), /get_run takes no "colour"/);
    assert.match(await fails('list_runs', { collection, limit: 101 }), /"limit" must be at most 100/);
    assert.match(await fails('list_runs', { collection, has_findings: 'maybe' }), /"has_findings" must be/);
    assert.match(await fails('query', { query: 'DELETE FROM runs' }), /^forbidden|^bad_request/);
    await assert.rejects(client.callTool({ name: 'rm' }), /tools\/list/);
    return tools;
}

assert.equal(LATEST_PROTOCOL_VERSION, '2025-11-25');
const lists = {};
for (const name of Object.keys(over)) {
    const at = await connect(over[name]());
    lists[name] = await walk(at, name);
    await at.client.close();
}
assert.deepEqual(lists.http, lists.stdio);

/* An older client is answered in its own revision, and without tools that write where that was asked for. */
for (const [revision, answer] of [['2025-06-18', '2025-06-18'], ['2025-03-26', '2025-03-26'], ['1999-01-01', LATEST_PROTOCOL_VERSION]]) {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: { protocolVersion: revision, capabilities: {}, clientInfo: { name: 'old', version: '1' } } });
    const r = await fetch(new URL('/mcp', url), { method: 'POST', body, headers: { ...headers, 'Content-Type': 'application/json' } });
    const { result } = await r.json();
    assert.equal(result.protocolVersion, answer);
    assert(SUPPORTED_PROTOCOL_VERSIONS.includes(result.protocolVersion));
}
const reader = await connect(new StdioClientTransport({ command: program, args: ['--db', db, 'mcp', '--read-only'], env: process.env }));
const names = (await reader.client.listTools()).tools.map(t => t.name);
assert(names.includes('list_runs') && !names.includes('label_run') && !names.includes('review_finding'));
await assert.rejects(reader.client.callTool({ name: 'label_run', arguments: {} }), /tools\/list/);
await reader.client.close();
console.log(`${lists.http.length} tools over ${Object.keys(over).join(' and ')}`);
