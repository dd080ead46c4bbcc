import { describe, expect, test } from 'vitest';
import { startHub } from './fixture.ts';

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

  test('do not count duplicates as published', async () => {
    const { hub } = startHub();
    await hub.publish('a', 1, { id: 'x' });
    await hub.publish('a', 1, { id: 'x' });
    expect(hub.stats().published).toBe(1);
  });
});
