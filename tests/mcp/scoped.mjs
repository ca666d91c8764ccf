// Which tools a token is shown, as {name: {writes, refused}}: each that reads and needs no arguments is called too, and none may be refused for
// its scope. usage: scoped.mjs URL TOKEN
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../web/package.json', import.meta.url));
const { Client } = require('@modelcontextprotocol/sdk/client/index.js');
const { StreamableHTTPClientTransport } = require('@modelcontextprotocol/sdk/client/streamableHttp.js');

const [url, token] = process.argv.slice(2);
const client = new Client({ name: 'test', version: '1' });
await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers: { Authorization: `Bearer ${token}` } } }));
const shown = {};
for (const tool of (await client.listTools()).tools) {
    shown[tool.name] = { writes: !tool.annotations.readOnlyHint };
    if (!shown[tool.name].writes && !tool.inputSchema.required.length) {
        const result = await client.callTool({ name: tool.name, arguments: {} });
        assert(!result.isError, `${tool.name}: ${result.content[0].text}`);
    }
}
await client.close();
console.log(JSON.stringify(shown));
