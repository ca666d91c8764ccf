// The run reader on the sample: every piece of evidence stands in its words; keys, find, links.
import { api, assert, check, equal, newPage, settled } from './harness.mjs';

/** What is marked for a piece of evidence, as one text. */
function marked(page, finding, index) {
    return page.evaluate(
        ([id, at]) => {
            const marks = [...document.querySelectorAll('mark.ev')].filter(m => m.dataset.f?.split(' ').includes(`${id}.${at}`));
            if (!marks.length) return null;
            return { text: marks.map(m => m.textContent).join('') };
        },
        [finding, index],
    );
}

const bare = text => text.replace(/[\s"\\{}[\]:,]|\u241b|\u240d/g, '');

export async function readerChecks(browser, base, { findings, runs }) {
    const page = await newPage(browser, base);
    const open = async address => {
        await page.goto(base + address);
        await page.locator('.msg .body').first().waitFor();
        await settled(page);
    };
    // A few of each detector and part, so that every way to show words is looked at.
    const seen = new Map();
    const cited = [];
    for (const finding of findings) {
        finding.evidence.forEach((evidence, index) => {
            if (!evidence.run || !evidence.quote) return;
            const sort = `${finding.detector} ${evidence.part.replace(/\d+/, 'N').replace(/:.*\./, ':X.')}`;
            seen.set(sort, (seen.get(sort) ?? 0) + 1);
            if (seen.get(sort) <= 2) cited.push({ finding, evidence, index });
        });
    }
    for (const { finding, evidence, index } of cited) {
        await check(
            `evidence ${index} of ${finding.detector} in ${evidence.part} of ${evidence.run.slice(0, 8)} is marked in the words`,
            async () => {
                const hash = evidence.message == null ? '' : `#m${evidence.message}`;
                await page.goto(
                    `${base}/runs/${evidence.run}?finding=${finding.id}${evidence.position ? `&t=${evidence.position}` : ''}${hash}`,
                );
                const id = finding.id;
                await page
                    .waitForFunction(
                        ([f, at]) =>
                            [...document.querySelectorAll('mark.ev')].some(m => m.dataset.f?.split(' ').includes(`${f}.${at}`)),
                        [id, index],
                    )
                    .catch(() => {
                        throw new Error(`no mark for "${evidence.quote.slice(0, 80)}"`);
                    });
                if (evidence.message != null)
                    await page
                        .waitForFunction(
                            ([f, at]) => {
                                const box = [...document.querySelectorAll('mark.ev')]
                                    .find(m => m.dataset.f?.split(' ').includes(`${f}.${at}`))
                                    ?.getBoundingClientRect();
                                return box && box.bottom > 44 && box.top < innerHeight;
                            },
                            [id, index],
                        )
                        .catch(() => {
                            throw new Error('it is not in view');
                        });
                const got = await marked(page, id, index);
                // A long quote is folded, a tree writes a value without its quotes; what is shown is of the quote in any case.
                const quote = bare(evidence.part.includes('arguments') ? evidence.quote.replace(/\\[nrt]/g, '') : evidence.quote);
                assert(
                    quote.includes(bare(got.text)) || bare(got.text).includes(quote),
                    `marked "${got.text.slice(0, 120)}", quote "${evidence.quote.slice(0, 120)}"`,
                );
            },
        );
    }
    const many = [...findings].filter(f => f.run).sort((a, b) => b.evidence.length - a.evidence.length)[0];
    await check('] and [ walk the evidence; chip, note and words light up together', async () => {
        await open(`/runs/${many.run.id}`);
        await page.keyboard.press(']');
        await page.locator('mark.ev.now').first().waitFor();
        const first = page.url();
        assert(await page.locator('.chip[aria-current]').count(), 'the chip');
        assert(await page.locator('.note.now').count(), 'the note');
        await page.keyboard.press(']');
        await page.waitForURL(url => url.href !== first || false, { timeout: 2000 }).catch(() => null);
        await page.keyboard.press('[');
        await page.waitForURL(first);
    });
    const long = [...runs].sort((a, b) => b.messages - a.messages)[0];
    await check('j, k, g and G walk the messages, and the address follows', async () => {
        await open(`/runs/${long.id}`);
        await page.keyboard.press('j');
        const one = await page.evaluate(() => location.hash);
        await page.keyboard.press('j');
        const two = await page.evaluate(() => location.hash);
        assert(one !== two && /^#m\d+$/.test(two), `${one} then ${two}`);
        await page.keyboard.press('k');
        equal(await page.evaluate(() => location.hash), one, 'back by one');
        await page.keyboard.press('G');
        await page.locator(`#m${long.transcripts[0].messages - 1}`).waitFor();
        await page.keyboard.press('g');
        await page.locator('#m0').waitFor();
        equal(await page.evaluate(() => location.hash), '#m0', 'the first');
    });
    await check('find counts hits, goes from one to the next, and takes regular expressions', async () => {
        await open(`/runs/${long.id}`);
        const { items } = await api(base, `/runs/${long.id}/messages?limit=500`);
        const parts = items
            .flatMap(m => [m.text, m.reasoning, m.error, ...m.tool_calls.flatMap(c => [c.name, c.arguments])])
            .filter(Boolean);
        const wanted = parts.reduce((n, text) => n + (text.toLowerCase().match(/the/g)?.length ?? 0), 0);
        await page.keyboard.press('/');
        await page.keyboard.type('the');
        await page.waitForFunction(
            n => document.querySelector('.find .n')?.textContent.endsWith(`of ${n.toLocaleString('en')}`),
            wanted,
        );
        await page.locator('mark.now:not(.ev)').first().waitFor();
        await page.keyboard.press('Enter');
        await page.waitForFunction(() => !/^1 of/.test(document.querySelector('.find .n').textContent));
        await page.getByRole('button', { name: 'Regular expression' }).click();
        await page.getByRole('textbox', { name: 'Find in transcript' }).fill('^(zzz|$never');
        await page.locator('.find .warn').waitFor();
        await page.getByRole('textbox', { name: 'Find in transcript' }).fill('t[h]e');
        await page.waitForFunction(
            n => document.querySelector('.find .n')?.textContent.endsWith(`of ${n.toLocaleString('en')}`),
            wanted,
        );
        await page.getByRole('textbox', { name: 'Find in transcript' }).press('Escape');
        equal(await page.locator('.find').count(), 0, 'find bars after Esc');
    });
    await check('r shows the raw JSON of a message, and Esc closes it', async () => {
        await open(`/runs/${long.id}#m1`);
        await page.keyboard.press('r');
        const text = await page.locator('dialog .raw').innerText();
        assert(text.includes('"index": 1'), text.slice(0, 200));
        await page.keyboard.press('Escape');
        await page.locator('dialog').waitFor({ state: 'detached' });
    });
    await check('selected words give a link, and the link marks exactly these words', async () => {
        await open(`/runs/${long.id}`);
        const wanted = await page.evaluate(() => {
            const words = [...document.querySelectorAll('.msg p [data-o]')].find(e => e.textContent.length > 12).firstChild;
            const range = document.createRange();
            range.setStart(words, 2);
            range.setEnd(words, 11);
            getSelection().removeAllRanges();
            getSelection().addRange(range);
            return range.toString();
        });
        await page.getByRole('button', { name: 'Copy link to these words' }).click();
        const link = await page.evaluate(() => navigator.clipboard.readText());
        await page.goto('about:blank');
        await page.goto(link);
        await page.locator('mark.now').first().waitFor();
        equal(await page.locator('mark.now').first().innerText(), wanted, 'marked words');
    });
    await check('a press on the minimap goes there', async () => {
        await open(`/runs/${long.id}`);
        const box = await page.locator('.mini svg').boundingBox();
        await page.mouse.click(box.x + 20, box.y + box.height - 3);
        await page.waitForFunction(n => document.getElementById(`m${n}`)?.getBoundingClientRect().top < innerHeight, long.transcripts[0].messages - 1);
        assert((await page.evaluate(() => scrollY)) > 100, 'it did not scroll');
    });
    const withSiblings = findings.find(f => f.run && f.task_id != null);
    await check('the strip of attempts leads to another run of the task, and Back returns', async () => {
        await open(`/runs/${withSiblings.run.id}`);
        const other = page.locator('.strip .dots a:not([aria-current])').first();
        const to = await other.getAttribute('href');
        await other.click();
        await page.waitForURL(base + to);
        await page.goBack();
        await page.waitForURL(`${base}/runs/${withSiblings.run.id}`);
        await page.locator('.msg').first().waitFor();
    });
    await check('nothing was said on the console', () => equal(page.wrongs.join('\n'), '', 'console'));
    await page.context().close();
}
