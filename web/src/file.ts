// What the page itself writes to a file.
import type { Json } from './api';
import { bytes } from './format';
import { toast } from './parts/say';

/** A cell of CSV; one that a spreadsheet would take for a formula gets an apostrophe in front, as in the exports of the server. */
export function csvCell(value: Json | bigint | undefined): string {
    if (value == null) return '';
    const text = typeof value === 'string' ? value : typeof value === 'bigint' ? String(value) : JSON.stringify(value);
    const formula = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) && !/^[-+.\deE]{2,}$/.test(text);
    return formula || /[",\r\n]/.test(text) ? `"${formula ? "'" : ''}${text.replaceAll('"', '""')}"` : text;
}

export function saveFile(name: string, blob: Blob): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    toast(`${name}, ${bytes(blob.size)}`);
}
