import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { lmdbLog } from '../src/logs/lmdb/index.ts';
import { createHub, gatewayOf } from './internals.ts';

test('an LMDB log finds events by their tags, short and long, also after it was opened again', async () => {
  const path = mkdtempSync(join(tmpdir(), 'tidings-tags-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  const values = ['x', 'a'.repeat(63), 'a'.repeat(64), 'é'.repeat(200), '💫'.repeat(127), 'z'.repeat(255)];
  const cursors: string[] = [];
  const first = createHub({ log: lmdbLog({ path }) });
  for (const id of values) cursors.push((await first.publish('a', 1, { tags: { id } })).cursor);
  await first.publish('a', 1, { tags: { id: 'x' } });
  await first.close();
  const again = createHub({ log: lmdbLog({ path }) });
  onTestFinished(() => again.close());
  const found = await Promise.all(values.map((value) => gatewayOf(again).find('id', value)));
  expect(found).toEqual(cursors);
});
