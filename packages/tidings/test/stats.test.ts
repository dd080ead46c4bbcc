import { describe, expect, test } from 'vitest';
import { startHub, withMethods } from './fixture.ts';
import type { ConnectionEnd } from '../src/hub/connection-info.ts';
import { settle } from './peer.ts';

describe('watchers of a topic', () => {
  test('are the connections that ask for it, by name or by pattern, each counted once', async () => {
    const { hub, follow } = startHub();
    expect(hub.watchers('user/1')).toBe(0);
    const both = await follow({ topics: ['user/1', { pattern: 'user/:id' }] });
    await follow({ topics: ['user/1'] });
    await follow({ topics: ['user/1'] });
    await follow({ topics: [{ pattern: '*' }] });
    await follow({ topics: ['user/2'] });
    expect(hub.watchers('user/1')).toBe(4);
    expect(hub.watchers('user/3')).toBe(2);
    expect(hub.watchers('user/1/x')).toBe(1);
    both.drop();
    expect(hub.watchers('user/1')).toBe(3);
  });

  test('include connections that are behind', async () => {
    const { hub, clock, follow, publish } = startHub();
    await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    expect(hub.stats()).toMatchObject({ live: 0, behind: 1 });
    expect(hub.watchers('a')).toBe(1);
  });
});

describe('stats', () => {
  test('count events, deliveries, bytes and flushes as they happened', async () => {
    const { hub, clock, follow, publish } = startHub({ heartbeat: 2000 });
    const peers = [
      await follow(),
      await follow(),
      await follow({ topics: ['b'] }),
      await follow({ topics: ['a', 'b'] }),
    ];
    await publish('a', 1, 2);
    await publish(['a', 'b'], 3);
    await publish('none', 4);
    clock.tick();
    await publish('b', 5);
    clock.tick();
    clock.advance(2000);
    for (const peer of peers) peer.receive();
    const late = await follow({}, 'e.0');
    expect(late.received.length).toBe(3);
    expect(hub.stats()).toEqual({
      connections: 5,
      live: 5,
      inProcess: 0,
      behind: 0,
      topics: 2,
      connected: 5,
      published: 5,
      // Twice a: 1, 2, 3; b: 3, 5; a and b: 1, 2, 3, 5; the late one: 1, 2, 3.
      delivered: 3 + 3 + 2 + 4 + 3,
      bytes: [...peers, late].reduce((total, { wire }) => total + wire.length, 0),
      flushes: 2,
      stalled: 0,
      deliveryLag: { p50: 0, p99: 0 },
      tail: { events: 5, bytes: expect.any(Number), head: 5, epoch: 'e' },
      inProcessBehind: 0,
      log: { events: 5, shared: false },
      connects: { new: 4, resumed: 1, gap: 0 },
      ends: { left: 0, drain: 0, expired: 0, lifetime: 0, evicted: 0, wait: 0, stalled: 0, failed: 0 },
      gaps: { trimmed: 0, epoch: 0, 'unknown-cursor': 0 },
      refused: {},
      publishFailed: {},
      publishTime: { bounds: expect.any(Array), counts: [5, ...zeros(14)], sum: 0 },
      deliveryTime: { bounds: expect.any(Array), counts: [2, ...zeros(14)], sum: 0 },
    });
  });

  test('give the milliseconds from append to write', async () => {
    const { hub, clock, follow, publish } = startHub({ flushWindow: 300 });
    await follow();
    await publish('a', 1);
    clock.advance(100);
    await publish('a', 2);
    clock.advance(1000);
    expect(hub.stats().deliveryLag).toEqual({ p50: 300, p99: 300 });
  });

  test('count how connections begin, their gaps, and why they end', async () => {
    const { hub, clock, follow, publish } = startHub({
      retention: { events: 2 },
      stallTimeout: 1000,
      maxLifetime: 60_000,
    });
    await publish('a', 1, 2, 3, 4);
    const resumed = await follow({}, 'e.3');
    await follow({}, 'e.1');
    await follow({}, 'other.3');
    await follow({}, 'e.99');
    const full = await follow({ capacity: 1 });
    await publish('a', 5);
    clock.tick();
    resumed.drop();
    clock.advance(2000);
    await settle();
    expect(full.ended).toBe(true);
    hub.disconnect(({ id }) => id === hub.connections()[0]?.id);
    expect(hub.stats()).toMatchObject({
      connects: { new: 1, resumed: 1, gap: 3 },
      gaps: { trimmed: 1, epoch: 1, 'unknown-cursor': 1 },
      ends: { left: 1, stalled: 1 },
    });
    const closing = hub.close({ within: 500 });
    clock.advance(500);
    await closing;
    expect(hub.stats().ends).toMatchObject({ left: 1, stalled: 1, evicted: 1, drain: 2 });
  });

  test('leave out loops of this process where they count connections', async () => {
    const { hub } = startHub();
    const loop = hub.subscribe('a');
    void loop.next();
    expect(hub.stats()).toMatchObject({ behind: 1, inProcessBehind: 1 });
    await settle();
    await loop.return?.();
    expect(hub.stats()).toMatchObject({ connects: { new: 0 }, ends: { left: 0 } });
  });

  test('count publishes that fail by code, and codes of the app together', async () => {
    const { hub } = startHub({ topics: [{ match: 's', state: true }] });
    await hub.publish('s', 1, { key: 'k' });
    await expect(hub.publish('s', 2, { key: 'k', ifAbsent: true })).rejects.toThrow();
    await expect(hub.publish('', 1)).rejects.toThrow();
    expect(hub.stats().publishFailed).toEqual({ 'event/conflict': 1, 'topic/invalid': 1 });
    expect(hub.stats().publishTime.counts[0]).toBe(1);
  });

  test('do not count duplicates as published', async () => {
    const { hub } = startHub();
    await hub.publish('a', 1, { id: 'x' });
    await hub.publish('a', 1, { id: 'x' });
    expect(hub.stats().published).toBe(1);
  });
});

function zeros(count: number): number[] {
  return Array.from({ length: count }, () => 0);
}

describe('what a connection got', () => {
  test('is given with the reason when it ends', async () => {
    const { hub, clock, follow, publish } = startHub();
    await publish('a', 1);
    const peer = await follow({}, 'e.0');
    const ends: ConnectionEnd[] = [];
    peer.connection?.onClose((end) => ends.push(end));
    await publish('a', 2, 3);
    await publish('b', 4);
    clock.tick();
    clock.advance(500);
    hub.disconnect(() => true);
    peer.receive();
    const bytes = peer.wire.length;
    expect(ends).toEqual([{ reason: 'evicted', delivered: 3, bytes, duration: 500 }]);
  });
});

describe('health', () => {
  test('is ready while the log answers and the hub is not closing', async () => {
    const { hub } = startHub();
    expect(await hub.health()).toEqual({
      ready: true,
      draining: false,
      started: true,
      log: { up: true, took: 0 },
    });
    const closing = hub.close();
    expect(await hub.health()).toMatchObject({ ready: false, draining: true });
    await closing;
    expect(await hub.health()).toMatchObject({ ready: false, log: { up: false } });
  });

  test('says that the log is away when it does not answer in time, and asks it only once', async () => {
    let answer = (): void => {};
    let asked = 0;
    const { hub, clock } = startHub({
      wrapLog: (log) =>
        withMethods(log, {
          catchUp: () => {
            asked += 1;
            return new Promise((resolve) => (answer = resolve));
          },
        }),
    });
    const first = hub.health({ within: 300 });
    const second = hub.health({ within: 500 });
    await settle();
    clock.advance(300);
    expect(await first).toMatchObject({ ready: false, log: { up: false, took: 300 } });
    clock.advance(100);
    answer();
    expect(await second).toMatchObject({ ready: true, log: { up: true, took: 400 } });
    expect(asked).toBe(1);
  });

  test('gives the error of a log that fails', async () => {
    const failure = new Error('no route');
    const { hub } = startHub({
      wrapLog: (log) =>
        withMethods(log, {
          catchUp: () => {
            throw failure;
          },
        }),
    });
    expect(await hub.health()).toMatchObject({ ready: false, log: { up: false, error: failure } });
  });

  test('refuses options that it does not know', async () => {
    const { hub } = startHub();
    await expect(hub.health({ whithin: 5 } as never)).rejects.toThrow('Did you mean `within`?');
  });
});
