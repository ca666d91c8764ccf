// What was sent, as JSON, to be read and copied.
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { CopyButton, Dialog, DialogHead } from './say';
import { FoldedText } from './textpart';

export function RawDialog({ title, value, onClose }: { title: string; value: object; onClose: () => void }): JSX.Element {
    const text = useMemo(() => JSON.stringify(value, null, 2), [value]);
    return (
        <Dialog title={title} wide onClose={onClose}>
            <DialogHead title={title} onClose={onClose} />
            <div class="pad raw">
                <p>
                    <CopyButton text={text} what="the JSON" />
                </p>
                <FoldedText id={'raw ' + title} text={text} look="raw" />
            </div>
        </Dialog>
    );
}
