import { describe, expect, test } from 'vitest';
import { memoryLog } from '../src/logs/memory/index.ts';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { type EventLog, createHub } from './internals.ts';
import { Peer, settle } from './peer.ts';

function setUp(log: EventLog = memoryLog(), clock = createManualClock()) {
  const presence = [{ match: { pattern: 'room/*' }, grace: 5000, interval: 250, members: 3 }];
  const hub = createHub({ log, clock, presence });
  const watcher = new Peer({ topics: ['presence/room/a'] }).connect(hub);
  return {
    hub,
    clock,
    log,
    enter: (subject: string) => new Peer({ topics: ['room/a'], subject }).connect(hub),
    /** The watcher's events while `milliseconds` pass. */
    async told(milliseconds: number): Promise<unknown[]> {
      await settle();
      const before = watcher.received.length;
      clock.advance(milliseconds);
      await settle();
      clock.tick();
      watcher.receive();
      return watcher.received.slice(before).map(({ type, data }) => {
        expect(type).toBe('presence');
        return JSON.parse(data) as unknown;
      });
    },
  };
}

describe('presence', () => {
  test('counts people, not connections', async () => {
    const { hub, enter, told } = setUp();
    enter('ann');
    enter('ann');
    enter('bob');
    expect(await told(250)).toEqual([{ topic: 'room/a', count: 2, members: [{ id: 'ann' }, { id: 'bob' }] }]);
    expect(hub.presence('room/a').count).toBe(2);
    expect(hub.presence('elsewhere')).toEqual({ count: 0, members: [] });
  });

  test('announces nothing if a member comes back within the grace time', async () => {
    const { enter, told } = setUp();
    const ann = enter('ann');
    await told(250);
    ann.drop();
    expect(await told(4900)).toEqual([]);
    enter('ann');
    expect(await told(20_000)).toEqual([]);
  });

  test('announces that a member left, and that the topic is empty, once the grace time is over', async () => {
    const { enter, told } = setUp();
    const ann = enter('ann');
    const bob = enter('bob');
    await told(250);
    ann.drop();
    expect(await told(5300)).toEqual([{ topic: 'room/a', count: 1, members: [{ id: 'bob' }] }]);
    bob.drop();
    expect(await told(5300)).toEqual([{ topic: 'room/a', count: 0, members: [] }]);
  });

  test('announces 5,000 members within a second in a few events, with an exact count and a bounded list', async () => {
    const { hub, enter, told } = setUp();
    const events: unknown[] = [];
    for (let i = 0; i < 5000; i += 1) {
      enter(`user-${i}`);
      if (i % 500 === 499) events.push(...(await told(100)));
    }
    events.push(...(await told(250)));
    expect(events.length).toBeLessThanOrEqual(5);
    expect(events.at(-1)).toEqual({
      topic: 'room/a',
      count: 5000,
      members: [{ id: 'user-0' }, { id: 'user-1' }, { id: 'user-2' }],
    });
    expect(hub.presence('room/a').members).toHaveLength(3);
  });

  test('is a state: later subscribers get it at once', async () => {
    const { hub, enter, told } = setUp();
    enter('ann');
    await told(250);
    const late = new Peer({ topics: ['presence/room/a'] }).connect(hub);
    await settle();
    late.receive();
    expect(late.received.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { topic: 'room/a', count: 1, members: [{ id: 'ann' }] },
    ]);
  });

  test('leaves no ghosts after a crash, and no dip if members come back in time', async () => {
    const log = memoryLog();
    const before = setUp(log);
    before.enter('ann');
    before.enter('bob');
    await before.told(250);
    // The hub is gone without a word; the log is still there.
    const after = setUp(log);
    await after.told(1000);
    after.enter('ann');
    expect(await after.told(3900)).toEqual([]);
    expect(await after.told(300)).toEqual([{ topic: 'room/a', count: 1, members: [{ id: 'ann' }] }]);
  });

  test('refuses an app’s own presence events', async () => {
    const { hub } = setUp();
    await expect(hub.publish('presence/room/a', null)).rejects.toMatchObject({ code: 'topic/reserved' });
  });

  test('leaves no timer behind', async () => {
    const { hub, clock, enter, told } = setUp();
    enter('ann').drop();
    await told(100);
    for (const { id } of hub.connections()) hub.disconnect((connection) => connection.id === id);
    const closing = hub.close({ within: 10 });
    clock.advance(20);
    await closing;
    expect(clock.timers).toBe(0);
  });
});
