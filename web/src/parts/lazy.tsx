// Pages, and parts of them, whose code is loaded when they are first opened.
import type { FunctionComponent, JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Shell } from './shell';

let moved = false;
/** Puts the focus where a new page begins: without this, it would stay with a link that is gone. */
export function focusMain(): void {
    moved = true;
    const main = document.getElementById('main');
    if (!main || document.querySelector('dialog[open]')) return;
    main.tabIndex = -1;
    main.focus({ preventScroll: true });
}

/** `part`: it stands in a page that is there already, and nothing stands for it meanwhile. */
export function lazy<P extends object>(load: () => Promise<FunctionComponent<P>>, part = false): FunctionComponent<P> {
    let Page: FunctionComponent<P> | undefined;
    return props => {
        const [state, set] = useState<'waiting' | 'here' | 'gone'>(Page ? 'here' : 'waiting');
        useEffect(() => {
            if (Page) return;
            load().then(
                page => {
                    Page = page;
                    set('here');
                    if (moved && !part) requestAnimationFrame(focusMain);
                },
                () => set('gone'),
            );
        }, []);
        if (state === 'here' && Page) return <Page {...props} />;
        if (!part) return <Waiting gone={state === 'gone'} />;
        return state === 'gone' ? <Gone /> : null;
    };
}

function Waiting({ gone }: { gone: boolean }): JSX.Element {
    return (
        <Shell>
            <main id="main" class="lone">
                {gone && (
                    <section class="panel pad">
                        <Gone />
                    </section>
                )}
            </main>
        </Shell>
    );
}

const Gone = () => (
    <p role="alert">
        <b>This part could not be loaded.</b>{' '}
        <span class="sub">The program may have been replaced by another version meanwhile: reload the page.</span>
    </p>
);
