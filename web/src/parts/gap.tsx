import type { JSX } from 'preact';

/** Rows that are not drawn, as one of their height. */
export function Gap({ rows, height }: { rows: number; height: number }): JSX.Element {
    return <tr aria-hidden="true" class="gap-row" style={{ height: `${rows * height}px` }} />;
}
