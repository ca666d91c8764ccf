// The log of changes: who did what, when, from where; the newest first.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { access, type Change } from '../access';
import { firstPages } from '../api';
import { DASH, count, time } from '../format';
import { AskedTable } from '../parts/asked';
import { Shell } from '../parts/shell';
import { go, usePlace, withQuery } from '../router';
import { visible } from '../text';
import { useAsk, useKept, useTitle } from '../use';

export function AuditPage(): JSX.Element {
    useTitle('Log of changes');
    const { query } = usePlace();
    const actor = query.get('actor') ?? '';
    const [pages, setPages] = useState(1);
    const { data: fresh, error, again } = useAsk(`audit ${actor} ${pages}`, signal =>
        firstPages(pages, after => access.changes(actor, after, signal)),
    );
    const data = useKept(fresh);
    return (
        <Shell tab="settings">
            <main id="main">
                <div class="title-row">
                    <h1 class="page-title">Log of changes</h1>
                    <span class="dim">each stands with what it changed, in the same transaction</span>
                    {actor && (
                        <button class="btn end" type="button" onClick={() => go(withQuery({ actor: null }))}>
                            By {visible(actor)} only: show all
                        </button>
                    )}
                </div>
                <section class="panel" aria-label="Log of changes">
                    <AskedTable
                        asked={{ data, error, again }}
                        failed="The log could not be loaded."
                        none={<p class="none-yet">{actor ? `${visible(actor)} has changed nothing.` : 'Nothing was changed yet.'}</p>}
                        kind="models audit"
                        heads={['When', 'Who', 'From', 'Did', 'With']}
                    >
                        {change => <Row key={change.id} change={change} />}
                    </AskedTable>
                    {data?.next && (
                        <p class="pad">
                            <button class="btn" type="button" onClick={() => setPages(pages + 1)}>
                                Show more
                            </button>{' '}
                            <span class="dim">{count(data.items.length, 'change')} shown</span>
                        </p>
                    )}
                </section>
            </main>
        </Shell>
    );
}

function Row({ change }: { change: Change }): JSX.Element {
    const detail = change.detail == null ? '{}' : JSON.stringify(change.detail);
    return (
        <tr>
            <td class="num-l">{time(change.at)}</td>
            <td data-l="who">
                <a href={withQuery({ actor: change.actor })}>{visible(change.actor)}</a>
            </td>
            <td data-l="from" class="mono dim">
                {change.address ?? DASH}
            </td>
            <td data-l="did" class="mono">
                {visible(change.action)}
            </td>
            <td data-l={change.target || detail.length > 2 ? 'with' : undefined}>
                <span class="mono">{visible(change.target ?? '')}</span> {detail !== '{}' && <span class="mono dim">{visible(detail.slice(0, 400))}</span>}
            </td>
        </tr>
    );
}
