import { join } from 'node:path';
import { createHub } from 'tidings';
import type { EventInput, Hub } from 'tidings';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Database } from '../database/schema.ts';
import { openDatabase } from '../database/open.ts';
import { createLogger } from '../ops/logger.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { temporaryFolder } from '../testing/server.ts';
import { until } from '../testing/until.ts';
import { createOutbox } from './outbox.ts';
import type { Outbox } from './outbox.ts';

let db: Database;
let clock: ManualClock;
let hub: Hub;
let removeFolder: () => Promise<void>;
/** The data of the events that the hub accepted as new, in order. */
let published: unknown[];
let broken: Error | undefined;
let outbox: Outbox;

beforeEach(async () => {
  const { folder, remove } = await temporaryFolder();
  removeFolder = remove;
  db = await openDatabase({ file: join(folder, 'live.sqlite') });
  clock = manualClock();
  hub = createHub();
  published = [];
  broken = undefined;
  outbox = openOutbox();
});
afterEach(async () => {
  await outbox.close();
  await hub.close();
  await db.destroy();
  await removeFolder();
});

function openOutbox(): Outbox {
  return createOutbox({
    db,
    clock,
    log: createLogger('silent'),
    hub: {
      async publishAll(events: readonly EventInput[]) {
        if (broken !== undefined) throw broken;
        const results = await hub.publishAll(events);
        for (const [i, { duplicate }] of results.entries()) {
          if (!duplicate) published.push(events[i]?.data);
        }
        return results;
      },
    },
  });
}

/** Saves a page, and announces that a post is gone. */
function change(id: number, type: 'post:deleted' = 'post:deleted'): Promise<void> {
  return outbox.commit(async (transaction, tell) => {
    await transaction
      .insertInto('pages')
      .values({ name: `/${id}`, views: 0 })
      .execute();
    tell({ topics: 'posts', type, data: { id } });
  });
}

async function savedPages(): Promise<string[]> {
  const rows = await db.selectFrom('pages').select('name').orderBy('id').execute();
  return rows.map(({ name }) => name);
}

test('a change is saved, then published', async () => {
  await change(1);
  await change(2);
  expect(published).toEqual([{ id: 1 }, { id: 2 }]);
  expect(await savedPages()).toEqual(['/1', '/2']);
});

test('a failing change saves and publishes nothing, and blocks no other', async () => {
  const failing = outbox.commit(async (transaction, tell) => {
    await transaction.insertInto('pages').values({ name: '/bad', views: 0 }).execute();
    tell({ topics: 'posts', type: 'post:deleted', data: { id: 666 } });
    throw new Error('changed my mind');
  });
  await expect(failing).rejects.toThrow('changed my mind');
  await change(1);
  expect(published).toEqual([{ id: 1 }]);
  expect(await savedPages()).toEqual(['/1']);
});

test('an event saved but not published when the process died is published by the next one', async () => {
  broken = new Error('killed');
  await change(1);
  await change(2);
  broken = undefined;
  await openOutbox().publish();
  expect(published).toEqual([{ id: 1 }, { id: 2 }]);
});

test('an event published just before the process died is not published again', async () => {
  await change(1);
  await change(2);
  await openOutbox().publish();
  expect(published).toEqual([{ id: 1 }, { id: 2 }]);
});

test('while the hub fails, changes are saved, and published in order once it works again', async () => {
  broken = new Error('disk full');
  await change(1);
  await change(2);
  clock.advance(1000);
  await outbox.publish();
  expect(published).toEqual([]);
  broken = undefined;
  clock.advance(1000);
  await until(() => published.length > 0);
  await change(3);
  expect(published).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }]);
  expect(clock.timers).toBe(0);
});

test('an event that the hub refuses is dropped, and those after it are published', async () => {
  await change(1, 'no\ntype' as 'post:deleted');
  await change(2);
  expect(published).toEqual([{ id: 2 }]);
});

test('published events are deleted from the outbox', async () => {
  for (let id = 1; id <= 10; id += 1) await change(id);
  const rows = () => db.selectFrom('outbox').selectAll().execute();
  expect(await rows()).toHaveLength(1);
  await outbox.prune();
  expect(await rows()).toHaveLength(0);
  await change(11);
  await outbox.close();
  expect(await rows()).toHaveLength(0);
});
