// A button that opens a small box under it; Escape or a click elsewhere closes it.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export function Popover({
    label,
    off,
    children,
}: {
    label: string;
    /** Nothing in it can be done now. */
    off?: boolean;
    children: (close: () => void) => ComponentChildren;
}): JSX.Element {
    const ref = useRef<HTMLDetailsElement>(null);
    const close = () => ref.current && (ref.current.open = false);
    useEffect(() => {
        const outside = (event: Event) => !ref.current?.contains(event.target as Node) && close();
        addEventListener('pointerdown', outside);
        return () => removeEventListener('pointerdown', outside);
    }, []);
    return (
        <details
            class="popover"
            ref={ref}
            inert={off}
            onKeyDown={event => {
                if (event.key !== 'Escape') return;
                event.preventDefault();
                close();
                ref.current?.querySelector('summary')?.focus();
            }}
        >
            <summary class="btn">{label}</summary>
            <div class="pop">{children(close)}</div>
        </details>
    );
}
