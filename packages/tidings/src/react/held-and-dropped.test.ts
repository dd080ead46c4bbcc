import { describe, expect, it } from 'vitest';
import { createFakeHub, type FakeHub } from '../../test/react/fake-hub.ts';
import { manualTimers } from '../../test/react/manual-timers.ts';
import type { Holder } from './held-topics.ts';
import { createStore, PLAIN, type Store } from './store.ts';
import { latestValue } from './values.ts';

async function run(hub: FakeHub): Promise<void> {
  for (let i = 0; i < 20; i += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    hub.step(() => 0);
  }
}

function start(hub: FakeHub): Store {
  const store = createStore(hub.opener, manualTimers());
  store.connection.start();
  return store;
}

const deaf: Holder = { begins: () => undefined, refused: () => undefined };

/** Shows the latest `x` of a topic. */
function show({ values }: Store, topic: string): { get(): unknown; stop(): void } {
  const source = values.source<unknown>({
    key: topic,
    topics: [topic],
    types: ['x'],
    hearing: PLAIN,
    make: latestValue<unknown>,
  });
  return { get: source.get, stop: source.subscribe(() => undefined) };
}

describe('the last named topic', () => {
  it('stays as long as a hook without topics needs the connection, and so do its values', async () => {
    const hub = createFakeHub(new Set(['s', 't']));
    hub.publish('s', 'x', 1);
    const store = start(hub);
    store.connection.hold([], deaf);
    const first = show(store, 's');
    await run(hub);
    first.stop();
    await run(hub);
    hub.publish('s', 'x', 2);
    await run(hub);
    const second = show(store, 's');
    await run(hub);
    expect(second.get()).toEqual({ data: 2 });
    second.stop();
    await run(hub);
    show(store, 't');
    await run(hub);
    await run(hub);
    expect([store.values.size, [...hub.open].map(({ topics }) => [...topics])]).toEqual([1, [['t']]]);
  });

  it('has its values sent again for a component that had not shown them', async () => {
    const hub = createFakeHub(new Set(['s']));
    hub.publish('s', 'x', 1);
    const store = start(hub);
    store.connection.hold([], deaf);
    const release = store.connection.hold(['s'], deaf);
    await run(hub);
    release();
    await run(hub);
    const late = show(store, 's');
    await run(hub);
    expect(late.get()).toEqual({ data: 1 });
  });
});

describe('a value that nobody holds', () => {
  it('is gone after the connection was made anew', async () => {
    const hub = createFakeHub();
    const store = start(hub);
    show(store, 'a');
    const left = show(store, 'b');
    await run(hub);
    for (const client of hub.open) client.fail();
    left.stop();
    store.connection.reconnect();
    await run(hub);
    expect([store.values.size, left.get()]).toEqual([1, undefined]);
  });

  it('is gone if its topic was refused, or was never asked for', async () => {
    const hub = createFakeHub();
    hub.forbid('secret');
    const store = start(hub);
    show(store, 'brief').stop();
    show(store, 'a');
    await run(hub);
    const refused = show(store, 'secret');
    await run(hub);
    refused.stop();
    show(store, 'brief').stop();
    await run(hub);
    expect(store.values.size).toBe(1);
  });
});
