import { expect, test } from 'vitest';
import { until } from '../../../test/http/deadline.ts';
import type { Database } from './database.ts';
import { startWakeUps } from './wake-ups.ts';

test('notifies others once an append has committed, however long that takes', async () => {
  const done: string[] = [];
  const run = (): Promise<never[]> => {
    done.push('notified');
    return Promise.resolve([]);
  };
  const wakeUps = startWakeUps({
    database: { run } as unknown as Database,
    channel: 'c',
    node: 'n',
    listen: false,
    pollInterval: 60_000,
    catchUp: () => Promise.resolve(),
    head: () => 0,
    onSession: () => Promise.resolve(),
  });
  const channels: (string | null)[] = [];
  const begin = performance.now();
  // The first one notifies by itself; one at once after it doesn't, and is slow.
  const fast = wakeUps.notifying((channel) => Promise.resolve(channels.push(channel)));
  const slow = wakeUps.notifying(async (channel) => {
    channels.push(channel);
    await until('a notification would have been sent', () => performance.now() - begin > 30);
    done.push('committed');
  });
  await Promise.all([fast, slow]);
  await until('it is notified', () => done.includes('notified'));
  expect(channels).toEqual(['c', null]);
  expect(done).toEqual(['committed', 'notified']);
  await wakeUps.stop();
});
