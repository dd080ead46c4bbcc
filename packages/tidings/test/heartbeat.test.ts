import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode, record, startHub, told } from './fixture.ts';
import { settle } from './peer.ts';

const HOUR = 3_600_000;

describe('a heartbeat', () => {
  test('is an `id:` alone, sent to a connection that was quiet for the interval', async () => {
    const { hub, clock } = startHub();
    const peer = record(hub);
    await settle();
    clock.advance(14_999);
    expect(peer.writes).toHaveLength(1);
    clock.advance(1);
    expect(peer.writes.slice(1).map(decode)).toEqual(['id: e.0\n\n']);
    clock.advance(15_000);
    expect(peer.writes).toHaveLength(3);
  });

  test('is the same bytes for all', async () => {
    const { hub, clock } = startHub({ heartbeat: 1000 });
    const peers = [record(hub), record(hub, { topics: ['b'] })];
    await settle();
    clock.advance(1000);
    expect(peers[0]?.writes[1]).toBeDefined();
    expect(peers[0]?.writes[1]).toBe(peers[1]?.writes[1]);
  });

  test('moves the cursor past events for others, and dispatches nothing', async () => {
    const { clock, follow, publish } = startHub({ retention: { events: 1 } });
    const peer = await follow();
    await publish('other', 1, 2, 3);
    clock.advance(15_000);
    peer.receive();
    expect(peer.lastEventId).toBe('e.3');
    expect(peer.events.map(({ type }) => type)).toEqual(['tidings:welcome']);
    // So the connection resumes exactly, although retention took events that weren't for it.
    peer.drop();
    await publish('a', 4);
    const again = await follow({}, peer.lastEventId);
    expect(told(again, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(again.received).toMatchObject([{ data: '4' }]);
  });

  test('is not sent while data flows', async () => {
    const { hub, clock, publish } = startHub();
    const [busy, quiet] = [record(hub), record(hub, { topics: ['quiet'] })];
    await settle();
    for (let i = 0; i < 20; i += 1) {
      clock.advance(7000);
      await publish('a', i);
      clock.tick();
    }
    expect(busy.writes).toHaveLength(21);
    expect(quiet.writes.slice(1).map(decode)).toEqual(
      Array.from({ length: 9 }, () => expect.stringMatching(/^id: e\.\d+\n\n$/)),
    );
  });

  test('never overtakes an event: gathered events are flushed first', async () => {
    const { hub, clock, publish } = startHub({ flushWindow: 20_000 });
    const [peer, other] = [record(hub), record(hub, { topics: ['other'] })];
    await settle();
    clock.advance(14_000);
    await publish('a', 1);
    clock.advance(1000);
    expect(peer.writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\n']);
    expect(other.writes.slice(1).map(decode)).toEqual(['id: e.1\n\n']);
  });

  test('is not sent to a peer that is behind: nothing may be queued for it', async () => {
    const { clock, follow, publish } = startHub({ stallTimeout: HOUR });
    const peer = await follow({ capacity: 1 });
    await publish('a', 1, 2);
    clock.tick();
    const { inFlight } = peer;
    clock.advance(60_000);
    expect(peer.inFlight).toBe(inFlight);
    for (let i = 0; i < 5; i += 1) peer.receive();
    expect(peer.received.map(({ data }) => data)).toEqual(['1', '2']);
  });

  test('that fills the peer’s buffer puts it behind, without a loss', async () => {
    const { hub, clock, publish } = startHub();
    const peer = record(hub);
    await settle();
    peer.takes = false;
    clock.advance(15_000);
    expect(hub.stats()).toMatchObject({ live: 0, behind: 1 });
    await publish('a', 1);
    clock.tick();
    expect(peer.writes).toHaveLength(2);
    peer.takes = true;
    peer.connection.drained();
    expect(peer.writes.slice(2).map(decode)).toEqual(['id: e.1\ndata: 1\n\n']);
    expect(hub.stats()).toMatchObject({ live: 1, behind: 0 });
  });

  test('stays on time when the wall clock is set back or forward', async () => {
    const { hub, clock } = startHub();
    const peer = record(hub);
    await settle();
    clock.jump(-HOUR);
    clock.advance(14_999);
    expect(peer.writes).toHaveLength(1);
    clock.advance(1);
    expect(peer.writes).toHaveLength(2);
    clock.jump(48 * HOUR);
    clock.advance(14_999);
    expect(peer.writes).toHaveLength(2);
    clock.advance(1);
    expect(peer.writes).toHaveLength(3);
  });

  test('needs no timer without connections, and a single one for any number of them', async () => {
    const { clock, follow } = startHub({ maxLifetime: Infinity });
    expect(clock.timers).toBe(0);
    const peers = [await follow(), await follow(), await follow()];
    expect(clock.timers).toBe(1);
    for (const peer of peers) peer.drop();
    expect(clock.timers).toBe(0);
    const late = await follow();
    expect(clock.timers).toBe(1);
    clock.advance(HOUR);
    expect(clock.timers).toBe(1);
    late.drop();
    expect(clock.timers).toBe(0);
  });

  test('keeps the promise of the welcome: no connection is ever quiet for longer', async () => {
    const heartbeat = fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 50, max: 40_000 }));
    const pause = fc.record({
      share: fc.double({ min: 0, max: 1.5, noNaN: true }),
      do: fc.constantFrom('a', 'b', 'connect'),
    });
    await fc.assert(
      fc.asyncProperty(heartbeat, fc.array(pause, { maxLength: 12 }), async (interval, pauses) => {
        const { hub, clock, publish } = startHub({ heartbeat: interval });
        const times: number[][] = [];
        const connect = async (): Promise<void> => {
          const at = [clock.monotonic()];
          times.push(at);
          const recorder = record(hub);
          recorder.onWrite = () => at.push(clock.monotonic());
          await settle();
        };
        await connect();
        for (const { share, do: action } of pauses) {
          clock.advance(share * interval);
          if (action === 'connect') await connect();
          else await publish(action, 1);
          clock.tick();
        }
        clock.advance(3 * interval);
        for (const at of times) {
          at.push(clock.monotonic());
          const quiet = at.slice(1).map((time, i) => time - (at[i] ?? 0));
          expect(Math.max(...quiet)).toBeLessThanOrEqual(interval + 1e-6);
        }
      }),
      { numRuns: 200 },
    );
  });
});
