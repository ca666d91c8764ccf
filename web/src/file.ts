// What the page itself writes to a file.
import { bytes } from './format';
import { toast } from './parts/say';

/** A cell of CSV; one that a spreadsheet would take for a formula is kept as text. */
export function csvCell(value: string | number | null | undefined): string {
    const text = value == null ? '' : String(value);
    const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? "'" + text : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function saveFile(name: string, blob: Blob): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    toast(`${name}, ${bytes(blob.size)}`);
}
