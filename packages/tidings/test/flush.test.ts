import { describe, expect, test } from 'vitest';
import { decode, record, startHub } from './fixture.ts';
import { settle } from './peer.ts';

describe('a flush', () => {
  test('is one write for each connection, of all that was published in the tick', async () => {
    const { hub, clock, publish } = startHub();
    const [a, ab] = [record(hub), record(hub, { topics: ['a', 'b'] })];
    await settle();
    await publish('a', 1);
    await publish('b', 2);
    await publish('a', 3);
    expect(a.writes).toHaveLength(1);
    clock.tick();
    expect(a.writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\nid: e.3\ndata: 3\n\n']);
    expect(ab.writes.slice(1).map(decode)).toEqual([
      'id: e.1\ndata: 1\n\nid: e.2\ndata: 2\n\nid: e.3\ndata: 3\n\n',
    ]);
    expect(hub.stats().flushes).toBe(1);
    clock.tick();
    expect([a.writes, ab.writes].map(({ length }) => length)).toEqual([2, 2]);
  });

  test('comes at the end of the tick in which an idle hub got an event, without delay', async () => {
    const { hub, clock, publish } = startHub();
    const peer = record(hub);
    await settle();
    for (const n of [1, 2, 3]) {
      await publish('a', n);
      clock.tick();
      expect(peer.writes).toHaveLength(n + 1);
    }
    expect(hub.stats()).toMatchObject({ flushes: 3, deliveryLag: { p50: 0, p99: 0 } });
  });

  test('of the first event to a quiet hub comes as soon as the running code has returned; that of the rest, at the end', async () => {
    const soon: (() => void)[] = [];
    const { hub, clock, publish } = startHub({ soon: (task) => void soon.push(task) });
    const peer = record(hub);
    await settle();
    await publish('a', 1);
    expect(peer.writes).toHaveLength(1);
    soon.pop()?.();
    expect(peer.writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\n']);
    await publish('a', 2, 3);
    expect(soon).toEqual([]);
    clock.tick();
    expect(peer.writes.slice(2).map(decode)).toEqual(['id: e.2\ndata: 2\n\nid: e.3\ndata: 3\n\n']);
    clock.advance(5);
    await publish('a', 4);
    expect(soon).toHaveLength(1);
  });

  test('waits for the end of the tick if the last one had many receivers', async () => {
    const soon: (() => void)[] = [];
    const { hub, clock, publish } = startHub({ soon: (task) => void soon.push(task) });
    const peers = Array.from({ length: 51 }, () => record(hub));
    await settle();
    await publish('a', 1);
    soon.pop()?.();
    clock.tick();
    expect(peers.map(({ writes }) => writes.length)).toEqual(peers.map(() => 2));
    clock.advance(5);
    await publish('a', 2);
    expect(soon).toEqual([]);
    clock.tick();
    expect(peers.map(({ writes }) => writes.length)).toEqual(peers.map(() => 3));
  });

  test('writes nothing to connections that want none of its events', async () => {
    const { hub, clock, publish } = startHub();
    const [other, privately] = [record(hub, { topics: ['other', { pattern: 'o/*' }] }), record(hub)];
    await settle();
    await hub.publish('a', 1, { private: true });
    await publish('b', 2);
    clock.tick();
    expect([other.writes, privately.writes].map(({ length }) => length)).toEqual([1, 1]);
  });

  test('gives the same bytes to all connections whose events are the same', async () => {
    const { hub, clock, publish } = startHub();
    const peers = [
      record(hub),
      record(hub),
      record(hub, { topics: ['a', 'quiet'] }),
      record(hub, { topics: [{ pattern: 'a' }], granted: ['x'] }),
    ];
    await settle();
    await publish('a', 1);
    clock.tick();
    await publish('a', 2, 3);
    clock.tick();
    const [first] = peers;
    for (const { writes } of peers) {
      expect(writes).toHaveLength(3);
      expect(writes[1]).toBe(first?.writes[1]);
      expect(writes[2]).toBe(first?.writes[2]);
    }
  });

  test('gives connections with equally many but different events their own bytes', async () => {
    const { hub, clock, publish } = startHub();
    const peers = ['a', 'b', 'c'].map((topic) => record(hub, { topics: [topic] }));
    await settle();
    await publish('a', 1);
    await publish('b', 2);
    await publish('c', 3);
    clock.tick();
    expect(peers.map(({ writes }) => writes.slice(1).map(decode))).toEqual([
      ['id: e.1\ndata: 1\n\n'],
      ['id: e.2\ndata: 2\n\n'],
      ['id: e.3\ndata: 3\n\n'],
    ]);
  });

  test('sends the frame of a single event as it was first encoded', async () => {
    const { hub, clock, publish, follow } = startHub();
    const live = record(hub);
    await settle();
    await publish('a', 1);
    clock.tick();
    const late = await follow({}, 'e.0');
    const again = record(hub);
    await settle();
    await publish('a', 2);
    clock.tick();
    expect(late.received).toHaveLength(1);
    expect(again.writes[1]).toBe(live.writes[2]);
  });

  test('does not wait for the end of the tick once 1,024 events are there', async () => {
    const { hub, clock } = startHub();
    const peer = record(hub);
    await settle();
    const events = Array.from({ length: 1023 }, (_, i) => ({ topics: 'a', data: i }));
    await hub.publishAll(events);
    expect(peer.writes).toHaveLength(1);
    await hub.publish('a', 1023);
    expect(peer.writes).toHaveLength(2);
    expect(decode(peer.writes[1] ?? new Uint8Array()).match(/^data:/gm)).toHaveLength(1024);
    clock.tick();
    expect(peer.writes).toHaveLength(2);
  });

  test('does not wait for the end of the tick once there are 256 KiB', async () => {
    const { hub, publish } = startHub();
    const peer = record(hub);
    await settle();
    const data = 'x'.repeat(65_536);
    for (let i = 0; i < 3; i += 1) await hub.publish('other', data, { raw: true });
    await publish('a', 1);
    expect(peer.writes).toHaveLength(1);
    await hub.publish('other', data, { raw: true });
    // Events for others count as well: the bound is on the memory of waiting events.
    expect(peer.writes.slice(1).map(decode)).toEqual(['id: e.4\ndata: 1\n\n']);
    // And then it counts anew.
    await publish('a', 2);
    expect(peer.writes).toHaveLength(2);
  });

  test('never writes more than the bound at once, however much is published at once', async () => {
    const { hub, clock } = startHub();
    const peer = record(hub);
    await settle();
    await hub.publishAll(Array.from({ length: 5000 }, (_, i) => ({ topics: 'a', data: i })));
    clock.tick();
    const counts = peer.writes.slice(1).map((bytes) => decode(bytes).match(/^data:/gm)?.length);
    expect(counts).toEqual([1024, 1024, 1024, 1024, 904]);
  });

  test('can be interrupted by a publish: later events go out next, in order and once', async () => {
    const { hub, clock, publish } = startHub();
    const [first, second] = [record(hub), record(hub)];
    await settle();
    let published = 0;
    first.onWrite = () => {
      published += 1;
      if (published < 3) void hub.publish('a', `inner ${published}`);
    };
    await publish('a', 1);
    clock.tick();
    const expected = 'id: e.1\ndata: 1\n\nid: e.2\ndata: "inner 1"\n\nid: e.3\ndata: "inner 2"\n\n';
    expect(decode(concat(first.writes.slice(1)))).toBe(expected);
    expect(decode(concat(second.writes.slice(1)))).toBe(expected);
  });

  test('can be interrupted by a flood: no event is lost, repeated or out of order', async () => {
    const { hub, clock } = startHub();
    const [first, second] = [record(hub), record(hub)];
    await settle();
    let flooded = false;
    first.onWrite = () => {
      if (flooded) return;
      flooded = true;
      void hub.publishAll(Array.from({ length: 3000 }, (_, i) => ({ topics: 'a', data: i })));
    };
    await hub.publish('a', 'start');
    clock.tick();
    for (const { writes } of [first, second]) {
      const ids = decode(concat(writes.slice(1))).match(/^id: .*$/gm);
      expect(ids).toEqual(Array.from({ length: 3001 }, (_, i) => `id: e.${i + 1}`));
    }
  });

  test('can be interrupted by a connect, which gets the events after its welcome and none before', async () => {
    const { hub, clock, publish } = startHub();
    const first = record(hub);
    await settle();
    const late: ReturnType<typeof record>[] = [];
    first.onWrite = () => {
      if (late.length === 0) late.push(record(hub));
    };
    await publish('a', 1);
    clock.tick();
    await settle();
    await publish('a', 2);
    clock.tick();
    const text = late[0]?.text() ?? '';
    expect(text).toMatch(/^retry: 2000\nid: e\.1\n/);
    expect(text).toMatch(/\n\nid: e\.2\ndata: 2\n\n$/);
    expect(text).not.toContain('data: 1\n');
  });

  test('is over at once for a peer that leaves during it', async () => {
    const { hub, clock, publish } = startHub();
    const [first, second] = [record(hub), record(hub)];
    await settle();
    first.onWrite = () => {
      first.connection.closed();
      second.connection.closed();
    };
    await publish('a', 1, 2);
    clock.tick();
    await publish('a', 3);
    clock.tick();
    expect([first.writes.length, second.writes.length]).toEqual([2, 1]);
    expect(hub.stats()).toMatchObject({ connections: 0, topics: 0 });
  });
});

describe('a flush window', () => {
  test('gathers events for its length, from the first one on', async () => {
    const { hub, clock, publish } = startHub({ flushWindow: 100 });
    const peer = record(hub);
    await settle();
    clock.advance(1000);
    await publish('a', 1);
    clock.advance(60);
    await publish('a', 2);
    clock.advance(39);
    expect(peer.writes).toHaveLength(1);
    clock.advance(1);
    expect(peer.writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\nid: e.2\ndata: 2\n\n']);
    await publish('a', 3);
    clock.advance(99);
    expect(peer.writes).toHaveLength(2);
    clock.advance(1);
    expect(peer.writes).toHaveLength(3);
  });

  test('ends early where a flush does not wait, and the next one is whole again', async () => {
    const { hub, clock, publish } = startHub({ flushWindow: 100 });
    const peer = record(hub);
    await settle();
    await hub.publishAll(Array.from({ length: 1024 }, (_, i) => ({ topics: 'a', data: i })));
    expect(peer.writes).toHaveLength(2);
    clock.advance(50);
    await publish('a', 1);
    clock.advance(99);
    expect(peer.writes).toHaveLength(2);
    clock.advance(1);
    expect(peer.writes).toHaveLength(3);
  });

  test('does not delay a connection that reaches the head, which gets no event twice', async () => {
    const { hub, clock, follow, publish } = startHub({ flushWindow: 100 });
    const live = record(hub);
    await settle();
    await publish('a', 1, 2);
    const late = await follow({}, 'e.0');
    expect(late.received.map(({ data }) => data)).toEqual(['1', '2']);
    expect(live.writes).toHaveLength(2);
    await publish('a', 3);
    clock.advance(100);
    late.receive();
    expect(late.received.map(({ data }) => data)).toEqual(['1', '2', '3']);
  });

  test('leaves no timer behind, not even for events published while the hub closes', async () => {
    const { hub, clock, follow, publish } = startHub({ flushWindow: 100 });
    const peer = await follow();
    await publish('a', 1);
    const closed = hub.close();
    await publish('a', 2);
    peer.receive();
    await closed;
    expect(clock.timers).toBe(0);
  });
});

test('connections that are behind at the same cursor share the bytes they catch up with', async () => {
  const { hub, clock, publish } = startHub();
  const peers = [record(hub), record(hub), record(hub)];
  await settle();
  for (const peer of peers) peer.takes = false;
  await publish('a', 1);
  clock.tick();
  await publish('a', 2, 3, 4);
  clock.tick();
  for (const peer of peers) peer.takes = true;
  for (const { connection } of peers) connection.drained();
  const [first] = peers;
  for (const { writes } of peers) {
    expect(decode(concat(writes.slice(2)))).toBe(
      'id: e.2\ndata: 2\n\nid: e.3\ndata: 3\n\nid: e.4\ndata: 4\n\n',
    );
    expect(writes[2]).toBe(first?.writes[2]);
  }
});

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]));
}
