// Every page that one may go to from anywhere, a row each: the bar and "go to" are made of it.
import type { Collection } from './api';
import { collectionPath, rubricPath } from './router';

export type Tab =
    | 'story'
    | 'runs'
    | 'findings'
    | 'tasks'
    | 'compare'
    | 'map'
    | 'rubrics'
    | 'search'
    | 'query'
    | 'detectors'
    | 'jobs'
    | 'settings'
    | 'docs';

type Named = { id: string; name: string };

interface Place {
    tab: Tab;
    name: string;
    /** Of a collection: a tab of it. */
    of: 'collection' | 'all';
    count?: (c: Collection) => number;
    to: (c: Named | undefined) => string;
}

const within = (tab: string) => (c: Named | undefined) => (c ? collectionPath(c, tab) : '/');
const about = (path: string, key: string) => (c: Named | undefined) =>
    path + (c ? '?' + new URLSearchParams({ [key]: c.name }) : '');

export const PLACES: readonly Place[] = [
    { tab: 'story', name: 'Story', of: 'collection', to: within('') },
    { tab: 'runs', name: 'Runs', of: 'collection', count: c => c.runs, to: within('runs') },
    { tab: 'findings', name: 'Findings', of: 'collection', count: c => c.findings, to: within('findings') },
    { tab: 'tasks', name: 'Tasks', of: 'collection', count: c => c.tasks, to: within('tasks') },
    { tab: 'compare', name: 'Compare', of: 'collection', to: within('compare') },
    { tab: 'map', name: 'Map', of: 'collection', to: within('map') },
    { tab: 'search', name: 'Search', of: 'all', to: about('/search', 'collection') },
    { tab: 'query', name: 'Query', of: 'all', to: () => '/query' },
    { tab: 'detectors', name: 'Detectors', of: 'all', to: about('/rules', 'c') },
    { tab: 'rubrics', name: 'Rubrics', of: 'all', to: c => rubricPath(undefined, { collection: c?.name }) },
    { tab: 'jobs', name: 'Jobs', of: 'all', to: () => '/jobs' },
    { tab: 'settings', name: 'Settings', of: 'all', to: () => '/settings' },
    { tab: 'docs', name: 'Docs', of: 'all', to: () => '/docs' },
];
