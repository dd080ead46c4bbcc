import { expect, onTestFinished, test } from 'vitest';
import type { Connection } from './connection.ts';
import { follow } from './follow.ts';
import { createStore } from './store.ts';

/** The stream `wake`, as far as a follower sees it: each read is answered at once, with nothing where Redis would wait. */
function createWakeStream(ids: readonly number[]) {
  const stream = { ids, reads: [] as string[] };
  const connection: Connection = {
    isCluster: false,
    async send(command) {
      const after = command.at(-1) ?? '';
      stream.reads.push(after);
      await new Promise((resolve) => setImmediate(resolve));
      const found = stream.ids.filter((id) => id > Number(after.split('-')[0]));
      return found.length === 0 ? null : [['{a}:wake', found.map((id) => [`${id}-0`, ['epoch', 'e']])]];
    },
    fork: () => Promise.resolve(connection),
    renew() {},
    close: () => Promise.resolve(),
  };
  return { stream, store: createStore(connection, '{a}:') };
}

test('A wake-up ahead of the log, which somebody else has put there, hides those that follow for one wait only', async () => {
  const { stream, store } = createWakeStream([9999]);
  const heads: number[] = [];
  const following = await new Promise<Awaited<ReturnType<typeof follow>>>((resolve, reject) => {
    const started = follow(store, {
      position: () => ({ epoch: 'e', head: 5 }),
      onWakeUps: (wakeUps) => {
        heads.push(...wakeUps.map(({ head }) => head));
        // What the script does where its wake-up doesn't fit behind the last one.
        if (heads.at(-1) === 9999) stream.ids = [6];
        const isLong = stream.reads.length >= 10;
        if (heads.includes(6) || isLong) started.then(resolve, reject);
        return Promise.resolve();
      },
      onConnection: () => Promise.resolve(),
      timeout: 1000,
    });
  });
  onTestFinished(() => following.stop());
  expect(heads.slice(0, 2)).toEqual([9999, 6]);
  expect(stream.reads.slice(0, 3)).toEqual(['5-0', '9999-0', '0-0']);
});
