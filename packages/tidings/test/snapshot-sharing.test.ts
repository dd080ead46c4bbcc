import { describe, expect, test } from 'vitest';
import { memoryLog } from '../src/logs/memory/index.ts';
import { record, startHub, withMethods } from './fixture.ts';
import { settle } from './peer.ts';

function setUp() {
  let reads = 0;
  const started = startHub({
    wrapLog: (log) => {
      const states = memoryLog({ epoch: 'e', topics: [{ match: 's', state: true }] });
      void log;
      return withMethods(states, {
        read: (query) => {
          reads += 1;
          return states.read(query);
        },
      });
    },
  });
  return { ...started, reads: () => reads };
}

describe('a snapshot', () => {
  test('is read and encoded once for all connections that ask for it at once', async () => {
    const { hub, reads } = setUp();
    await hub.publish('s', 1, { key: 'a' });
    await hub.publish('s', 2, { key: 'b' });
    const peers = Array.from({ length: 5 }, () => record(hub, { topics: ['s'] }));
    await settle();
    const [first] = peers;
    expect(first?.text()).toMatch(/\n\ndata: 1\n\ndata: 2\n\nid: e\.2\n\n$/);
    for (const { writes } of peers) expect(writes[1]).toBe(first?.writes[1]);
    expect(reads()).toBe(1);
  });

  test('is read anew once something was published', async () => {
    const { hub, reads } = setUp();
    await hub.publish('s', 1, { key: 'a' });
    record(hub, { topics: ['s'] });
    await hub.publish('s', 2, { key: 'a' });
    const late = record(hub, { topics: ['s'] });
    await settle();
    expect(late.text()).toMatch(/\n\ndata: 2\n\nid: e\.2\n\n$/);
    expect(reads()).toBe(2);
  });
});
