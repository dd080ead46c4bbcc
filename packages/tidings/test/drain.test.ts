import { describe, expect, test } from 'vitest';
import { type Recorder, dataOf, record, recordMany, startHub, told, withMethods } from './fixture.ts';
import { gatewayOf } from './internals.ts';
import { Peer, settle } from './peer.ts';

/** Whether a promise has settled by now. */
async function isDone(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  const finish = (): void => void (done = true);
  promise.then(finish, finish);
  await settle();
  return done;
}

describe('closing a hub', () => {
  test('tells each client when to come back: after the retry, or up to a second later', async () => {
    const shares = [0, 0.25, 0.999];
    const { hub, follow } = startHub({ retry: 2000, random: () => shares.shift() ?? 0.5 });
    const peers = [await follow(), await follow(), await follow()];
    const closed = hub.close();
    for (const peer of peers) peer.receive();
    await closed;
    expect(peers.flatMap((peer) => told(peer, 'goodbye'))).toEqual([
      { reason: 'drain', retry: 2000 },
      { reason: 'drain', retry: 2250 },
      { reason: 'drain', retry: 2999 },
    ]);
    expect(peers[1]?.wire).toMatch(
      /\n\nretry: 2250\nevent: tidings:goodbye\ndata: \{"reason":"drain","retry":2250\}\n\n$/,
    );
  });

  test('spreads many reconnects, at most a thousand in a second', async () => {
    let calls = 0;
    const { hub, clock } = startHub({ retry: 0, random: () => (calls++ % 100) / 100 });
    const recorders = Array.from({ length: 5000 }, () => record(hub, { closesAtOnce: true }));
    await settle();
    const closed = hub.close();
    clock.tick();
    await closed;
    const retries = recorders.map(({ end }) => Number(/^retry: (\d+)/.exec(end ?? '')?.[1]));
    for (let second = 0; second < 5; second += 1) {
      const share = retries.filter((retry) => Math.floor(retry / 1000) === second).length;
      expect(Math.abs(share - 1000)).toBeLessThanOrEqual(50);
    }
  });

  test('ends a bounded number of streams in a turn, also by dropping them, each after its goodbye', async () => {
    const { hub, clock, time, recorders } = await recordMany(1000);
    const count = (of: (recorder: Recorder) => boolean): number => recorders.filter(of).length;
    const isToldOf = ({ end }: Recorder): boolean => end?.includes('drain') === true;
    void hub.close({ within: 0 });
    const told = [count(isToldOf)];
    // Nobody gets events any more, told or not.
    const writes = recorders.map((recorder) => recorder.writes.length);
    await hub.publish('a', 1);
    // Only the deadline: what is deferred has its turns below.
    time.advance(0);
    const dropped = [0];
    while (told.at(-1) !== 1000 || dropped.at(-1) !== 1000) {
      expect(told.length).toBeLessThan(20);
      clock.turn();
      told.push(count(isToldOf));
      dropped.push(count((recorder) => recorder.destroyed && isToldOf(recorder)));
    }
    for (const counts of [told, dropped])
      expect(Math.max(...counts.map((now, i) => now - (counts[i - 1] ?? 0)))).toBe(200);
    expect(recorders.map((recorder) => recorder.writes.length)).toEqual(writes);
  });

  test('at once after a disconnect of many drops them only after their goodbye, too', async () => {
    const { hub, clock, time, recorders } = await recordMany(1000);
    expect(hub.disconnect(() => true)).toBe(1000);
    void hub.close({ within: 0 });
    time.advance(0);
    let told = 0;
    for (let turns = 0; recorders.some(({ destroyed }) => !destroyed); turns += 1) {
      expect(turns).toBeLessThan(20);
      clock.turn();
      const isTold = ({ end }: Recorder): boolean => end?.includes('evicted') === true;
      expect(recorders.filter((recorder) => recorder.destroyed && !isTold(recorder))).toEqual([]);
      const now = recorders.filter(isTold).length;
      // The first were told at once.
      expect(now - told).toBeLessThanOrEqual(turns === 0 ? 400 : 200);
      told = now;
    }
    expect(told).toBe(1000);
  });

  test('sends every published event before the goodbye', async () => {
    const { hub, follow, publish } = startHub({ flushWindow: 10_000 });
    const peer = await follow();
    await publish('a', 1);
    const closed = hub.close();
    peer.receive();
    await closed;
    expect(peer.events.map(({ type }) => type)).toEqual(['tidings:welcome', 'message', 'tidings:goodbye']);
  });

  test('waits until all peers have taken the bytes sent to them', async () => {
    const { hub, follow } = startHub();
    const [quick, slow] = [await follow(), await follow()];
    const closed = hub.close();
    quick.receive();
    expect(await isDone(closed)).toBe(false);
    slow.receive();
    expect(await isDone(closed)).toBe(true);
  });

  test('drops peers that have not, after the deadline and no sooner', async () => {
    const { hub, clock, follow } = startHub();
    const [quick, stuck] = [await follow(), await follow()];
    const closed = hub.close({ within: 3000 });
    quick.receive();
    clock.advance(2999);
    expect(stuck.connection).toBeDefined();
    clock.advance(1);
    expect(stuck.connection).toBeUndefined();
    expect(await isDone(closed)).toBe(true);
    expect(clock.timers).toBe(0);
  });

  test('gives peers 5 seconds by default', async () => {
    const { hub, clock, follow } = startHub();
    const stuck = await follow();
    const closed = hub.close();
    clock.advance(4999);
    expect(stuck.connection).toBeDefined();
    clock.advance(1);
    expect(await isDone(closed)).toBe(true);
  });

  test('with a deadline of 0 drops everyone still connected', async () => {
    const { hub, clock, follow } = startHub();
    await follow();
    const closed = hub.close({ within: 0 });
    clock.advance(0);
    expect(await isDone(closed)).toBe(true);
    expect(hub.connections()).toEqual([]);
  });

  test('ends a connection that is opening without a goodbye', async () => {
    const { hub } = startHub();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    await hub.close();
    expect([peer.ended, peer.wire, peer.inFlight]).toEqual([true, '', 0]);
  });

  test('ends at once if nobody is connected, and closes the log', async () => {
    const { hub, clock } = startHub();
    await hub.close();
    await expect(hub.publish('a', 1)).rejects.toMatchObject({ code: 'log/closed', status: 503 });
    expect(clock.timers).toBe(0);
  });

  test('refuses connections with 503 and a time to come back', async () => {
    const { hub, follow } = startHub();
    const peer = await follow();
    const closed = hub.close();
    const gateway = gatewayOf(hub);
    expect(gateway.closing).toBe(true);
    const refused = { code: 'hub/unavailable', status: 503, details: { retryAfter: 1 } };
    await expect(follow()).rejects.toMatchObject(refused);
    expect(() => gateway.assertRoom({})).toThrow(expect.objectContaining(refused));
    peer.receive();
    await closed;
    await expect(follow()).rejects.toMatchObject(refused);
  });

  test('accepts events until the end, for clients that come back to the log', async () => {
    const { hub, follow, publish, log } = startHub();
    const peer = await follow();
    const closed = hub.close();
    expect(await publish('a', 1)).toBe('e.1');
    peer.receive();
    await closed;
    expect(dataOf(peer)).toEqual([]);
    expect(log.tail.head).toBe(1);
    await expect(publish('a', 2)).rejects.toMatchObject({ code: 'log/closed' });
  });

  test('twice closes it once: both calls wait for the same end', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    const first = hub.close({ within: 1000 });
    const second = hub.close({ within: 60_000 });
    expect(await isDone(second)).toBe(false);
    clock.advance(1000);
    await Promise.all([first, second]);
    expect(peer.connection).toBeUndefined();
    await hub.close();
    expect(peer.wire.match(/goodbye/g)).toBeNull();
  });

  test('from within a listener for the end of a connection is the same closing', async () => {
    const { hub, clock, follow } = startHub();
    const first = record(hub, { closesAtOnce: true });
    const stuck = await follow();
    const inner: Promise<void>[] = [];
    const refused: unknown[] = [];
    first.connection.onClose(() => {
      inner.push(hub.close());
      try {
        record(hub);
      } catch (error) {
        refused.push(error);
      }
    });
    const outer = hub.close({ within: 1000 });
    clock.advance(1000);
    expect(stuck.connection).toBeUndefined();
    expect(await isDone(outer)).toBe(true);
    expect(await isDone(Promise.all(inner))).toBe(true);
    expect(refused).toMatchObject([{ code: 'hub/unavailable' }]);
  });

  test('says goodbye only once to a connection that was ended before', async () => {
    const { hub, follow } = startHub();
    const peer = await follow();
    hub.disconnect(() => true, { retry: 2000 });
    const closed = hub.close();
    peer.receive();
    await closed;
    expect(told(peer, 'goodbye')).toEqual([{ reason: 'evicted', retry: 2000 }]);
  });

  test('leaves no timer, connection or listener behind, in any phase of a connection', async () => {
    const { hub, clock, follow, publish, log } = startHub({ flushWindow: 50 });
    await follow();
    await follow({ capacity: 1 });
    await publish('a', 1);
    clock.advance(50);
    await publish('a', 2);
    new Peer({ topics: ['b'] }).connect(hub);
    hub.disconnect(({ phase }) => phase === 'behind');
    const closed = hub.close({ within: 100 });
    clock.advance(100);
    await closed;
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, behind: 0, topics: 0 });
    expect(clock.timers).toBe(0);
    // No listener is left on the tail.
    const { flushes } = hub.stats();
    const entry = {
      topics: ['a'] as [string],
      data: '',
      seq: 3,
      time: 0,
      type: undefined,
      id: undefined,
      key: undefined,
    };
    log.tail.push([{ ...entry, tombstone: false, private: false, frame: undefined }]);
    clock.advance(1000);
    expect(hub.stats().flushes).toBe(flushes);
  });

  test('rejects with the log’s error if that fails to close, each time', async () => {
    const failure = new Error('disk');
    const { hub } = startHub({
      wrapLog: (log) => withMethods(log, { close: () => Promise.reject(failure) }),
    });
    await expect(hub.close()).rejects.toBe(failure);
    await expect(hub.close()).rejects.toBe(failure);
  });

  test('closes the log only after the last connection is gone', async () => {
    const steps: string[] = [];
    const { hub, follow } = startHub({
      wrapLog: (log) =>
        withMethods(log, {
          close: () => {
            steps.push('log');
            return log.close();
          },
        }),
    });
    const peer = await follow();
    peer.connection?.onClose(() => steps.push('peer'));
    const closed = hub.close();
    await settle();
    peer.receive();
    await closed;
    expect(steps).toEqual(['peer', 'log']);
  });
});
