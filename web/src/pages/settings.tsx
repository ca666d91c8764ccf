// Models, tokens, webhooks, storage and version, theme.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api } from '../api';
import { useMay } from '../session';
import { bytes, count, num } from '../format';
import { ModelsPanel } from '../parts/models';
import { Failure } from '../parts/say';
import { TokensPanel } from '../parts/tokens';
import { Shell } from '../parts/shell';
import { WebhooksPanel } from '../parts/webhooks';
import { setTheme, theme, type Theme } from '../theme';
import { usePlace } from '../router';
import { visible } from '../text';
import { useAsk, useTitle } from '../use';

export function SettingsPage(): JSX.Element {
    useTitle('Settings');
    const { hash } = usePlace();
    // A link to one of the lists counts when what stands above it is there.
    const [ready, setReady] = useState(0);
    const onReady = () => setReady(n => n + 1);
    useEffect(() => document.getElementById(hash)?.scrollIntoView(), [hash, ready]);
    return (
        <Shell tab="settings">
            <main id="main">
                <h1 class="page-title">Settings</h1>
                <ModelsPanel onReady={onReady} />
                <TokensPanel onReady={onReady} />
                <WebhooksPanel onReady={onReady} />
                <Storage onReady={onReady} />
                <Look />
            </main>
        </Shell>
    );
}

/** What the data takes, where it is, and which program keeps it. */
function Storage({ onReady }: { onReady: () => void }): JSX.Element {
    const may = useMay('read', 'all');
    const mayLog = useMay('admin', 'all');
    const { data, error, again } = useAsk(may === false ? null : 'system', signal => api.system(signal));
    const collections = useAsk(may === false ? null : 'collections of storage', signal => api.collections({ limit: 1000 }, signal));
    useEffect(() => void ((data || may === false) && onReady()), [!data, may]);
    const rows: [string, JSX.Element | string][] = data
        ? [
              ['database', <span class="mono">{visible(data.database)}</span>],
              ['size', bytes(data.database_bytes) + (data.log_bytes ? `, and ${bytes(data.log_bytes)} of its write-ahead log` : '')],
              [
                  'holds',
                  collections.data
                      ? `${count(collections.data.items.reduce((sum, c) => sum + c.runs, 0), 'run')} in ${count(collections.data.total ?? collections.data.items.length, 'collection')}`
                      : num(null),
              ],
              ['waiting to be read', data.waiting ? `${count(data.waiting, 'upload')}, ${bytes(data.waiting_bytes)}` : 'nothing'],
              ['free on the disk', data.free_bytes == null ? num(null) : bytes(data.free_bytes)],
              ['version', `Telltale ${data.version}`],
              ['for programs', <><a href="/docs/rest">REST</a>, <a href="/openapi.json">openapi.json</a></>],
              ...(mayLog ? [['who changed what', <a href="/audit">log of changes</a>] as [string, JSX.Element]] : []),
          ]
        : [];
    return (
        <section class="panel" aria-label="Storage and version" id="storage">
            <header>
                <h2>Storage and version</h2>
                <span class="dim">everything is in one file of this machine</span>
            </header>
            {may === false && <p class="none-yet">Only a token with the scope read, for all collections, sees what is stored where.</p>}
            {error && (
                <div class="pad">
                    <Failure error={error} again={again} what="What the files take could not be asked." />
                </div>
            )}
            {!!rows.length && (
                <dl class="pad kept">
                    {rows.map(([name, value]) => (
                        <div key={name}>
                            <dt>{name}</dt>
                            <dd>{value}</dd>
                        </div>
                    ))}
                </dl>
            )}
        </section>
    );
}

function Look(): JSX.Element {
    const [now, set] = useState(theme());
    const choose = (next: Theme) => {
        setTheme(next);
        set(next);
    };
    return (
        <section class="panel" aria-label="Theme">
            <header>
                <h2>Theme</h2>
            </header>
            <div class="pad seg" role="group" aria-label="Theme">
                {(['system', 'light', 'dark'] as Theme[]).map(t => (
                    <button key={t} class="btn" type="button" aria-pressed={now === t} onClick={() => choose(t)}>
                        {t === 'system' ? 'as the system' : t}
                    </button>
                ))}
            </div>
        </section>
    );
}
