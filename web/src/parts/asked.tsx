// A table of what the server was asked for.
import type { JSX } from 'preact';
import type { Answer } from '../use';
import { Failure } from './say';

/** Its rows under their heads; instead of it what kept it from loading, or a word on there being nothing. */
export function AskedTable<T>({
    asked: { data, error, again },
    failed,
    none,
    kind,
    heads,
    children,
}: {
    asked: Pick<Answer<{ items: T[] }>, 'data' | 'error' | 'again'>;
    /** What is said over an error. */
    failed?: string;
    none: JSX.Element;
    /** Further classes of the table. */
    kind: string;
    /** Words, or whole cells. */
    heads: (string | JSX.Element)[];
    children: (item: T) => JSX.Element;
}): JSX.Element {
    return (
        <>
            {error && (
                <div class="pad">
                    <Failure error={error} again={again} what={failed} />
                </div>
            )}
            {data && !data.items.length && none}
            {!!data?.items.length && (
                <div class="scroll">
                    <table class={`grid-t stack ${kind}`}>
                        <thead>
                            <tr>{heads.map(head => (typeof head === 'string' ? <th key={head}>{head}</th> : head))}</tr>
                        </thead>
                        <tbody>{data.items.map(children)}</tbody>
                    </table>
                </div>
            )}
        </>
    );
}

/** Over buttons that say themselves what they do. */
export const ActionsHead = (): JSX.Element => (
    <th>
        <span class="sr">Actions</span>
    </th>
);
