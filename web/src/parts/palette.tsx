// "Go to": collections, pages, tasks and runs by a few letters of their name.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { api, type Collection } from '../api';
import { docs, docsPath } from '../docs';
import { runLabel } from '../format';
import { PLACES } from '../places';
import { collectionPath, go, runPath, taskPath } from '../router';
import { useAsk } from '../use';
import { Dialog } from './say';

interface Place {
    name: string;
    hint: string;
    to: string;
}

const matches = (name: string, words: string) =>
    words
        .toLowerCase()
        .split(/\s+/)
        .every(word => name.toLowerCase().includes(word));

export function Palette({ collection, onClose }: { collection?: Collection; onClose: () => void }): JSX.Element {
    const [words, setWords] = useState('');
    const [asked, setAsked] = useState('');
    const [at, setAt] = useState(0);
    useEffect(() => {
        const timer = setTimeout(() => setAsked(words.trim()), 120);
        return () => clearTimeout(timer);
    }, [words]);
    const collections = useAsk('palette', signal => api.collections({ limit: 200 }, signal));
    const detectors = useAsk(words.trim().length > 1 ? 'detectors' : null, signal => api.detectors(signal));
    const manual = useAsk(words.trim().length > 1 ? 'docs' : null, signal => docs.list(signal));
    const found = useAsk(collection && asked ? `palette ${collection.id} ${asked}` : null, async signal => {
        const [tasks, runs] = await Promise.all([
            api.tasks(collection!.id, { q: asked, limit: 8 }, signal),
            api.runs(collection!.id, { q: asked, limit: 8 }, signal),
        ]);
        return { tasks: tasks.items, runs: runs.items };
    });

    const places: Place[] = [];
    for (const place of PLACES) {
        if (place.of === 'collection' && !collection) continue;
        places.push({ name: place.name, hint: place.of === 'collection' ? collection!.name : 'page', to: place.to(collection) });
    }
    places.push({ name: 'All collections', hint: 'page', to: '/' });
    for (const c of collections.data?.items ?? []) places.push({ name: c.name, hint: 'collection', to: collectionPath(c) });
    // Room is left for tasks, runs and the search below them.
    const shown = places.filter(place => matches(place.name, words)).slice(0, 22);
    if (collection && found.data && asked === words.trim()) {
        for (const task of found.data.tasks)
            shown.push({
                name: `${task.task_id}  ${task.gist ?? ''}`,
                hint: 'task',
                to: taskPath(collection, task.task_id),
            });
        for (const run of found.data.runs)
            shown.push({ name: `${runLabel(run)}  ${run.gist ?? ''}`, hint: 'run', to: runPath(run.id) });
    }
    if (words.trim().length > 1) {
        for (const d of (detectors.data?.items ?? []).filter(d => matches(d.id, words)).slice(0, 8))
            shown.push({ name: d.id, hint: 'detector', to: '/rules?' + new URLSearchParams({ rule: d.id }) });
        for (const page of (manual.data?.items ?? []).filter(page => matches(page.title, words)).slice(0, 4))
            shown.push({ name: page.title, hint: 'documentation', to: docsPath(page.name) });
        const query = new URLSearchParams({ q: words.trim() });
        if (collection) query.set('collection', collection.name);
        shown.push({ name: `Search every message for “${words.trim()}”`, hint: 'search', to: '/search?' + query });
    }
    if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(words.trim()))
        shown.push({ name: words.trim(), hint: 'run id', to: runPath(words.trim()) });
    const chosen = Math.min(at, shown.length - 1);
    useEffect(() => document.getElementById(`go-${chosen}`)?.scrollIntoView({ block: 'nearest' }), [chosen]);

    const open = (place: Place | undefined) => {
        if (!place) return;
        onClose();
        go(place.to);
    };
    const onKeyDown = (event: KeyboardEvent) => {
        const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
        if (step) {
            event.preventDefault();
            setAt((chosen + step + shown.length) % Math.max(1, shown.length));
        } else if (event.key === 'Enter') {
            event.preventDefault();
            open(shown[chosen]);
        }
    };
    return (
        <Dialog title="Go to" onClose={onClose}>
            <div class="palette">
                <div class="input">
                    <input
                        autofocus
                        role="combobox"
                        aria-expanded="true"
                        aria-controls="palette-list"
                        aria-label="Go to"
                        aria-activedescendant={shown.length ? `go-${chosen}` : undefined}
                        placeholder={collection ? 'a page, collection, task or run' : 'a page or collection'}
                        value={words}
                        onInput={event => {
                            setWords(event.currentTarget.value);
                            setAt(0);
                        }}
                        onKeyDown={onKeyDown}
                    />
                    <kbd aria-hidden="true">Esc</kbd>
                </div>
                <ul id="palette-list" role="listbox" aria-label="Places">
                    {shown.slice(0, 40).map((place, i) => (
                        <li
                            key={place.to + place.name}
                            id={`go-${i}`}
                            role="option"
                            aria-selected={i === chosen}
                            onClick={() => open(place)}
                            onMouseMove={() => setAt(i)}
                        >
                            <span class="one">{place.name}</span>
                            <span class="dim">{place.hint}</span>
                        </li>
                    ))}
                </ul>
                {!shown.length && (
                    <p class="dim none" role="status">
                        Nothing has that name.
                    </p>
                )}
            </div>
        </Dialog>
    );
}
