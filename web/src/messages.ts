// Messages of a transcript by range.
import { api, ApiError, type Mark, type Message, type Messages } from './api';
import type { Row } from './transcript';
import { asApiError } from './use';

interface Chunk {
    from: number;
    to: number;
    bytes: number;
    state: 'none' | 'loading' | 'loaded' | 'failed';
    error: ApiError | null;
    used: number;
}

const CHUNK_MESSAGES = 60;
const CHUNK_BYTES = 400_000;
const KEEP_BYTES = 64_000_000;
const MOST_AT_ONCE = 500; /* messages that the server gives in one answer */

/** Messages of one transcript, loaded in ranges of bounded size as they are looked at. */
export class Pages {
    readonly chunks: Chunk[] = [];
    private readonly messages: (Message | undefined)[];
    private readonly firstCalls = new Map<string, number>();
    private watchers = new Set<() => void>();
    private stop = new AbortController();
    private clock = 0;

    constructor(
        readonly run: string,
        readonly transcript: number,
        readonly marks: Mark[],
    ) {
        this.messages = new Array<Message | undefined>(marks.length);
        let from = 0;
        let bytes = 0;
        for (let i = 0; i <= marks.length; i++) {
            const full = i - from >= CHUNK_MESSAGES || (i > from && bytes + (marks[i]?.[1] ?? 0) > CHUNK_BYTES);
            if (i > from && (full || i === marks.length)) {
                this.chunks.push({ from, to: i, bytes, state: 'none', error: null, used: 0 });
                from = i;
                bytes = 0;
            }
            bytes += marks[i]?.[1] ?? 0;
        }
    }

    get(i: number): Message | undefined {
        return this.messages[i];
    }

    /** The earliest loaded message with this very call. */
    firstCall(name: string | null, args: string): number | undefined {
        return this.firstCalls.get(name + '\0' + args);
    }

    /** Takes messages that were asked for before it was known how many there are. */
    offer(page: Messages): void {
        if (page.total !== this.marks.length) return;
        for (const message of page.items) this.messages[message.index] ??= message;
        for (const watcher of this.watchers) watcher();
    }

    watch(watcher: () => void): () => void {
        this.watchers.add(watcher);
        return () => void this.watchers.delete(watcher);
    }

    close(): void {
        this.stop.abort();
        this.watchers.clear();
    }

    private chunkAt(i: number): number {
        let low = 0;
        let high = this.chunks.length - 1;
        while (low < high) {
            const middle = (low + high + 1) >> 1;
            if (this.chunks[middle]!.from <= i) low = middle;
            else high = middle - 1;
        }
        return low;
    }

    /** Loads what is missing of [from, to). */
    want(from: number, to: number): void {
        for (let c = this.chunkAt(from); c < this.chunks.length && this.chunks[c]!.from < to; c++) {
            const chunk = this.chunks[c]!;
            chunk.used = ++this.clock;
            if (chunk.state === 'none') void this.load(chunk);
        }
    }

    failure(i: number): ApiError | null {
        return this.chunks[this.chunkAt(i)]?.error ?? null;
    }

    again(i: number): void {
        void this.load(this.chunks[this.chunkAt(i)]!);
    }

    private async load(chunk: Chunk): Promise<void> {
        chunk.state = 'loading';
        chunk.error = null;
        try {
            for (const message of await this.fetch(chunk, this.stop.signal)) {
                this.messages[message.index] = message;
                for (const call of message.tool_calls) {
                    const key = call.name + '\0' + (call.arguments ?? '');
                    const before = this.firstCalls.get(key);
                    if (before === undefined || before > message.index) this.firstCalls.set(key, message.index);
                }
            }
            chunk.state = 'loaded';
            this.trim();
        } catch (e) {
            if (this.stop.signal.aborted) return;
            chunk.state = 'failed';
            chunk.error = asApiError(e);
        }
        for (const watcher of this.watchers) watcher();
    }

    /** The server cuts an answer short where messages are large; then there is more to ask for. */
    private async fetch(chunk: Row, signal: AbortSignal): Promise<Message[]> {
        const messages: Message[] = [];
        for (let from = chunk.from; from < chunk.to;) {
            const page = await api.messages(this.run, this.transcript, from, chunk.to - from, signal);
            if (!page.items.length)
                throw new ApiError(
                    0,
                    'page',
                    `The server gave no messages from M${from} on.`,
                    `the transcript of run ${this.run}`,
                );
            messages.push(...page.items);
            from += page.items.length;
        }
        return messages;
    }

    /** Lets go of the ranges that were not looked at for longest. */
    private trim(): void {
        let held = 0;
        for (const chunk of this.chunks) if (chunk.state === 'loaded') held += chunk.bytes;
        const oldest = this.chunks.filter(chunk => chunk.state === 'loaded').sort((a, b) => a.used - b.used);
        for (const chunk of oldest) {
            if (held <= KEEP_BYTES || chunk.used > this.clock - 4) return;
            for (let i = chunk.from; i < chunk.to; i++) this.messages[i] = undefined;
            chunk.state = 'none';
            held -= chunk.bytes;
        }
    }

    /** Every message in order, range by range; what is not held already is not held afterwards either. */
    async *all(signal: AbortSignal): AsyncGenerator<Message[]> {
        for (let c = 0; c < this.chunks.length && !signal.aborted;) {
            const first = this.chunks[c++]!;
            if (first.state === 'loaded') {
                yield this.messages.slice(first.from, first.to) as Message[];
                continue;
            }
            let { to, bytes } = first;
            for (; c < this.chunks.length && this.chunks[c]!.state !== 'loaded'; c++) {
                const next = this.chunks[c]!;
                if (next.to - first.from > MOST_AT_ONCE || bytes + next.bytes > CHUNK_BYTES * 8) break;
                to = next.to;
                bytes += next.bytes;
            }
            yield await this.fetch({ from: first.from, to }, signal);
        }
    }
}
