// What stands around every page: top bar, skip link, go-to, key list, toasts, files dropped anywhere.
import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { api, type Collection } from '../api';
import { count, num, time } from '../format';
import { keyLabel, listKeys, useKeys } from '../keys';
import { PLACES, type Tab } from '../places';
import { decode, usePlace } from '../router';
import { nextTheme, setTheme, theme } from '../theme';
import { signOut, useSession } from '../session';
import { visible } from '../text';
import { asApiError, useAsk, useTitle } from '../use';
import { DropAnywhere } from './upload';
import { Palette } from './palette';
import { Popover } from './popover';
import { Dialog, DialogHead, Toasts, WaitBar, toastError } from './say';

export function Logo(): JSX.Element {
    return (
        <a class="logo" href="/">
            <svg viewBox="0 0 18 18" aria-hidden="true">
                <path d="M4 2v14" />
                <path class="yarn" d="M4 5.5c4-1.6 6 1.8 11 .2" />
                <path d="M4 9.5c3.6-1.4 5.5 1.6 9 .3" />
            </svg>
            <span>Telltale</span>
        </a>
    );
}

function ThemeButton(): JSX.Element {
    const [now, set] = useState(theme());
    const next = nextTheme(now);
    const name = { system: 'Auto', light: 'Light', dark: 'Dark' };
    return (
        <button
            class="btn btn-bare theme"
            type="button"
            title={`Theme: ${name[now].toLowerCase()}. Press for ${name[next].toLowerCase()}.`}
            aria-label={`${name[now]} theme, press for ${name[next].toLowerCase()}`}
            onClick={() => {
                setTheme(next);
                set(next);
            }}
        >
            {name[now]}
        </button>
    );
}

/** Who is signed in to a closed server, what they may, and the way out. */
function Account(): JSX.Element | null {
    const session = useSession();
    if (!session || session.mode === 'open' || !session.signed_in) return null;
    const leave = () => void signOut().catch((e: unknown) => toastError('You are still signed in.', asApiError(e)));
    return (
        <div class="account">
            <Popover label={visible(session.name ?? 'Account')}>
                {close => (
                    <div class="account-box">
                        <p>
                            Signed in with the token <b>{visible(session.name ?? '')}</b>
                        </p>
                        <dl class="kept">
                            <div>
                                <dt>may</dt>
                                <dd>{session.scopes.join(', ')}</dd>
                            </div>
                            <div>
                                <dt>collections</dt>
                                <dd>{session.collections ? count(session.collections.length, 'collection') : 'all'}</dd>
                            </div>
                            <div>
                                <dt>until</dt>
                                <dd>{time(session.expires_at)}</dd>
                            </div>
                        </dl>
                        <button
                            class="btn"
                            type="button"
                            onClick={() => {
                                close();
                                leave();
                            }}
                        >
                            Sign out
                        </button>
                    </div>
                )}
            </Popover>
        </div>
    );
}

/** The collection in the bar; known by name before its counts are. */
export function useCollection(name: string | null): Collection | undefined {
    const { data } = useAsk(name == null ? null : 'collection ' + name, signal => api.collection(name!, signal));
    return data;
}

/** Tabs that do not fit: the current one is in view, and an edge with more beyond it fades. */
function useTabs(shown: string): { current: HTMLElement | null } {
    const ref = useRef<HTMLElement>(null);
    useLayoutEffect(() => {
        const nav = ref.current;
        if (!nav) return;
        const look = () => {
            nav.classList.toggle('more-left', nav.scrollLeft > 2);
            nav.classList.toggle('more-right', nav.scrollLeft + nav.clientWidth < nav.scrollWidth - 2);
        };
        const current = nav.querySelector<HTMLElement>('[aria-current]');
        if (current) nav.scrollLeft = current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
        look();
        nav.addEventListener('scroll', look, { passive: true });
        addEventListener('resize', look);
        return () => {
            nav.removeEventListener('scroll', look);
            removeEventListener('resize', look);
        };
    }, [shown]);
    return ref;
}

export function Shell({
    collection,
    name,
    tab,
    children,
}: {
    /** Whose tabs to show: its counts, and its name for the time until they are known. */
    collection?: Collection;
    name?: string;
    /** Which of the places it is. */
    tab?: Tab;
    children: ComponentChildren;
}): JSX.Element {
    const [palette, setPalette] = useState(false);
    const [help, setHelp] = useState(false);
    useKeys('Everywhere', [
        { key: 'mod+k', does: 'go to anything', typing: true, run: () => setPalette(true) },
        { key: '?', does: 'list the keys', run: () => setHelp(true) },
    ]);
    const shown = collection?.name ?? name;
    const named = collection ?? (name == null ? undefined : { id: name, name });
    const link = (place: (typeof PLACES)[number]) => (
        <a key={place.tab} href={place.to(named)} aria-current={tab === place.tab ? 'page' : undefined}>
            {place.name}
            {collection && place.count && <small>{num(place.count(collection))}</small>}
        </a>
    );
    const tabs = useTabs(`${tab} ${collection?.id}`);
    const everywhere = PLACES.filter(place => place.of === 'all').map(link);
    return (
        <>
            <a class="skip" href="#main" onClick={skip}>
                Skip to content
            </a>
            <header class="top">
                <Logo />
                {shown != null && (
                    <button class="where" type="button" title="change collection" onClick={() => setPalette(true)}>
                        <span class="sr">Collection </span>
                        <b class="one">{shown}</b>
                        {collection && <span class="dim">{num(collection.runs)} runs</span>}
                    </button>
                )}
                {shown != null && (
                    <nav class="tabs" aria-label="Collection" ref={tabs}>
                        {PLACES.filter(place => place.of === 'collection').map(link)}
                    </nav>
                )}
                <div class="right">
                    <nav class="all-pages" aria-label="Telltale">
                        {everywhere}
                    </nav>
                    <Popover label="More">
                        {close => (
                            <nav class="more-pages" aria-label="Telltale" onClick={close}>
                                {everywhere}
                            </nav>
                        )}
                    </Popover>
                    <button class="goto" type="button" title="Go to anything" onClick={() => setPalette(true)}>
                        <svg viewBox="0 0 16 16" aria-hidden="true">
                            <circle cx="7" cy="7" r="4.5" />
                            <path d="M10.5 10.5l4 4" />
                        </svg>
                        <span>Go to</span>
                        <kbd>{keyLabel('mod+k')}</kbd>
                    </button>
                    <Account />
                    <ThemeButton />
                </div>
                <WaitBar />
            </header>
            {children}
            <Toasts />
            <DropAnywhere collection={shown} />
            {palette && <Palette collection={collection} onClose={() => setPalette(false)} />}
            {help && <KeyList onClose={() => setHelp(false)} />}
        </>
    );
}

function skip(event: MouseEvent): void {
    event.preventDefault();
    const main = document.getElementById('main');
    main?.setAttribute('tabindex', '-1');
    main?.focus();
}

function KeyList({ onClose }: { onClose: () => void }): JSX.Element {
    const [groups] = useState(listKeys);
    return (
        <Dialog title="Keys" onClose={onClose}>
            <DialogHead title="Keys" onClose={onClose} />
            <div class="keylist">
                {groups.map(group => (
                    <section key={group.title}>
                        <h3>{group.title}</h3>
                        <dl>
                            {group.keys.map(key => (
                                <div key={key.key}>
                                    <dt>
                                        <kbd>{keyLabel(key.key)}</kbd>
                                    </dt>
                                    <dd>{key.does}</dd>
                                </div>
                            ))}
                        </dl>
                    </section>
                ))}
                <section>
                    <h3>Controls</h3>
                    <dl>
                        <div>
                            <dt>
                                <kbd>Tab</kbd>
                            </dt>
                            <dd>reaches every link and button</dd>
                        </div>
                    </dl>
                </section>
            </div>
        </Dialog>
    );
}

export function UnknownPage(): JSX.Element {
    useTitle('Nothing here');
    const { path } = usePlace();
    return (
        <Shell>
            <main id="main" class="lone">
                <section class="panel pad">
                    <h1>There is nothing here</h1>
                    <p class="sub">
                        No page has the address <code>{visible(decode(path))}</code>. It may be cut short or mistyped.
                    </p>
                    <div class="back">
                        <a class="btn" href="/">
                            All collections
                        </a>
                    </div>
                </section>
            </main>
        </Shell>
    );
}
