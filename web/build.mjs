// Bundles src/ into dist/index.html and dist/assets/NAME-HASH.{js,css}: what the program carries inside.
import * as esbuild from 'esbuild';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gzipSync } from 'node:zlib';

process.chdir(new URL('.', import.meta.url).pathname);
await rm('dist', { recursive: true, force: true });
await mkdir('dist/assets', { recursive: true });

const built = await esbuild.build({
    // The theme is set by a script of its own before the first paint; the rest is one module and one style sheet.
    entryPoints: { main: 'src/main.tsx', theme: 'src/theme-first.ts' },
    outdir: 'dist/assets',
    entryNames: '[name]-[hash]',
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['chrome123', 'firefox125', 'safari17.5'], // the first with light-dark()
    jsx: 'automatic',
    jsxImportSource: 'preact',
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
});

let page = await readFile('index.html', 'utf8');
let bytes = 0;
for (const file of Object.keys(built.metafile.outputs)) {
    const name = basename(file).replace(/-[^-]+\./, '.');
    page = page.replace(`{{${name}}}`, `/assets/${basename(file)}`);
    bytes += gzipSync(await readFile(file)).length;
}
if (page.includes('{{')) throw new Error('index.html names a file that the build did not make');
await writeFile('dist/index.html', page);
console.log(`web/dist: ${Object.keys(built.metafile.outputs).length} files, ${(bytes / 1024).toFixed(1)} KiB gzip`);
