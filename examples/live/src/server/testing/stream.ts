import { DEADLINE } from '../../../../../scripts/deadline.ts';

/** JSON from the server; the test asserts its shape. */
export type Json = ReturnType<(typeof JSON)['parse']>;

/** One event of a stream, as it came. */
export interface StreamEvent {
  type: string;
  data: string;
  id: string | undefined;
  json: () => Json;
}

/** An open event stream, read with nothing but `fetch`. */
export interface Stream {
  readonly response: Response;
  /** All events so far. */
  readonly events: readonly StreamEvent[];
  /** The first event of this type (and which fits) that was not returned before, waited for. */
  next(type: string, fits?: (data: Json) => boolean): Promise<StreamEvent>;
  /** Resolves when the server has ended the stream. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export async function openStream(url: string | URL, headers: Record<string, string> = {}): Promise<Stream> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const events: StreamEvent[] = [];
  const seen = new Set<StreamEvent>();
  const waiting = new Set<() => void>();
  let over = false;

  async function read(): Promise<void> {
    let text = '';
    try {
      for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
        text += chunk;
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        events.push(...blocks.flatMap((block) => parse(block) ?? []));
        for (const wake of waiting) wake();
      }
    } catch (error) {
      if (!abort.signal.aborted && !isCut(error)) throw error;
    }
    over = true;
    for (const wake of waiting) wake();
  }
  const ended = read();

  return {
    response,
    events,
    ended,
    async next(type, fits = () => true) {
      for (;;) {
        const found = events.find((event) => !seen.has(event) && event.type === type && fits(event.json()));
        if (found !== undefined) {
          seen.add(found);
          return found;
        }
        if (over) throw new Error(`The stream ended without the event ${type}; it had ${describe(events)}.`);
        await nextChange(waiting, () => `No event ${type} came; there were ${describe(events)}.`);
      }
    },
    async close() {
      abort.abort();
      await ended;
    },
  };
}

function nextChange(waiting: Set<() => void>, complain: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      waiting.delete(done);
      clearTimeout(timer);
      resolve();
    };
    const timer = setTimeout(() => {
      waiting.delete(done);
      reject(new Error(complain()));
    }, DEADLINE);
    waiting.add(done);
  });
}

function parse(block: string): StreamEvent | undefined {
  let type = 'message';
  let id: string | undefined;
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
    if (field === 'event') type = value;
    if (field === 'id') id = value;
    if (field === 'data') data.push(value);
  }
  if (data.length === 0) return undefined;
  const text = data.join('\n');
  return { type, data: text, id, json: () => JSON.parse(text) };
}

function describe(events: readonly StreamEvent[]): string {
  return events.map(({ type }) => type).join(', ') || 'none';
}

function isCut(error: unknown): boolean {
  return error instanceof TypeError && error.message === 'terminated';
}
