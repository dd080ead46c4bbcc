import type { Item, ItemEvent } from '../hub/delivery/items.ts';
import type { RunsGateway } from '../hub/runs-gateway.ts';
import type { Listening } from '../hub/subscribe.ts';
import { createError } from '../protocol/errors.ts';
import { LOST } from './frames.ts';
import type { RunName } from './names.ts';
import { type Batch, CHUNKS_TYPE, RECORD_TYPE, type RunRecord } from './record.ts';
import { closing } from './records.ts';

/**
 * An item that a viewer of a run gets, in order. `gone` ends it: there is no such run any more, or its process went away and
 * took the log with it.
 */
export type RunItem =
  | { readonly kind: 'chunks'; readonly batch: Batch }
  | { readonly kind: 'end'; readonly record: RunRecord }
  | { readonly kind: 'gone' };

/** Where a run's items go. */
export interface RunSink {
  /** @returns false if no more should come before `more`. Errors end the reading. */
  take(item: RunItem): boolean;
  /** The reading ended before the run. Without an error: the hub is closed. */
  over(error?: unknown): void;
}

export interface ReadOptions {
  /** How many chunks the reader has. Infinity: it wants none. */
  readonly after?: number;
  /** Whether the run's record is known to be on the log. Default: only a record in the snapshot proves it. */
  readonly isThere?: () => boolean;
}

/**
 * Reads a run from a position: its chunks, live as they come, to its end. If the subscription is cut off, it begins again
 * where it was. It calls its sink and has no promises: a server has thousands of them (`runs`).
 */
export class RunReader {
  readonly #gateway: RunsGateway;
  readonly #topic: string;
  readonly #sink: RunSink;
  readonly #isThere: () => boolean;
  /** How many chunks the sink has. */
  #next: number;
  /** Whether the record has come since the reading last began. */
  #hasRecord = false;
  /** Batches that came before others which belong in front of them: a log that lost its end gets those again. */
  #early: Batch[] = [];
  #listening: Listening | undefined;
  #isOver = false;

  /** @throws {TidingsError} `hub/unavailable`. */
  constructor(
    gateway: RunsGateway,
    { topic }: RunName,
    { after = 0, isThere = () => false }: ReadOptions,
    sink: RunSink,
  ) {
    this.#gateway = gateway;
    this.#topic = topic;
    this.#sink = sink;
    this.#isThere = isThere;
    this.#next = after;
    this.#open();
  }

  /** The sink can take more, after it has returned false. */
  more(): void {
    this.#listening?.drained();
  }

  close(): void {
    this.#isOver = true;
    this.#listening?.close();
  }

  #open(): void {
    this.#hasRecord = false;
    this.#early = [];
    this.#listening = this.#gateway.listen(this.#topic, {
      take: (items) => this.#takeAll(items),
      over: (how) => this.#cut(how),
    });
  }

  #reopen(): void {
    try {
      this.#listening?.close();
      this.#open();
    } catch (error) {
      this.#end(this.#gateway.closing ? undefined : error);
    }
  }

  #cut(how: 'done' | 'cut'): void {
    if (this.#isOver) return;
    if (how === 'done' || this.#gateway.closing) return this.#end();
    // A reader that was cut off begins again. One that the hub didn't let in ends here.
    if (this.#hasRecord) return this.#reopen();
    this.#end(createError('hub/unavailable', 'The run could not be read.', { details: { retryAfter: 1 } }));
  }

  #end(error?: unknown): void {
    if (this.#isOver) return;
    this.close();
    this.#sink.over(error);
  }

  #takeAll(items: readonly Item[]): boolean {
    try {
      let takesMore = true;
      for (const [i, item] of items.entries()) {
        if (this.#isOver) break;
        if (item.kind === 'gap') {
          // A new snapshot has everything again.
          this.#reopen();
          return true;
        }
        takesMore = this.#take(item, items, i);
      }
      return takesMore;
    } catch (error) {
      this.#end(error);
      return true;
    }
  }

  #take(item: Exclude<Item, { kind: 'gap' }>, items: readonly Item[], index: number): boolean {
    if (isSnapshotsEnd(item)) {
      // While a record changes, a snapshot has neither value; then the new one comes as an event.
      return this.#hasRecord || this.#isThere() || this.#finish({ kind: 'gone' });
    }
    if (item.kind !== 'state' && item.kind !== 'event') return true;
    if (item.type === RECORD_TYPE) {
      if (item.tombstone) return this.#finish({ kind: 'gone' });
      this.#hasRecord = true;
      const record = item.json<RunRecord>();
      return record.status === 'running' || this.#finish({ kind: 'end', record: this.#judge(record) });
    }
    if (item.type !== CHUNKS_TYPE || item.tombstone || this.#next === Infinity) return true;
    return this.#takeBatch(batchOf(item, items, index));
  }

  #takeBatch(given: Batch): boolean {
    if (given.from > this.#next) {
      this.#early.push(given);
      return true;
    }
    const batch = cutTo(given, this.#next);
    if (batch === undefined) return true;
    this.#next = batch.from + batch.chunks.length;
    let takesMore = this.#sink.take({ kind: 'chunks', batch });
    for (let i = 0; i < this.#early.length; i += 1) {
      const next = this.#early[i];
      if (next === undefined || next.from > this.#next) continue;
      this.#early.splice(i, 1);
      takesMore = this.#takeBatch(next);
      break;
    }
    return takesMore;
  }

  /** The record, or that of a lost run if the log has lost chunks which belong to it. */
  #judge(record: RunRecord): RunRecord {
    const isWhole = this.#early.length === 0 && this.#next >= (record.length ?? 0);
    return isWhole ? record : { ...record, status: 'lost', error: LOST };
  }

  #finish(item: RunItem): boolean {
    this.close();
    return this.#sink.take(item);
  }
}

/**
 * The same for a loop. It ends after the run's end, or when the signal is aborted.
 *
 * @throws {TidingsError} `hub/unavailable`, also if the hub closes meanwhile.
 */
export async function* readRun(
  gateway: RunsGateway,
  name: RunName,
  { signal, ...options }: ReadOptions & { readonly signal?: AbortSignal } = {},
): AsyncGenerator<RunItem, undefined, undefined> {
  const isLeft = (): boolean => signal?.aborted === true;
  if (isLeft()) return undefined;
  let items: RunItem[] = [];
  let end: { readonly error: unknown } | undefined;
  let wake = (): void => {};
  const reader = new RunReader(gateway, name, options, {
    take(item) {
      items.push(item);
      wake();
      return false;
    },
    over(error) {
      end = { error: error ?? closing() };
      wake();
    },
  });
  const onAbort = (): void => wake();
  signal?.addEventListener('abort', onAbort);
  try {
    while (!isLeft()) {
      const taken = items;
      items = [];
      for (const item of taken) {
        if (isLeft()) return undefined;
        yield item;
        if (item.kind !== 'chunks') return undefined;
      }
      if (items.length > 0) continue;
      if (end !== undefined) throw end.error;
      const woken = new Promise<void>((resolve) => (wake = resolve));
      reader.more();
      await woken;
    }
    return undefined;
  } finally {
    signal?.removeEventListener('abort', onAbort);
    reader.close();
  }
}

function isSnapshotsEnd(item: Item): boolean {
  return item.kind === 'cursor' || (item.kind === 'start' && item.cursor !== undefined);
}

/** The newest delivery, and its batches. Viewers of one run are given the same delivery, one right after the other. */
let delivery: readonly Item[] = [];
let batches: Batch[] = [];

function batchOf(item: ItemEvent, items: readonly Item[], index: number): Batch {
  if (items !== delivery) {
    delivery = items;
    batches = [];
  }
  return (batches[index] ??= item.json<Batch>());
}

/** The part of a batch from a position on; undefined if the reader has all of it. */
function cutTo(batch: Batch, next: number): Batch | undefined {
  if (batch.from >= next) return batch;
  const chunks = batch.chunks.slice(next - batch.from);
  return chunks.length === 0 ? undefined : { from: next, chunks };
}
