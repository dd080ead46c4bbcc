import type { Batch } from './record.ts';
import type { RunItem } from './read-run.ts';
import type { RunFacts, View } from './view.ts';

/** The text of whole batches, encoded once for all viewers with the same view. */
const encoded = new WeakMap<Batch, Map<View, string>>();

/**
 * A run as a stream of text. Returns true if the stream brought the run's end, and false if it stopped earlier and the
 * client has to come back.
 */
export async function* framesOf(
  items: AsyncIterable<RunItem>,
  run: RunFacts,
  view: View,
  after: number,
): AsyncGenerator<string, boolean> {
  let last: unknown;
  let count = Number.isFinite(after) ? after : 0;
  for await (const item of items) {
    if (item.kind === 'chunks') {
      last = item.batch.chunks.at(-1);
      count = item.batch.from + item.batch.chunks.length;
      yield frameOf(item.batch, run, view);
    } else {
      const end = item.kind === 'end' ? item.record : { status: 'lost' as const, error: LOST };
      yield view.end(end, run, last, count);
      return true;
    }
  }
  return false;
}

/** Why a run is lost, as viewers read it. */
export const LOST = { code: 'run/lost', text: 'The server that wrote this answer went away.' };

function frameOf(batch: Batch, run: RunFacts, view: View): string {
  let views = encoded.get(batch);
  if (views === undefined) encoded.set(batch, (views = new Map<View, string>()));
  let text = views.get(view);
  if (text === undefined) {
    text = batch.chunks.map((chunk, i) => view.chunk(chunk, batch.from + i, run)).join('');
    views.set(view, text);
  }
  return text;
}
