import type { Hub } from '../../hub/hub.ts';
import { createError } from '../../protocol/errors.ts';
import { type Checks, aString, assertOptions, invalidOption } from '../../protocol/options.ts';
import { formatRunCursor, parseRunCursor } from '../view.ts';
import { type PortOptions, type StoredChunks, StoredStreams, type Writer } from './stored-streams.ts';

/** The `StreamDurability` of `@tanstack/ai`. Chunks are its `StreamChunk`s. */
export interface TanStackDurability {
  resumeFrom(): string | null;
  append(chunks: readonly unknown[]): Promise<string[]>;
  read(
    offset: string,
    signal?: AbortSignal,
  ): AsyncIterable<{ readonly offset: string; readonly chunk: never }>;
  close(): Promise<void>;
  snapshot(): Promise<{ offset: string; chunk: never }[]>;
}

/** Instead of a request: the run's name, and where a reader goes on. */
export interface TanStackRun {
  readonly runId: string;
  readonly offset?: string | null;
}

export const RUN: Checks<TanStackRun> = {
  runId: aString,
  offset: { expected: 'an offset, or null', accepts: (value) => typeof value === 'string' || value === null },
};

/** From the beginning, and from the present end, as TanStack AI's clients say it. */
const START = '-1';
const NOW = 'now';
/** Milliseconds that a reader from the beginning waits for a run to begin. */
const PATIENCE = 1000;

/**
 * Makes the durability of TanStack AI's responses on the hub's log: call the result with each request, and give what it
 * returns as `durability: { adapter }`. A run whose process dies ends with an error for its readers, so none waits for ever.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function tanstackDurability(
  hub: Hub,
  options: PortOptions = {},
): (source: Request | TanStackRun) => TanStackDurability {
  const streams = new StoredStreams(hub, options);
  return (source) => {
    const { runId, offset } = runOf(source);
    let writer: Promise<Writer> | undefined;

    async function begin(): Promise<Writer> {
      const begun = await streams.begin(runId);
      if (begun !== undefined) return begun;
      const message = `The run ${JSON.stringify(runId)} is there already: read it, or give the new one another id.`;
      throw createError('event/conflict', message, { details: { runId } });
    }

    async function* read(
      from: string,
      signal?: AbortSignal,
    ): AsyncGenerator<{ offset: string; chunk: never }> {
      const end = signal ?? new AbortController().signal;
      const after = from === START ? 0 : from === NOW ? await lengthOf() : positionIn(from, runId);
      const reading = streams.read(runId, after, end, from === START ? PATIENCE : undefined);
      for (;;) {
        const { done, value } = await reading.next();
        if (done !== true) {
          yield* entriesOf(runId, value);
          continue;
        }
        if (value === undefined && !end.aborted)
          throw createError('run/lost', `The run ${JSON.stringify(runId)} isn't there, or its process died.`);
        return;
      }
    }

    async function lengthOf(): Promise<number> {
      return (await snapshot()).length;
    }

    async function snapshot(): Promise<{ offset: string; chunk: never }[]> {
      return (await streams.stored(runId)).flatMap((stored) => [...entriesOf(runId, stored)]);
    }

    return {
      resumeFrom: () => offset,
      async append(chunks) {
        if (chunks.length === 0) return [];
        writer ??= begin();
        const from = await (await writer).append(chunks.map((chunk) => JSON.stringify(chunk)));
        return chunks.map((_, i) => formatRunCursor({ id: runId, after: from + i + 1 }));
      },
      read,
      async close() {
        // Nothing was appended, or it was another's.
        const own = await writer?.catch(() => undefined);
        await own?.end('done');
      },
      snapshot,
    };
  };
}

function* entriesOf(
  runId: string,
  { from, chunks }: StoredChunks,
): Generator<{ offset: string; chunk: never }> {
  for (const [i, chunk] of chunks.entries()) {
    yield { offset: formatRunCursor({ id: runId, after: from + i + 1 }), chunk: JSON.parse(chunk) as never };
  }
}

/** The run that a request names, as TanStack AI's clients do: with `X-Run-Id`, `?runId=`, or by where they resume. */
function runOf(source: Request | TanStackRun): { readonly runId: string; readonly offset: string | null } {
  if (!(source instanceof Request)) {
    assertOptions(source, RUN);
    return { runId: source.runId, offset: source.offset ?? null };
  }
  const { searchParams } = new URL(source.url);
  const offset = source.headers.get('last-event-id') ?? searchParams.get('offset');
  const cursor = offset === null ? undefined : parseRunCursor(offset);
  const runId = cursor?.id ?? source.headers.get('x-run-id') ?? searchParams.get('runId');
  return { runId: runId ?? crypto.randomUUID(), offset };
}

function positionIn(offset: string, runId: string): number {
  const cursor = parseRunCursor(offset);
  if (cursor?.id === runId) return cursor.after;
  throw invalidOption(
    'offset',
    `Expected an offset of the run ${JSON.stringify(runId)}, got ${JSON.stringify(offset)}.`,
  );
}
