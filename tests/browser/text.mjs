// The page's pure functions: byte offsets, folding, terminal colours, JSON with places. Bundled and run here, without a browser.
import { assert, check, equal, esbuild, WEB } from './harness.mjs';

const ENTRY = `export * from './src/text'; export * from './src/json'; export * from './src/filter';
export { wilson, bytes, address } from './src/format'; export { rowsOf, rowOf, stopsOf } from './src/transcript'; export * from './src/question';
export * from './src/code'; export * from './src/lanes';
export { wholeWords } from './src/text'; export { blanksIn, startText, triedText } from './src/rules'; export { withoutHalfTerm } from './src/searching';
export * from './src/nested'; export * from './src/valuediff'; export { wordsOf, piecesOf, searchOf } from './src/searching';`;

async function bundle() {
    const built = await esbuild.build({
        stdin: { contents: ENTRY, resolveDir: WEB, loader: 'ts' },
        bundle: true,
        format: 'esm',
        write: false,
        platform: 'neutral',
        mainFields: ['module', 'main'],
    });
    return import('data:text/javascript;base64,' + Buffer.from(built.outputFiles[0].contents).toString('base64'));
}

export async function textChecks() {
    const t = await bundle();

    await check('byte offsets become places in the text', () => {
        const text = 'aß€😀b\ufffdc';
        const bytes = Buffer.from(text);
        for (const word of ['a', 'ß', '€', '😀', 'b', '\ufffd', 'c', 'ß€😀', '😀b\ufffdc']) {
            const start = bytes.indexOf(Buffer.from(word));
            const [from, to] = t.toUtf16(text, [start, start + Buffer.byteLength(word)]);
            equal(text.slice(from, to), word, `bytes of ${word}`);
            equal(t.toBytes(text, from), start, `and back for ${word}`);
        }
        equal(t.toUtf16(text, [999])[0], text.length, 'past the end');
        equal(t.toUtf16(text, [2])[0], 1, 'inside a character: its start');
        equal(t.toUtf16('', [0, 0]).join(), '0,0', 'the empty text');
    });
    await check('terms in a box are filters, in quotes they are words', () => {
        const read = (text, all = true) => {
            const { terms, words } = t.readTerms(text, ['role', 'tool'], all);
            return terms.map(x => `${x.key}=${x.value}`).join(' ') + ' | ' + words;
        };
        equal(read('zebra role:tool'), 'role=tool | zebra ', 'a term');
        equal(read('meta.seed:3 role:"tool" fox'), 'meta.seed=3 role=tool | fox', 'terms');
        equal(read('"role:tool"'), ' | "role:tool"', 'a quoted term');
        equal(read('"the role:tool is" fox'), ' | "the role:tool is" fox', 'a term in a phrase');
        equal(read('"the role:tool ', false), ' | "the role:tool ', 'a term in a phrase that is still written');
        equal(read('tool:"a b" fox'), 'tool=a b | fox', 'a quoted value');
        equal(t.withoutHalfTerm('zebra role:to'), 'zebra', 'half a term');
        equal(t.withoutHalfTerm('zebra Error:x'), 'zebra Error:x', 'no term');
        equal(t.withoutHalfTerm('"role:to'), '"role:to', 'a quoted half');
    });
    await check('words chosen for a rule are whole, and what a new rule begins with is told from what was written', () => {
        equal('There\u2019s no way out to the index. x'.slice(...t.wholeWords('There\u2019s no way out to the index. x', 2, 31)), 'There\u2019s no way out to the index', 'widened');
        equal(t.wholeWords('ab cd', 0, 2).join(), '0,2', 'whole already');
        const text = t.startText('text', 'x');
        equal(t.blanksIn(text).join(), 'id,title,behavior,why,unsure', 'of a new one');
        equal(t.blanksIn(text.replace('my-rule', 'mine').replace('choose-one', 'error-ignored')).join(), 'title,why,unsure', 'with two written');
        assert(/^behavior: error-ignored /m.test(t.triedText(text)), 'tried with a behavior');
    });
    await check('a label set asks by its schema, its rubric, or yes and no', () => {
        const set = (schema, rubric = null) => ({ schema, rubric, reading: 'one' });
        const choices = q => q.choices.map(c => `${c.label}=${JSON.stringify(c.value)}`).join(' ');
        const plain = t.questionOf(set(null), undefined);
        equal(`${plain.field}: ${choices(plain)}`, 'answer: yes="yes" no="no" unclear="unclear"', 'without a schema');
        const schema = {
            properties: { why: { type: 'string' }, near: { type: 'boolean' }, grade: { type: 'integer', minimum: 1, maximum: 3 } },
            required: ['near', 'grade'],
        };
        const first = t.questionOf(set(schema), undefined);
        equal(`${first.field}: ${choices(first)}`, 'near: yes=true no=false', 'the first that keys can answer');
        equal(first.others.map(([name, , needed]) => name + needed).join(), 'whyfalse,gradetrue', 'the others');
        const decided = t.questionOf(set(null, 'r'), { rubric: { answer: schema, decides: 'grade' } });
        equal(`${decided.field}: ${choices(decided)}`, 'grade: 1=1 2=2 3=3', 'what the rubric decides by');
        equal(t.questionOf(set(null, 'r'), undefined), null, 'before the rubric is there');
        equal(t.choicesOf({ type: 'integer', minimum: 0, maximum: 100 }).length, 0, 'more numbers than keys');
    });
    await check('unsorted offsets keep their order', () => equal(t.toUtf16('äöü', [6, 0, 2, 4]).join(), '3,0,1,2', 'offsets'));

    await check('a nested value opens as far as its lines go, and its folded parts say what they hold', () => {
        const open = (value, lines, columns = 40) => {
            const text = JSON.stringify(value);
            const root = t.parseJson(text);
            return [...t.openAtFirst(text, root, lines, columns)].map(at => text.slice(at, at + 8));
        };
        const wide = { a: { one: 'x'.repeat(30), two: 'y'.repeat(30) }, b: { three: 'z'.repeat(30), four: 'w'.repeat(30) } };
        equal(open(wide, 24).length, 3, 'all three branches where there is room');
        equal(open(wide, 4).length, 2, 'the root and the first where four lines are left');
        equal(open(wide, 3).length, 1, 'the root alone');
        equal(open({ a: { b: 1 } }, 24).length, 1, 'what one line says whole stays folded');
        equal(open({ a: Array(5000).fill('x'.repeat(20)) }, 8).length, 1, 'a list of many is not opened into too few lines');
        const line = (value, room) => t.preview(JSON.stringify(value), t.parseJson(JSON.stringify(value)), room);
        equal(line({ a: [1, { b: 'c' }], 'd e': null }, 80).line, '{a: [1, {b: "c"}], d e: null}', 'the whole value');
        assert(line({ a: [1] }, 80).whole, 'and it says so');
        const cut = line([...Array(300).keys()], 40);
        assert(!cut.whole && /… 2\d\d more]$/.test(cut.line) && cut.line.length < 60, `a cut one counts the rest: ${cut.line}`);
        const size = value => t.sizeOf(JSON.stringify(value), t.parseJson(JSON.stringify(value)));
        equal(size([3, -1, 2.5, 4]), '4 numbers, -1 to 4', 'numbers have a range');
        equal(size({ a: 1 }), '1 key', 'an object');
        equal('$' + t.step('plain') + t.step('any "thing"') + t.step(3), '$.plain."any \\"thing\\""[3]', 'a path for SQL');
    });
    await check('two nested values are compared member by member', () => {
        const signs = change => (change.kids ? `${change.key}(${change.kids.map(signs).join(' ')})` : `${change.key}:${change.sign}`);
        const diff = (a, b) => signs(t.valueDiff(a, b));
        equal(diff({ a: 1, b: 2 }, { b: 2, a: 1 }), 'null:same', 'the order of keys says nothing');
        equal(diff({ a: 1, b: { c: 2 } }, { b: { c: 3 }, d: 4 }), 'null(a:gone b(c:changed) d:new)', 'gone, changed, new');
        equal(diff([1, 2, 3], [1, 3, 4]), 'null(0:same 1:gone 2:same 2:new)', 'a list keeps what stayed beside itself');
        equal(diff([{ id: 1, v: 1 }], [{ id: 1, v: 2 }]), 'null(0(id:same v:changed))', 'a changed member is opened');
        equal(diff(JSON.parse('{"__proto__": 1}'), {}), 'null(__proto__:gone)', 'any key');
        equal(diff([], {}), 'null:changed', 'a list is no object');
        equal(t.sharedEnds('same 7 end', 'same 8 end').join(), '5,4', 'what two texts share');
        equal(t.sharedEnds('a\u{1f600}', 'a\u{1f601}').join(), '1,0', 'a pair is not cut');
        let deep = 1;
        for (let i = 0; i < 2000; i++) deep = [deep];
        equal(t.valueDiff(deep, [deep]).sign, 'changed', 'however deep');
    });

    const rule = { lines: 20, chars: 6000, head: 6 };
    const visible = (text, pieces) =>
        pieces
            .filter(p => !p.hidden)
            .map(p => text.slice(p.from, p.to))
            .join('');
    await check('a short text is not folded', () => equal(t.fold('a\nb\nc', [], [], rule).length, 1, 'pieces'));
    await check('a long text keeps its head, its evidence, and the exact number hidden', () => {
        const text = Array.from({ length: 300 }, (_, i) => `line ${i}`).join('\n');
        const at = text.indexOf('line 200');
        const pieces = t.fold(text, [[at, at + 8]], [], rule);
        equal(pieces.map(p => (p.hidden ? p.hidden.lines : 'shown')).join(), 'shown,194,shown,99', 'pieces');
        assert(visible(text, pieces).includes('line 5\n') && visible(text, pieces).includes('line 200\n'), 'what is shown');
        assert(!visible(text, pieces).includes('line 6\n'), 'line 6 is hidden');
        equal(
            pieces.reduce((sum, p) => sum + p.to - p.from, 0),
            text.length,
            'nothing is lost',
        );
        const opened = t.opening(text, pieces[1]);
        equal(t.fold(text, [[at, at + 8]], [opened], rule).filter(p => p.hidden).length, 1, 'folds after opening one');
    });
    await check('a line of ten million characters is cut, and nothing is lost', () => {
        const text = 'x'.repeat(10_000_000);
        const pieces = t.fold(text, [[5_000_000, 5_000_010]], [], rule);
        assert(visible(text, pieces).length < 3000, `${visible(text, pieces).length} characters shown`);
        equal(
            pieces.reduce((sum, p) => sum + p.to - p.from, 0),
            text.length,
            'characters in all',
        );
        assert(
            pieces.every(p => !p.hidden || p.hidden.chars === p.to - p.from),
            'exact counts',
        );
        assert(
            pieces.some(p => !p.hidden && p.from <= 5_000_000 && p.to >= 5_000_010),
            'the evidence is in view',
        );
    });
    await check('a cut never halves a character', () => {
        const text = '😀'.repeat(20_000);
        for (const piece of t.fold(text, [[10_001, 10_003]], [], rule)) {
            const part = text.slice(piece.from, piece.to);
            assert(!/^[\udc00-\udfff]|[\ud800-\udbff]$/.test(part), `piece ${piece.from}-${piece.to}`);
        }
    });

    await check('terminal colours become classes, other escapes vanish, control characters show', () => {
        const text = 'a\x1b[1;31mred\x1b[0m\x1b[2Kb\x00c\x1b]8;;http://x\x07link\u202e';
        const layers = t.specialLayers(text, 0, text.length);
        const red = layers.find(l => l.cls === 'ar a1');
        equal(text.slice(red.from, red.to).replace('\x1b[1;31m', ''), 'red', 'the red part');
        equal(t.visible(text), 'aredb\u2400clinkU+202E', 'as one line');
        const hidden = layers.filter(l => l.show === '').map(l => text.slice(l.from, l.to));
        assert(hidden.includes('\x1b[2K') && hidden.some(h => h.includes('http://x')), 'hidden escapes');
    });
    await check('paragraphs and fenced code keep every word', () => {
        const text = 'one\n\ntwo\n```js\nlet x;\n```\n\nthree';
        const blocks = t.blocks(text, 0, text.length);
        equal(
            blocks.map(b => (b.code ? 'C' : 'P') + text.slice(b.from, b.to)).join('|'),
            'Pone|Ptwo|C```js\nlet x;\n```|Pthree',
            'blocks',
        );
    });

    await check('JSON with places agrees with JSON.parse', () => {
        const value = { a: [1, -2.5e3, true, null, 'x\ny"z\\'], 'k\u00e9y': { deep: [{}, []] }, s: '😀' };
        for (const text of [JSON.stringify(value), JSON.stringify(value, null, 2)]) {
            const rebuild = node => {
                if (node.type === 'object')
                    return Object.fromEntries(node.kids.map(k => [t.keyText(text, k.key), rebuild(k.node)]));
                if (node.type === 'array') return node.kids.map(k => rebuild(k.node));
                return node.type === 'string'
                    ? t.decodeString(text, node.from, node.to).text
                    : JSON.parse(text.slice(node.from, node.to));
            };
            equal(JSON.stringify(rebuild(t.parseJson(text))), JSON.stringify(value), 'rebuilt');
        }
    });
    await check('what is no JSON object or list is no tree', () => {
        for (const text of ['', '12', '"x"', '{', '{"a":}', '[1,]', '{"a":1} x', '{a:1}', '['.repeat(5000), '{"a":1']) {
            equal(t.parseJson(text), null, text.slice(0, 20));
        }
    });
    await check('places inside a string with escapes', () => {
        const text = '{"cmd":"echo \\"hi\\"\\n\\u00e9 end"}';
        const node = t.parseJson(text).kids[0].node;
        const said = t.decodeString(text, node.from, node.to);
        equal(said.text, 'echo "hi"\né end', 'decoded');
        equal(said.text.slice(said.where(text.indexOf('end'))), 'end', 'the place of "end"');
        equal(said.text.slice(said.where(text.indexOf('\\"hi')), said.where(text.indexOf('\\n'))), '"hi"', 'the place of "hi"');
    });

    await check('a place in a decoded string is known in the text, and back', () => {
        const text = '{"cmd": "a \\"b\\" \\u00e9\\n"}';
        const from = text.indexOf('"a ');
        const said = t.decodeString(text, from, text.length - 1);
        equal(said.text, 'a "b" é\n', 'what it says');
        for (let at = 0; at < said.text.length; at++) equal(said.where(said.raw(at)), at, `place ${at}`);
        equal(text.slice(said.raw(2), said.raw(5)), '\\"b\\"', 'the raw of what is selected');
        equal(said.raw(said.text.length), text.length - 2, 'the end is the quote');
    });
    await check('control characters: each its sign, many in a row one sign that says how many, in linear time', () => {
        const shown = text => t.specialLayers(text, 0, text.length).map(l => l.show).join('|');
        equal(shown('a\x01\x02b'), '\u2401\u2402', 'two');
        equal(shown('\u202e'.repeat(500)), 'U+202E … ×500', 'five hundred');
        const started = performance.now();
        t.specialLayers('\x1b[31m\x01'.repeat(40_000), 0, 240_000);
        assert(performance.now() - started < 1500, `took ${performance.now() - started} ms`);
    });
    await check('code is told apart by language, whatever it holds', () => {
        const kinds = (text, language) => t.codeLayers(text, 0, text.length, language).map(l => `${l.cls.slice(2)}:${text.slice(l.from, l.to)}`).join(' ');
        equal(kinds('return "a" + 1 // b', 'ts'), 'k:return s:"a" n:1 c:// b', 'TypeScript');
        equal(kinds('def f(): # "x"\n  """a\nb"""', 'python'), 'k:def c:# "x" s:"""a\nb"""', 'Python');
        equal(kinds("SELECT 'a' -- b", 'sql'), "k:SELECT s:'a' c:-- b", 'SQL');
        equal(kinds('anything', 'no such language'), '', 'a language that is not known');
        equal(t.resultLanguage('bash', '{"cmd": "cat src/a.py"}'), 'py', 'what was read, by the name of the file');
        equal(t.resultLanguage('bash', '{"cmd": "make test.py"}'), undefined, 'what was not read');
        equal(t.fenceLanguage('```Python title\n', 0), 'python', 'fenced code');
        for (const language of ['ts', 'py', 'sh', 'sql', 'html'])
            for (const bad of ["'\\", '"\\', '`\\', '/*', "'''\\", '<!--', "it's "]) {
                const text = bad.repeat(Math.floor(59_000 / bad.length));
                const started = performance.now();
                t.codeLayers(text, 0, text.length, language);
                assert(performance.now() - started < 1000, `${language} of many ${bad}: ${performance.now() - started} ms`);
            }
    });
    await check('lanes: by time where there is some, by messages where there is none, pauses cut', () => {
        const transcripts = [
            { id: 'a', parent: null, name: null, position: 0, messages: 4 },
            { id: 'b', parent: 'a', name: 'sub', position: 1, messages: 2 },
        ];
        const lane = (transcript, n, start = null, at = null) => ({ transcript, marks: Array.from({ length: n }, (_, i) => [i % 4, 10, 0, 0]), start, at });
        const plain = t.lanesOf({ transcripts, marks: [lane(0, 4), lane(1, 2)] });
        equal(plain.span, null, 'no time');
        equal([...plain.lanes[1].ends].join(), '250,500', 'as long as it has messages');
        equal(plain.lanes.map(l => l.depth).join(), '0,1', 'depth');
        equal(t.messageAt(plain.lanes[0], 999), 3, 'the last');
        equal(t.messageAt(plain.lanes[0], 1), 0, 'the first');
        const timed = t.lanesOf({ transcripts, marks: [lane(0, 4, '2026-01-01T00:00:00Z', [0, null, 120_000, 90_000_000]), lane(1, 1)] });
        equal(timed.span, 90_000_000, 'from first to last');
        equal([...timed.lanes[0].ends].join(), '0,0,500,1000', 'a pause of a day as long as two minutes');
        equal(timed.cuts.join(), '750', 'where it is');
        equal(timed.lanes[1].bars.length, 0, 'without times among those that have them: nothing is made up');
        const loop = t.lanesOf({ transcripts: [{ id: 'x', parent: 'x', name: null, position: 0, messages: 1 }], marks: [lane(0, 1)] });
        assert(loop.lanes[0].depth <= 8, 'its own parent');
    });

    await check('terms of the query box', () => {
        const read = t.readTerms('kind:broken_task tar meta.turns:10 foo:bar ', ['kind'], false);
        equal(read.terms.map(x => x.key + '=' + x.value).join(), 'kind=broken_task,meta.turns=10', 'terms');
        equal(read.unknown, 'foo', 'what is no field');
        equal(t.readTerms('model:"a b" ', ['model'], false).terms[0].value, 'a b', 'a value in quotes');
        equal(t.readTerms('kind:bro', ['kind'], false).terms.length, 0, 'half a term');
        const query = new URLSearchParams('kind=data');
        t.addTerm(query, { key: 'kind', value: 'harness' });
        equal(query.get('kind'), 'data,harness', 'two values of one field');
    });
    await check('sizes are in the megabytes of the limits: 2^20 bytes', () => {
        const said = [0, 1, 1023, 1024, 10 * 2 ** 10 - 1, 500 * 2 ** 20, 2 ** 30 - 1, 2 ** 30, 2 ** 52].map(n => t.bytes(n)).join('; ');
        equal(said, '0 bytes; 1 byte; 1,023 bytes; 1.0 KB; 10 KB; 500 MB; 1.0 GB; 1.0 GB; 4096 TB', 'sizes');
    });
    await check('a value of a list may hold a comma', () => {
        const values = ['What is A, B?', 'C:\\d', 'x\\', '\\, y', '😀'];
        for (const value of values) equal(t.listValues(t.listItem(value)).join('|'), value, `${value} alone`);
        equal(t.listValues(t.listText(values)).join('|'), values.join('|'), 'all of them');
        equal(t.listItem('a, \\b'), 'a\\, \\\\b', 'as it is written');
        equal(t.listValues('C:\\d,,e').join('|'), 'C:\\d|e', 'a backslash that escapes nothing; an empty word');
        const query = new URLSearchParams('task=one');
        for (const term of t.readTerms('task:"A, B" task:two,three ', ['task'], false).terms) t.addTerm(query, term);
        equal(query.get('task'), 'one,A\\, B,two,three', 'in quotes it is one value, without it is a list');
        t.addTerm(query, { key: 'task', value: 'A\\, B' });
        equal(t.listValues(query.get('task')).length, 4, 'what is there is not added again');
    });

    await check('rows join calls with their results', () => {
        const marks = [
            [0, 1, 0, 0],
            [1, 1, 0, 0],
            [2, 1, 2, 0],
            [3, 1, 0, 0],
            [3, 1, 0, 0],
            [2, 1, 0, 0],
            [3, 1, 0, 0],
        ];
        const rows = t.rowsOf(marks);
        equal(rows.map(r => `${r.from}-${r.to}`).join(), '0-1,1-2,2-5,5-6,6-7', 'rows');
        equal([0, 3, 4, 6].map(m => t.rowOf(rows, m)).join(), '0,2,2,4', 'rows of messages');
        const long = t.rowsOf([[2, 1, 1, 0], ...Array(500).fill([3, 1, 0, 0])]);
        assert(
            long.every(r => r.to - r.from <= 41),
            'a chain of results is cut into blocks',
        );
        equal(long[long.length - 1].to, 501, 'and none is lost');
    });
    await check('evidence is walked in the order of the transcript, the run’s fields first', () => {
        const e = (position, message, part, start, run = 'r') => ({
            run,
            transcript: 't',
            position,
            message,
            part,
            start,
            end: start + 1,
            quote: 'q',
        });
        const findings = [
            { id: 'a', evidence: [e(1, 0, 'text', 0), e(0, 7, 'text', 5), e(0, 7, 'text', 1)] },
            { id: 'b', evidence: [e(null, null, 'run.error', 0), e(0, 2, 'text', 0, 'other')] },
        ];
        equal(
            t
                .stopsOf(findings, 'r')
                .map(s => `${s.finding.id}${s.index}`)
                .join(),
            'b0,a2,a1,a0',
            'stops',
        );
    });
    await check('Wilson’s interval', () => {
        const { low, high } = t.wilson(17, 18);
        equal(`${Math.round(low * 100)}–${Math.round(high * 100)}`, '74–99', '17 of 18');
        equal(t.wilson(0, 0), null, 'of nothing');
    });
    await check('a hit is shown around its match, and all words of the search are marked', () => {
        const hit = (line, word, more = 0) => {
            const start = Buffer.from(line).indexOf(word) + more;
            return { line, line_start: more, start, end: start + Buffer.byteLength(word) };
        };
        const shown = (...args) => t.piecesOf(...args).map(p => (p.marked ? `[${p.text}]` : p.text)).join('');
        equal(t.wordsOf('disk  "no space" full').join('|'), 'disk|no space|full', 'words');
        equal(t.wordsOf('"is full says "df" x').join('|'), 'is full says "df|x', 'a quote that ends before a blank alone');
        equal(t.wordsOf('"is full').join('|'), '"is|full', 'a quote that does not end');
        equal(shown(hit('  the n\u00e4\u00efve one', 'n\u00e4\u00efve'), []), 'the [n\u00e4\u00efve] one', 'indent');
        equal(shown(hit('Disk is full of disks', 'full'), ['full', 'disk']), '[Disk] is [full] of [disk]s', 'two words');
        equal(shown(hit('one two three four needle x', 'needle'), [], 6), '\u2026 four [needle] x', 'cut at a word');
        equal(shown(hit('a needle', 'needle', 40), []), 'a [needle]', 'a later line');
        equal(t.searchOf(new URLSearchParams('q=a&role=tool&x=1&meta.k=v&f=')).toString(), 'q=a&role=tool&meta.k=v', 'what is asked');
        equal(t.searchOf(new URLSearchParams('q=+&role=tool')).toString(), '', 'nothing is asked');
    });
}
