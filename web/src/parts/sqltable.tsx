// The rows of a query: only those in view are drawn. A cell that is cut opens; ids of runs are links.
import type { JSX } from 'preact';
import { useMemo, useRef, useState } from 'preact/hooks';
import { DASH, num } from '../format';
import { parseJson } from '../json';
import type { SqlAnswer, SqlValue } from '../querying';
import { runPath } from '../router';
import { visible } from '../text';
import { useInView, useNarrow } from '../use';
import { Gap } from './gap';
import { CopyButton, Dialog, DialogHead } from './say';
import { SourceTree } from './tree';

const SHOWN = 300; /* characters of a cell that is not open */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const precise = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 6, useGrouping: true });

/** Whole numbers as they are, others to six digits. */
export const numberText = (n: number | bigint) => (typeof n === 'bigint' || Number.isInteger(n) ? String(n) : precise.format(n));

export const isNumber = (value: SqlValue | undefined): value is number | bigint => typeof value === 'number' || typeof value === 'bigint';

const textOf = (value: SqlValue) => (typeof value === 'string' ? value : isNumber(value) ? String(value) : JSON.stringify(value));

/** Which columns hold ids of runs: those called so, and `id` where the query reads the runs and no other view. */
function runColumns(answer: SqlAnswer, query: string): Set<number> {
    const onlyRuns = /\bfrom\s+runs\b/i.test(query) && !/\bjoin\b/i.test(query);
    const found = new Set<number>();
    answer.columns.forEach((name, i) => {
        if (name === 'run' || name === 'run_id' || (name === 'id' && onlyRuns)) found.add(i);
    });
    return found;
}

/* Wide enough for what the first rows hold. */
function widths(answer: SqlAnswer): number[] {
    return answer.columns.map((name, i) => {
        let most = name.length + 2;
        for (const row of answer.rows.slice(0, 200)) {
            const value = row[i];
            most = Math.max(most, isNumber(value) ? numberText(value).length : value == null ? 1 : textOf(value).length);
        }
        return Math.round(Math.min(Math.max(most * 7.3 + 20, 56), 380));
    });
}

export function SqlTable({ answer, query }: { answer: SqlAnswer; query: string }): JSX.Element {
    const height = useNarrow() ? 36 : 28;
    const offsets = useMemo(
        () => Float64Array.from({ length: answer.rows.length + 1 }, (_, i) => i * height),
        [answer, height],
    );
    const body = useRef<HTMLTableSectionElement>(null);
    const [from, until] = useInView(body, offsets);
    const wide = useMemo(() => widths(answer), [answer]);
    const runs = useMemo(() => runColumns(answer, query), [answer, query]);
    const numeric = useMemo(
        () => answer.columns.map((_, i) => answer.rows.slice(0, 200).some(row => isNumber(row[i]))),
        [answer],
    );
    const counter = Math.ceil(num(answer.rows.length).length * 7.3) + 16;
    const [open, setOpen] = useState<{ name: string; value: SqlValue } | null>(null);
    return (
        <div class="sql-x" role="region" aria-label="Rows" tabIndex={0}>
            <table class="sql" aria-rowcount={answer.rows.length + 1} style={{ width: `${wide.reduce((a, b) => a + b, counter)}px` }}>
                <colgroup>
                    <col style={{ width: `${counter}px` }} />
                    {wide.map((w, i) => (
                        <col key={i} style={{ width: `${w}px` }} />
                    ))}
                </colgroup>
                <thead>
                    <tr>
                        <th class="num">
                            <span class="sr">Row</span>
                        </th>
                        {answer.columns.map((name, i) => (
                            <th key={i} class={numeric[i] ? 'num' : undefined} title={visible(name)}>
                                {visible(name)}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody ref={body}>
                    {from > 0 && <Gap rows={from} height={height} />}
                    {answer.rows.slice(from, until).map((row, k) => (
                        <tr key={from + k} aria-rowindex={from + k + 2}>
                            <td class="num dim">{num(from + k + 1)}</td>
                            {row.map((value, i) => (
                                <td key={i} class={isNumber(value) || (value == null && numeric[i]) ? 'num' : undefined}>
                                    <Cell value={value} run={runs.has(i)} open={() => setOpen({ name: answer.columns[i]!, value })} />
                                </td>
                            ))}
                        </tr>
                    ))}
                    {until < answer.rows.length && <Gap rows={answer.rows.length - until} height={height} />}
                </tbody>
            </table>
            {open && (
                <Dialog title={visible(open.name)} wide onClose={() => setOpen(null)}>
                    <DialogHead title={visible(open.name)} onClose={() => setOpen(null)} />
                    <Whole value={open.value} />
                </Dialog>
            )}
        </div>
    );
}

function Cell({ value, run, open }: { value: SqlValue; run: boolean; open: () => void }): JSX.Element {
    if (value == null) return <span class="dim" title="NULL">{DASH}</span>;
    if (isNumber(value)) return <span title={String(value)}>{numberText(value)}</span>;
    const text = textOf(value);
    if (run && UUID.test(text)) return <a href={runPath(text)}>{text}</a>;
    const shown = visible(text.slice(0, SHOWN)).replace(/\s+/g, ' ');
    if (text.length <= 40 && !text.includes('\n')) return <>{shown}</>;
    return (
        <button class="as-text one" type="button" title="Show all of it" onClick={open}>
            {shown}
        </button>
    );
}

const WHOLE = 200_000; /* characters shown of a value; more is copied, not drawn */

function Whole({ value }: { value: SqlValue }): JSX.Element {
    const text = textOf(value);
    const root = useMemo(() => parseJson(text), [text]);
    return (
        <div class="pad whole">
            <p class="dim">
                {num(text.length)} characters{text.length > WHOLE && `, the first ${num(WHOLE)} are shown`}{' '}
                <CopyButton text={text} what="value" />
            </p>
            {root ? (
                <SourceTree id="value" text={text} root={root} />
            ) : (
                <pre>{visible(text.slice(0, WHOLE))}</pre>
            )}
        </div>
    );
}
