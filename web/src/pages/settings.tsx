// Theme, models and jobs.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { JobsPanel } from '../parts/jobs';
import { ModelsPanel } from '../parts/models';
import { Shell } from '../parts/shell';
import { setTheme, theme, type Theme } from '../theme';
import { usePlace } from '../router';
import { useTitle } from '../use';

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
                <h1 class="page-title">Settings and jobs</h1>
                <ModelsPanel onReady={onReady} />
                <JobsPanel onReady={onReady} />
                <Look />
            </main>
        </Shell>
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
