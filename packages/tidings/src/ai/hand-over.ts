import type { RunsGateway } from '../hub/runs-gateway.ts';
import { textOf } from './merge.ts';
import type { RunsOptions } from './options.ts';
import { readRun } from './read-run.ts';
import type { StoredRecord } from './record.ts';

/**
 * Reads the whole answer from the log, and gives it to the app. If the answer went meanwhile, there is nothing to give.
 *
 * @throws {TidingsError} `hub/unavailable` if it can't be read to its end; what `onEnd` throws.
 */
export async function handOver(
  gateway: RunsGateway,
  { name, record: known }: StoredRecord,
  onEnd: RunsOptions['onEnd'],
  isThere: () => boolean,
): Promise<void> {
  const chunks: unknown[] = [];
  let record = known;
  for await (const item of readRun(gateway, name, { isThere })) {
    if (item.kind === 'gone') return;
    if (item.kind === 'chunks') chunks.push(...item.batch.chunks);
    // It is lost, if chunks are.
    else record = item.record;
  }
  const { owner: _o, length: _l, handingOver: _handingOver, handedOver: _handedOver, ...facts } = record;
  await onEnd?.({ ...facts, chunks, text: chunks.map(textOf).join('') });
}
