// Which rule is edited, and with what text: one that there is, a copy of one, or a new one from words in a transcript.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { api } from '../api';
import { Failure } from '../parts/say';
import { useCollection } from '../parts/shell';
import { go, usePlace, withQuery } from '../router';
import { likeText, ruleCalls, startText, type OwnRule } from '../rules';
import { visible } from '../text';
import { useAsk, useTitle } from '../use';
import { RuleEdit } from './ruleedit';

/** `id` null: a new rule. */
export function RuleOpen({ id }: { id: string | null }): JSX.Element | null {
    const { query } = usePlace();
    const like = query.get('like');
    useTitle(id == null ? 'New rule' : `Edit ${id}`);
    const [made, setMade] = useState<OwnRule | null>(null); /* just saved: the lists do not know it yet */
    const detectors = useAsk('detectors', signal => api.detectors(signal));
    const own = useAsk('own rules', signal => ruleCalls.own(signal));
    const collections = useAsk('collections', signal => api.collections({ limit: 200, sort: 'name' }, signal));
    const run = useAsk(query.get('run') && !query.get('c') ? 'run ' + query.get('run') : null, signal => api.run(query.get('run')!, signal));
    const chosen = query.get('c') ?? run.data?.collection ?? (collections.data?.items.length === 1 ? collections.data.items[0]!.name : null);
    const collection = useCollection(chosen);
    const error = detectors.error ?? own.error;
    if (error) return <Failure error={error} again={() => (detectors.again(), own.again())} />;
    if (!detectors.data || !own.data) return null;
    const known = id == null ? undefined : own.data.items.find(r => r.id === id);
    const mine = made && made.id === id && made.version > (known?.version ?? 0) ? made : known;
    const named = id ?? like;
    const rule = named == null ? undefined : detectors.data.items.find(d => d.id === named);
    if (named != null && !rule && !mine)
        return (
            <p class="none-yet">
                There is no detector {visible(named.slice(0, 80))}. <a href="/rules">All detectors</a>
            </p>
        );
    if (named != null && !mine && !rule?.text)
        return (
            <p class="none-yet">
                {visible(named)} is a judge, and asks what its <a href="/judges">rubric</a> says.
            </p>
        );
    const text =
        mine?.text ?? (id != null ? rule!.text! : rule ? likeText(rule) : startText(query.get('part'), query.get('quote')));
    return (
        <RuleEdit
            key={`${id} ${like} ${mine?.version}`}
            id={id}
            draft={id ?? JSON.stringify(['part', 'quote', 'like'].map(name => query.get(name)))}
            text={text.endsWith('\n') ? text : text + '\n'}
            own={mine}
            collection={collection}
            collections={collections.data?.items ?? []}
            onCollection={name => go(withQuery({ c: name }), true)}
            onSaved={saved => {
                setMade(saved);
                detectors.again();
                own.again();
                go('/rules?' + new URLSearchParams({ rule: saved.id, edit: '1', ...(chosen && { c: chosen }) }), id != null);
            }}
            onLeave={() => go('/rules' + (id == null ? '' : '?' + new URLSearchParams({ rule: id, ...(query.get('c') && { c: query.get('c')! }) })))}
        />
    );
}
