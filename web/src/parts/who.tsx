// Who labels and reviews in this browser: a name, given once.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { setLabelling, useLabelling } from '../labelling';
import { visible } from '../text';

/** `shy`: without a name a button, behind which it is asked for. */
export function Who({ shy = false }: { shy?: boolean }): JSX.Element {
    const { who } = useLabelling();
    const [editing, setEditing] = useState(false);
    if ((who || shy) && !editing)
        return (
            <button
                class="btn btn-bare"
                type="button"
                title="who labels and reviews in this browser; press to change"
                onClick={() => setEditing(true)}
            >
                {who ? `as ${visible(who)}` : 'Your name…'}
            </button>
        );
    return (
        <form
            class="lb-who"
            onSubmit={event => {
                event.preventDefault();
                event.stopPropagation();
                const name = new FormData(event.currentTarget).get('who')?.toString().trim();
                if (name) setLabelling({ who: name });
                setEditing(false);
            }}
        >
            <div class="input">
                <input
                    name="who"
                    aria-label="Your name"
                    placeholder="your name"
                    defaultValue={who}
                    autofocus={editing}
                    autocomplete="off"
                    maxLength={80}
                    required
                />
            </div>
            <button class="btn" type="submit">
                Keep
            </button>
        </form>
    );
}
