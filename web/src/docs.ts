// The documentation that is inside the program.
import { get, pathOf, type List } from './api';

export interface DocsPage {
    name: string;
    title: string;
    group: string;
    summary: string;
    /** Of a find: how many lines have all the words, and the first of them. */
    lines: number | null;
    hits: { heading: string; line: string }[];
}

export interface DocsText {
    name: string;
    title: string;
    group: string;
    text: string;
}

export const docs = {
    list: (signal?: AbortSignal) => get<List<DocsPage>>('/docs', undefined, signal),
    find: (q: string, signal?: AbortSignal) => get<List<DocsPage>>('/docs', { q }, signal),
    page: (name: string, signal?: AbortSignal) => get<DocsText>('/docs' + pathOf(name), undefined, signal),
};

export const docsPath = (name: string, anchor = '') => '/docs/' + encodeURIComponent(name) + (anchor ? '#' + anchor : '');

/** "rules.md#matchers" as the pages write it → the address of that place. */
export function docsAddress(target: string): string {
    const [file = '', anchor = ''] = target.split('#');
    if (!file) return '#' + anchor;
    return file.endsWith('.md') ? docsPath(file.slice(0, -3), anchor) : target;
}
