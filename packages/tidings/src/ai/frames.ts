import type { RunItem } from './read-run.ts';
import type { Batch } from './record.ts';
import type { RunFacts, View } from './view.ts';

/** Why a run is lost, as viewers read it. */
export const LOST = { code: 'run/lost', text: 'The server that wrote this answer went away.' };

/** @returns a function that makes the text of a run's items, for a viewer who has `after` chunks. */
export function createFrames(run: RunFacts, view: View, after: number): (item: RunItem) => string {
  let last: unknown;
  let count = Number.isFinite(after) ? after : 0;
  return (item) => {
    if (item.kind === 'chunks') {
      const { from, chunks } = item.batch;
      last = chunks.at(-1);
      count = from + chunks.length;
      return frameOf(item.batch, run, view);
    }
    const end = item.kind === 'end' ? item.record : { status: 'lost' as const, error: LOST };
    return view.end(end, run, last, count);
  };
}

/** The newest text. Viewers of one run get the same batch, one right after the other: it is encoded once for them. */
let encoded: { readonly batch: Batch; readonly view: View; readonly text: string } | undefined;

function frameOf(batch: Batch, run: RunFacts, view: View): string {
  if (encoded?.batch === batch && encoded.view === view) return encoded.text;
  const { from, chunks } = batch;
  let text = '';
  for (const [i, chunk] of chunks.entries()) text += view.chunk(chunk, from + i, run);
  encoded = { batch, view, text };
  return text;
}
