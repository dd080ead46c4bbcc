import { describe, expect, test } from 'vitest';
import { dataOf, record, startHub } from './fixture.ts';
import { type Peer, settle } from './peer.ts';

async function readAll(peer: Peer): Promise<void> {
  do {
    peer.receive();
    await settle();
  } while (peer.inFlight > 0);
}

describe('a peer that reads slowly', () => {
  test('delays no other peer', async () => {
    const { clock, follow, publish } = startHub();
    const slow = await follow({ capacity: 1 });
    const fast = await follow();
    for (let i = 0; i < 50; i += 1) {
      await publish('a', i);
      clock.tick();
      fast.receive();
    }
    expect(dataOf(fast)).toHaveLength(50);
    await readAll(slow);
    expect(dataOf(slow)).toEqual(dataOf(fast));
  });

  test('has only the bytes of one write waiting, however much is published', async () => {
    const { hub, clock, follow } = startHub();
    const slow = await follow({ capacity: 1000 });
    const data = 'x'.repeat(990);
    let most = 0;
    for (let i = 0; i < 300; i += 1) {
      await hub.publish('a', data);
      clock.tick();
      most = Math.max(most, slow.inFlight);
    }
    expect(most).toBeLessThan(2100);
    slow.receive();
    // One page, the unit of its reads.
    expect(slow.inFlight).toBeLessThan(70_000);
    await readAll(slow);
    expect(slow.received).toHaveLength(300);
  });

  test('catches up in pages of at most 1,000 events, waiting for each to be taken', async () => {
    const { hub, clock, follow } = startHub();
    const slow = await follow({ capacity: 1 });
    await hub.publishAll(Array.from({ length: 2600 }, (_, i) => ({ topics: 'a', data: i })));
    clock.tick();
    const counts: number[] = [];
    for (let before = 0; slow.inFlight > 0; before = slow.received.length) {
      slow.receive();
      counts.push(slow.received.length - before);
    }
    expect(counts).toEqual([1024, 1000, 576]);
    expect(dataOf(slow)).toEqual(Array.from({ length: 2600 }, (_, i) => String(i)));
    expect(hub.stats()).toMatchObject({ live: 1, behind: 0 });
  });

  test('catches up in turns with others, however fast it reads', async () => {
    const { hub, clock, follow } = startHub();
    const missed = Array.from({ length: 2000 }, (_, i) => ({ topics: 'a', data: `${i} ${'x'.repeat(990)}` }));
    await hub.publishAll(missed);
    clock.tick();
    const other = await follow({ topics: ['b'] });
    const fast = await follow({ capacity: Infinity }, 'e.0');
    fast.receive();
    const turns: number[] = [fast.received.length];
    // The clock runs deferred tasks in rounds, as an event loop does.
    const lookEachTurn = (): void => {
      fast.receive();
      turns.push(fast.received.length - turns.reduce((sum, count) => sum + count, 0));
      other.receive();
      expect(dataOf(other).length).toBeGreaterThanOrEqual(turns.length - 2);
      void hub.publish('b', turns.length);
      if (fast.received.length < 2000) clock.defer(lookEachTurn);
    };
    clock.defer(lookEachTurn);
    clock.tick();
    expect(turns.length).toBeGreaterThan(5);
    expect(Math.max(...turns)).toBeLessThan(400);
    expect(fast.received.map(({ data }) => data)).toEqual(missed.map(({ data }) => JSON.stringify(data)));
    expect(hub.stats()).toMatchObject({ behind: 0 });
  });

  test('gets a large event alone, and the rest behind it', async () => {
    const { hub, clock, follow } = startHub();
    const slow = await follow({ capacity: 1 });
    await hub.publish('a', 'first', { raw: true });
    clock.tick();
    await hub.publish('a', 'x'.repeat(500_000), { raw: true });
    await hub.publish('a', 'last', { raw: true });
    slow.receive();
    expect(slow.inFlight).toBeLessThan(500_100);
    await readAll(slow);
    expect(dataOf(slow).map(({ length }) => length)).toEqual([5, 500_000, 4]);
  });

  test('is pushed to again once it is at the head', async () => {
    const { hub, clock, follow, publish } = startHub();
    const slow = await follow({ capacity: 200 });
    await hub.publish('a', 'x'.repeat(300));
    clock.tick();
    expect(hub.stats()).toMatchObject({ live: 0, behind: 1 });
    await publish('a', 1);
    slow.receive();
    expect(hub.stats()).toMatchObject({ live: 1, behind: 0 });
    await publish('a', 2);
    clock.tick();
    slow.receive();
    expect(dataOf(slow).slice(1)).toEqual(['1', '2']);
  });

  test('gets nothing twice if it drains while the events it reads wait for their flush', async () => {
    const { hub, clock, follow, publish } = startHub();
    const slow = await follow({ capacity: 100 });
    const fast = await follow();
    await hub.publish('a', 'x'.repeat(100));
    clock.tick();
    await publish('a', 1, 2);
    // At the head before the flush: the flush comes early, for all.
    slow.receive();
    expect(hub.stats()).toMatchObject({ live: 2 });
    await publish('a', 3);
    clock.tick();
    await readAll(slow);
    await readAll(fast);
    expect(dataOf(slow).slice(1)).toEqual(['1', '2', '3']);
    expect(dataOf(fast)).toEqual(dataOf(slow));
  });

  test('gets nothing twice and loses nothing if it drains within a flush', async () => {
    const { hub, clock, publish } = startHub();
    const [first, slow] = [record(hub), record(hub)];
    await settle();
    slow.takes = false;
    await publish('a', 1);
    clock.tick();
    first.onWrite = () => {
      first.onWrite = () => {};
      slow.takes = true;
      slow.connection.drained();
    };
    await publish('a', 2, 3);
    clock.tick();
    expect(hub.stats()).toMatchObject({ live: 2 });
    await publish('a', 4);
    clock.tick();
    expect(slow.text().match(/^data: \d/gm)).toEqual(['data: 1', 'data: 2', 'data: 3', 'data: 4']);
  });

  test('may report room more often than it was asked to', async () => {
    const { hub, clock, publish } = startHub();
    const peer = record(hub);
    for (let i = 0; i < 3; i += 1) peer.connection.drained();
    await settle();
    for (let i = 0; i < 3; i += 1) {
      peer.connection.drained();
      await publish('a', i);
      peer.connection.drained();
      clock.tick();
    }
    peer.connection.closed();
    peer.connection.drained();
    expect(peer.text().match(/^data: \d/gm)).toEqual(['data: 0', 'data: 1', 'data: 2']);
    expect(hub.stats().connections).toBe(0);
  });
});

describe('a peer that takes nothing', () => {
  test('is dropped after the stall timeout, and counted', async () => {
    const { hub, clock, follow, publish } = startHub({ stallTimeout: 30_000 });
    const peer = await follow({ capacity: 1 });
    const other = await follow();
    clock.advance(10_000);
    await publish('a', 1);
    clock.tick();
    clock.advance(29_999);
    expect(peer.ended).toBe(false);
    clock.advance(1001);
    expect(peer.ended).toBe(true);
    expect(other.ended).toBe(false);
    expect(hub.stats()).toMatchObject({ connections: 1, stalled: 1 });
  });

  test('already at its welcome is dropped as well', async () => {
    const { hub, clock } = startHub({ stallTimeout: 500 });
    const peer = record(hub);
    peer.takes = false;
    await settle();
    clock.advance(499);
    expect(peer.destroyed).toBe(false);
    clock.advance(300);
    expect(peer.destroyed).toBe(true);
    expect(hub.stats()).toMatchObject({ connections: 0, stalled: 1 });
  });

  test('comes back and gets the events it missed', async () => {
    const { hub, clock, follow, publish } = startHub({ stallTimeout: 1000 });
    const peer = await follow({ capacity: 1 });
    await publish('a', 1, 2);
    clock.tick();
    clock.advance(2000);
    expect(peer.ended).toBe(true);
    peer.connect(hub);
    await settle();
    await readAll(peer);
    expect(dataOf(peer)).toEqual(['1', '2']);
  });

  test('gets the whole time again whenever it has taken everything', async () => {
    const { hub, clock, follow, publish } = startHub({ stallTimeout: 10_000 });
    const peer = await follow({ capacity: 1 });
    for (let i = 0; i < 10; i += 1) {
      await publish('a', i);
      clock.tick();
      clock.advance(8000);
      peer.receive();
    }
    expect(peer.ended).toBe(false);
    expect(hub.stats()).toMatchObject({ connections: 1, stalled: 0 });
  });

  test('stays connected while nothing waits for it', async () => {
    const { hub, clock, follow } = startHub({ stallTimeout: 1000, heartbeat: 3_600_000 });
    await follow({ capacity: 1 });
    clock.advance(3_000_000);
    expect(hub.stats()).toMatchObject({ connections: 1, stalled: 0 });
  });

  test('does not count as stalled because the wall clock was set, in either direction', async () => {
    const { clock, follow, publish } = startHub({ stallTimeout: 30_000 });
    const peer = await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    clock.jump(3_600_000);
    clock.advance(29_000);
    expect(peer.ended).toBe(false);
    clock.jump(-7_200_000);
    clock.advance(2000);
    expect(peer.ended).toBe(true);
  });

  test('is also dropped if it does not take its goodbye', async () => {
    const { hub, clock, follow } = startHub({ stallTimeout: 30_000 });
    const peer = await follow();
    hub.disconnect(() => true);
    clock.advance(29_000);
    expect(peer.connection).toBeDefined();
    clock.advance(2000);
    expect(peer.connection).toBeUndefined();
    expect(hub.stats()).toMatchObject({ connections: 0, stalled: 1 });
  });

  test('is also dropped if it does not take its goodbye, even if it drained in between', async () => {
    const { hub, clock, follow, publish } = startHub({ stallTimeout: 30_000 });
    const peer = await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    hub.disconnect(() => true);
    clock.advance(20_000);
    peer.connection?.drained();
    clock.advance(11_000);
    expect(peer.connection).toBeUndefined();
    expect(hub.stats()).toMatchObject({ connections: 0, stalled: 1 });
  });
});
