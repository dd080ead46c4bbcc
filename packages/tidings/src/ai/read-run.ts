import type { Hub } from '../hub/hub.ts';
import type { Item, ItemEvent } from '../hub/delivery/items.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { RunName } from './names.ts';
import { type Batch, CHUNKS_TYPE, RECORD_TYPE, type RunRecord } from './record.ts';

/**
 * What a viewer of a run gets, in order. `gone` ends it: there is no such run any more, or its process went away and
 * took the log with it.
 */
export type RunItem =
  | { readonly kind: 'chunks'; readonly batch: Batch }
  | { readonly kind: 'end'; readonly record: RunRecord }
  | { readonly kind: 'gone' };

interface ReadOptions {
  /** How many chunks the reader has. */
  readonly after?: number;
  readonly signal?: AbortSignal;
  /** Whether the run's record is known to be on the log. Default: only a record in the snapshot proves it. */
  readonly isThere?: () => boolean;
}

/** Viewers of one run share the items of their subscription, which therefore are parsed once. */
const batches = new WeakMap<ItemEvent, Batch>();

function batchOf(item: ItemEvent): Batch {
  let batch = batches.get(item);
  if (batch === undefined) batches.set(item, (batch = item.json<Batch>()));
  return batch;
}

/**
 * Reads a run from a position: its chunks, live as they come, to its end. If the subscription is cut off, it begins
 * again where it was. Ends without an end only if the signal was aborted or the hub is closed.
 */
export async function* readRun(
  hub: Hub,
  { topic }: RunName,
  { after = 0, signal, isThere = () => false }: ReadOptions = {},
): AsyncGenerator<RunItem, undefined, undefined> {
  let next = after;
  for (let goesOn = true; goesOn;) {
    goesOn = false;
    let record: RunRecord | undefined;
    try {
      for await (const item of hub.subscribe(topic, signal === undefined ? {} : { signal })) {
        if (item.kind === 'gap') {
          // A new snapshot has everything again.
          goesOn = true;
          break;
        }
        // While a record changes, a snapshot has neither value; then the new one comes as an event.
        if (isSnapshotsEnd(item) && record === undefined && !isThere()) return yield { kind: 'gone' };
        if (item.kind !== 'state' && item.kind !== 'event') continue;
        if (item.type === RECORD_TYPE) {
          if (item.tombstone) return yield { kind: 'gone' };
          record = item.json<RunRecord>();
          if (record.status !== 'running') return yield { kind: 'end', record };
        } else if (item.type === CHUNKS_TYPE && !item.tombstone) {
          const batch = cutTo(batchOf(item), next);
          if (batch === undefined) continue;
          next = batch.from + batch.chunks.length;
          yield { kind: 'chunks', batch };
        }
      }
    } catch (error) {
      // A reader that was cut off begins again. One that the hub didn't let in ends here.
      goesOn = record !== undefined && error instanceof TidingsError && error.code === 'hub/unavailable';
      if (!goesOn) throw error;
    }
  }
  return undefined;
}

function isSnapshotsEnd(item: Item): boolean {
  return item.kind === 'cursor' || (item.kind === 'start' && item.cursor !== undefined);
}

/** The part of a batch from a position on; undefined if the reader has all of it. */
function cutTo(batch: Batch, next: number): Batch | undefined {
  if (batch.from >= next) return batch;
  const chunks = batch.chunks.slice(next - batch.from);
  return chunks.length === 0 ? undefined : { from: next, chunks };
}
