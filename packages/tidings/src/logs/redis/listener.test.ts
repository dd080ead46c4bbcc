import { expect, test } from 'vitest';
import { Follower, type LogEntry, createTopicRules } from '../../log/index.ts';
import type { Connection } from './connection.ts';
import { createListener } from './listener.ts';
import { createStore } from './store.ts';
import { type WakeUp, wakeUpsIn } from './wake-ups.ts';

/** Of an append of one event, after which the log had so many events that lost topics. */
function wakeUpOf(seq: number, left: number): WakeUp[] {
  const fields = ['epoch', 'e', 'by', 'other', 'after', `${seq - 1} 0 0 0 ${left} `];
  return [...wakeUpsIn([[`${seq}-0`, [...fields, 'entry', `${seq}`, 'm', '1', 't', 'a', 'd', `${seq}`]]])];
}

test('a wake-up takes no knowledge that is newer than itself', async () => {
  const store = createStore({} as Connection, '{a}:');
  const state = { epoch: 'e', lineage: [], newestLoss: 0, lossCount: 0 };
  const follower = new Follower({
    source: {
      read: ({ after }) => ({ entries: [], next: after, state: { ...state, head: after }, lost: [] }),
      find: () => [],
    },
    rules: createTopicRules([], true),
    tail: { epoch: 'e', head: 5, retention: {} },
    lossCount: 0,
    onState: () => {},
    defer: (task) => void setImmediate(task),
  });
  const pushed: LogEntry[] = [];
  follower.tail.onPush((entries) => pushed.push(...entries));
  const listener = createListener({ id: 'own', store, follower, learn: () => {} });
  store.hasLeft = false;
  await listener.take(wakeUpOf(6, 1));
  expect(store.hasLeft).toBe(true);
  // The answer to an append of this process's own has come before the wake-up, and its events wait for a replica.
  await listener.take(wakeUpOf(7, 0));
  expect(store.hasLeft).toBe(true);
  expect(pushed.map(({ seq }) => seq)).toEqual([6, 7]);
});
