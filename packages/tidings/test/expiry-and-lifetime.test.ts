import { describe, expect, test } from 'vitest';
import { startHub, told, withMethods } from './fixture.ts';
import { Peer, settle } from './peer.ts';

const HOUR = 3_600_000;

describe('a connection whose authorization expires', () => {
  test('gets a goodbye and ends within a second, with the hub’s retry', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow({ expiresAt: clock.now() + 10_000 });
    const other = await follow({ expiresAt: clock.now() + HOUR });
    clock.advance(9999);
    expect(peer.ended).toBe(false);
    clock.advance(1000);
    peer.receive();
    expect(peer.wire).toMatch(
      /retry: 2000\nevent: tidings:goodbye\ndata: \{"reason":"expired","retry":2000\}\n\n$/,
    );
    expect(peer.ended).toBe(true);
    expect(other.ended).toBe(false);
    expect(hub.stats().connections).toBe(1);
  });

  test('gets no event published later', async () => {
    const { clock, follow, publish } = startHub();
    const peer = await follow({ expiresAt: clock.now() + 1000 });
    clock.advance(2000);
    await publish('a', 1);
    clock.tick();
    peer.receive();
    expect(peer.received).toEqual([]);
  });

  test('expires by the wall clock, in which the authorization states its end', async () => {
    const { clock, follow } = startHub();
    const peer = await follow({ expiresAt: clock.now() + HOUR });
    clock.jump(HOUR);
    clock.advance(1000);
    expect(peer.ended).toBe(true);
  });

  test('while the log is still asked where it begins ends without a goodbye', async () => {
    const { hub, clock, publish } = startHub({
      retention: { events: 1 },
      wrapLog: (log) => withMethods(log, { losses: () => new Promise(() => {}) }),
    });
    await publish('a', 1, 2, 3);
    const peer = new Peer({ topics: ['a'], expiresAt: clock.now() + 1000 }).connect(hub, 'e.1');
    await settle();
    clock.advance(3000);
    peer.receive();
    // A goodbye would have come before the welcome, which is the first frame of every connection.
    expect(peer.wire).toBe('');
    expect(peer.ended).toBe(true);
    expect(hub.stats().connections).toBe(0);
  });
});

describe('a connection’s lifetime', () => {
  test('ends with a goodbye and a retry spread around the hub’s', async () => {
    const { clock, follow } = startHub({ maxLifetime: 60_000, retry: 2000, random: () => 0.25 });
    const peer = await follow();
    clock.advance(61_000);
    peer.receive();
    expect(told(peer, 'goodbye')).toEqual([{ reason: 'lifetime', retry: 1500 }]);
    expect(peer.wire).toContain('retry: 1500\nevent: tidings:goodbye\n');
    expect(peer.ended).toBe(true);
  });

  test('is 90 to 100 % of the maximum, spread evenly over connections that came together', async () => {
    const { hub, clock, follow } = startHub({ maxLifetime: 1_000_000 });
    const count = 1000;
    for (let i = 0; i < count; i += 1) await follow();
    const toldUntil = (time: number): number => {
      clock.advance(time - clock.monotonic());
      return count - hub.connections().filter(({ phase }) => phase === 'live').length;
    };
    expect(toldUntil(899_999)).toBe(0);
    for (let tenth = 1; tenth < 10; tenth += 1) {
      expect(Math.abs(toldUntil(900_000 + tenth * 10_000) / count - tenth / 10)).toBeLessThan(0.08);
    }
    expect(toldUntil(1_001_000)).toBe(count);
  });

  test('ends even while the authorization is about to expire, as a short one always is', async () => {
    const { clock, follow } = startHub({ maxLifetime: 10_000, expiryNotice: 30_000 });
    const peer = await follow({ expiresAt: clock.now() + 25_000 });
    clock.advance(11_000);
    peer.receive();
    expect(told(peer, 'goodbye')).toMatchObject([{ reason: 'lifetime' }]);
  });

  test('is unaffected by a wall clock that jumps', async () => {
    const { clock, follow } = startHub({ maxLifetime: HOUR });
    const peer = await follow();
    clock.jump(10 * HOUR);
    clock.advance(0.89 * HOUR);
    expect(peer.ended).toBe(false);
    clock.jump(-20 * HOUR);
    clock.advance(0.12 * HOUR);
    expect(peer.ended).toBe(true);
  });

  test('is an hour by default, and can be unlimited', async () => {
    const [byDefault, endless] = [startHub(), startHub({ heartbeat: HOUR, maxLifetime: Infinity })];
    const [peer, stays] = [await byDefault.follow(), await endless.follow()];
    byDefault.clock.advance(0.9 * HOUR - 1000);
    expect(peer.ended).toBe(false);
    byDefault.clock.advance(0.1 * HOUR + 3000);
    expect(peer.ended).toBe(true);
    endless.clock.advance(50 * HOUR);
    expect(stays.ended).toBe(false);
  });

  test('loses nothing: the peer goes on where it was', async () => {
    const { hub, clock, follow, publish } = startHub({ maxLifetime: 10_000 });
    const peer = await follow();
    for (let i = 0; i < 60; i += 1) {
      await publish('a', i);
      clock.advance(1000);
      await settle();
      peer.receive();
      if (peer.connection === undefined) peer.connect(hub);
      await settle();
    }
    peer.receive();
    expect(peer.received.map(({ data }) => data)).toEqual(Array.from({ length: 60 }, (_, i) => String(i)));
    expect(told(peer, 'goodbye').length).toBeGreaterThanOrEqual(5);
    expect(told(peer, 'welcome').slice(1)).toEqual(
      told(peer, 'goodbye').map(() => expect.objectContaining({ resumed: true })),
    );
  });
});
