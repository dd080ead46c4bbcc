import { describe, expect, it } from 'vitest';
import { createFakeHub, type FakeHub } from '../../test/react/fake-hub.ts';
import { manualTimers } from '../../test/react/manual-timers.ts';
import type { Connection } from './connection.ts';
import { createStore } from './store.ts';

async function run(hub: FakeHub): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    hub.step(() => 0);
  }
}

function start(hub: FakeHub): {
  connection: Connection;
  said: string[];
  hold(...topics: string[]): () => void;
} {
  const { connection } = createStore(hub.opener, manualTimers());
  connection.start();
  const said: string[] = [];
  const hold = (...topics: string[]): (() => void) =>
    connection.hold(topics, {
      begins: () => said.push(`${topics.join()} begins`),
      refused: ({ code }) => said.push(`${topics.join()} ${code}`),
    });
  return { connection, said, hold };
}

const topicsOf = (hub: FakeHub): readonly string[][] =>
  [...hub.open].map(({ topics }) => [...topics].toSorted());

describe('a first request that the server refuses', () => {
  it.each([
    { order: ['secret', 'a', 'b'] },
    { order: ['a', 'secret', 'b'] },
    { order: ['a', 'b', 'secret'] },
  ])('because of one topic is made again without it: $order', async ({ order }) => {
    const hub = createFakeHub();
    hub.forbid('secret');
    const { connection, said, hold } = start(hub);
    for (const topic of order) hold(topic);
    await run(hub);
    expect(said.toSorted()).toEqual(['a begins', 'b begins', 'secret auth/forbidden']);
    expect(topicsOf(hub)).toEqual([['a', 'b']]);
    expect(connection.state.get()).toMatchObject({ status: 'open', error: { code: 'auth/forbidden' } });
    expect(hub.errors.map(({ code }) => code)).toEqual(['auth/forbidden']);
  });

  it('is not the end when all of its topics are forbidden: a later topic opens a connection', async () => {
    const hub = createFakeHub();
    hub.forbid('secret');
    hub.forbid('hidden');
    const { connection, said, hold } = start(hub);
    hold('secret');
    hold('hidden');
    await run(hub);
    expect(said).toEqual(['secret auth/forbidden', 'hidden auth/forbidden']);
    expect(connection.state.get()).toMatchObject({ status: 'failed', error: { code: 'auth/forbidden' } });
    hold('a');
    await run(hub);
    expect(topicsOf(hub)).toEqual([['a']]);
    expect(said.slice(2)).toEqual(['a begins']);
  });

  it('for want of a topic waits for one, and is not made again before', async () => {
    const hub = createFakeHub();
    hub.requireTopics();
    const { connection, said, hold } = start(hub);
    let release = hold();
    await run(hub);
    release();
    await run(hub);
    release = hold();
    await run(hub);
    expect([hub.opened, connection.state.get()]).toMatchObject([
      1,
      { status: 'failed', error: { details: { code: 'topic/missing' } } },
    ]);
    hold('a');
    await run(hub);
    expect([hub.opened, topicsOf(hub), said.toSorted()]).toEqual([2, [['a']], [' begins', 'a begins']]);
  });
});

describe('a connection that failed', () => {
  it('is opened again for a new topic, where it was', async () => {
    const hub = createFakeHub();
    const { connection, hold } = start(hub);
    const heard: string[] = [];
    connection.listen('a-x', ({ data }) => heard.push(data));
    hold('a');
    await run(hub);
    for (const client of [...hub.open]) client.fail();
    hub.publish('a', 'a-x', 1);
    await run(hub);
    expect(heard).toEqual([]);
    hold('b');
    await run(hub);
    expect([heard, topicsOf(hub)]).toEqual([['1'], [['a', 'b']]]);
  });

  it('and is refused on its return tells where the events of each topic begin', async () => {
    const hub = createFakeHub();
    const { connection } = createStore(hub.opener, manualTimers());
    connection.start();
    const begun: unknown[] = [];
    for (const topic of ['secret', 'a', 'b']) {
      connection.hold([topic], {
        begins: ([begins]) => begun.push([topic, begins]),
        refused: () => undefined,
      });
    }
    await run(hub);
    for (const client of [...hub.open]) client.fail();
    hub.forbid('secret');
    hub.publish('b', 'b-x', 1);
    begun.length = 0;
    connection.reconnect();
    await run(hub);
    expect(begun).toEqual([
      ['a', 'fake.0'],
      ['b', 'fake.1'],
    ]);
  });
});
