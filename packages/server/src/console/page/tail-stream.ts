import { ApiError, send, tokenOf } from './api.ts';

/** A frame of the tail, whose data is JSON on one line. */
export interface TailFrame {
  readonly kind: string;
  readonly cursor: string | undefined;
  readonly value: TailValue;
}

export interface TailValue {
  readonly topics?: readonly string[];
  readonly type?: string;
  readonly key?: string;
  readonly tombstone?: boolean;
  readonly private?: boolean;
  readonly time?: number;
  readonly data?: string;
  /** The data's whole length, if it was cut. */
  readonly length?: number;
  readonly traceId?: string;
  readonly count?: number;
  readonly gaps?: readonly { readonly topics: readonly unknown[]; readonly reason: string }[];
}

/** Splits text that comes in pieces into frames. */
export class FrameReader {
  #rest = '';

  feed(text: string): TailFrame[] {
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    return blocks.flatMap((block) => {
      const fields = new Map(
        block
          .split('\n')
          .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]),
      );
      const data = fields.get('data');
      if (data === undefined) return [];
      const value = JSON.parse(data) as TailValue;
      return [{ kind: fields.get('event') ?? 'message', cursor: fields.get('id'), value }];
    });
  }
}

export interface TailListener {
  frame(frame: TailFrame): void;
  /** `open`, or `away`, while it is tried again. */
  state(state: 'open' | 'away'): void;
  /** The server refuses: it isn't tried again. */
  refused(error: ApiError): void;
}

const RETRY = 2000;

/** Follows the tail until `signal` is aborted, through interruptions: it goes on after the last event. */
export async function followTail(query: string, signal: AbortSignal, listener: TailListener): Promise<void> {
  let cursor: string | undefined;
  while (!signal.aborted) {
    try {
      const response = await send(`tail?${query}`, {
        signal,
        headers: {
          authorization: `Bearer ${tokenOf()}`,
          ...(cursor !== undefined && { 'last-event-id': cursor }),
        },
      });
      // Aborted once the response was there: the listener follows another stream.
      if (signal.aborted) return;
      listener.state('open');
      const reader = new FrameReader();
      for await (const text of chunksOf(response)) {
        for (const frame of reader.feed(text)) {
          cursor = frame.cursor ?? cursor;
          listener.frame(frame);
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500)
        return listener.refused(error);
    }
    if (signal.aborted) return;
    listener.state('away');
    await new Promise((resolve) => void setTimeout(resolve, RETRY));
  }
}

async function* chunksOf({ body }: Response): AsyncGenerator<string> {
  const reader = body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield decoder.decode(value, { stream: true });
  }
}
