import type { Hub } from '../hub/hub.ts';
import { textOf } from './merge.ts';
import type { RunsOptions } from './options.ts';
import { readRun } from './read-run.ts';
import type { StoredRecord } from './record.ts';

/** Reads the whole answer from the log, and gives it to the app. */
export async function handOver(
  hub: Hub,
  { name, record }: StoredRecord,
  onEnd: RunsOptions['onEnd'],
  isThere: () => boolean,
): Promise<void> {
  const chunks: unknown[] = [];
  for await (const item of readRun(hub, name, { isThere }))
    if (item.kind === 'chunks') chunks.push(...item.batch.chunks);
  const { owner: _owner, handingOver: _handingOver, handedOver: _handedOver, ...facts } = record;
  await onEnd?.({ ...facts, chunks, text: chunks.map(textOf).join('') });
}
