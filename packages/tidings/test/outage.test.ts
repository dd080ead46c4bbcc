import { describe, expect, test } from 'vitest';
import { Tail } from '../src/log/tail.ts';
import { createError } from '../src/protocol/errors.ts';
import { type Fixture, type FixtureOptions, dataOf, startHub, told, withMethods } from './fixture.ts';
import { createMatcherSet, type EventLog } from './internals.ts';
import { Peer, changeTerms, settle } from './peer.ts';

const AWAY = createError('log/unavailable', 'The engine is away.', { details: { retryAfter: 5 } });
const SECOND = 1000;
/** As docs/concepts.md says. */
const PATIENCE = 120 * SECOND;

interface Outage extends Fixture {
  /** From now on the log can't be read; it fails with this. */
  away(error?: Error): void;
  back(): void;
  /** How often it was asked. */
  readonly asked: () => number;
  /** Lets time pass as an event loop does, with everything that settles meanwhile. */
  pass(milliseconds: number): Promise<void>;
}

/** A hub whose tail has two events, on a log whose engine can go away. */
function startOn(options: FixtureOptions = {}): Outage {
  let error: Error | undefined;
  let asked = 0;
  const wrapLog = (log: EventLog): EventLog => {
    const tail = new Tail({ epoch: log.tail.epoch, retention: { events: 2 } });
    log.tail.onPush((entries) => tail.push(entries));
    return withMethods(log, {
      tail,
      read(query) {
        asked += 1;
        return error === undefined ? log.read(query) : Promise.reject(error);
      },
    });
  };
  const fixture = startHub({ stallTimeout: 3600 * SECOND, ...options, wrapLog });
  return {
    ...fixture,
    away: (given = AWAY) => void (error = given),
    back: () => void (error = undefined),
    asked: () => asked,
    async pass(milliseconds) {
      for (let left = milliseconds; left > 0; left -= SECOND) {
        fixture.clock.advance(Math.min(left, SECOND));
        await settle();
      }
    },
  };
}

/** A peer whose network takes one write at a time, of which it has received the first event; further ones wait in the log. */
async function followSlowly(outage: Outage, more: object = {}): Promise<Peer> {
  const slow = await outage.follow({ capacity: 1, ...more });
  await publishTooMuch(outage);
  return slow;
}

/** So many of them, which have asked for more just after the engine went away. */
async function waitForLog(outage: Outage, count: number): Promise<readonly Peer[]> {
  const slow = await Promise.all(Array.from({ length: count }, () => outage.follow({ capacity: 1 })));
  await publishTooMuch(outage);
  outage.away();
  for (const peer of slow) peer.receive();
  return slow;
}

async function publishTooMuch({ clock, publish }: Outage): Promise<void> {
  await publish('a', 1);
  clock.tick();
  await publish('a', 2, 3, 4, 5);
  clock.tick();
}

async function receiveAll(...peers: readonly Peer[]): Promise<void> {
  for (let i = 0; i < 10; i += 1) {
    for (const peer of peers) peer.receive();
    await settle();
  }
}

describe('while the log’s engine is away', () => {
  test('a reader that is behind stays connected, with heartbeats, and gets everything once it is back', async () => {
    const outage = startOn();
    const slow = await followSlowly(outage);
    outage.away();
    slow.receive();
    await settle();
    const sent = slow.wire;
    for (let i = 0; i < 60; i += 1) {
      await outage.pass(SECOND);
      slow.receive();
    }
    expect([slow.ended, slow.lastEventId]).toEqual([false, 'e.1']);
    // Of 15 seconds each; without a cursor, since that of the next one may be behind a gap.
    expect(slow.wire.slice(sent.length)).toMatch(/^(?::\n\n){3,4}$/);
    outage.back();
    await outage.pass(3 * SECOND);
    await receiveAll(slow);
    expect(dataOf(slow)).toEqual(['1', '2', '3', '4', '5']);
    expect(outage.hub.stats()).toMatchObject({ connections: 1, live: 1, behind: 0 });
    await outage.publish('a', 6);
    outage.clock.tick();
    slow.receive();
    expect(dataOf(slow).at(-1)).toBe('6');
  });

  test('one that comes back from far waits for its welcome', async () => {
    const outage = startOn({ replay: { bytes: 1_000_000 } });
    await outage.publish('a', 1, 2, 3, 4, 5);
    outage.away();
    const peer = new Peer({ topics: ['a'] }).connect(outage.hub, 'e.1');
    await settle();
    peer.receive();
    // A proxy, or the client, would give up an answer that doesn't begin.
    expect(peer.wire).toBe(':\n\n');
    await outage.pass(60 * SECOND);
    await outage.publish('a', 6);
    expect([peer.ended, told(peer, 'welcome')]).toEqual([false, []]);
    outage.back();
    await outage.pass(3 * SECOND);
    await receiveAll(peer);
    expect(told(peer, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(dataOf(peer)).toEqual(['2', '3', '4', '5', '6']);
  });

  test('nobody waits for longer than two minutes; the client then comes back with its cursor', async () => {
    const outage = startOn();
    const slow = await followSlowly(outage);
    outage.away();
    const receiveFor = async (seconds: number): Promise<void> => {
      for (let i = 0; i < seconds; i += 1) {
        slow.receive();
        await outage.pass(SECOND);
      }
    };
    await receiveFor(PATIENCE / SECOND - 3);
    expect(slow.ended).toBe(false);
    await receiveFor(6);
    expect([slow.ended, slow.lastEventId]).toEqual([true, 'e.1']);
    outage.back();
    slow.connect(outage.hub);
    await settle();
    await receiveAll(slow);
    expect(dataOf(slow)).toEqual(['1', '2', '3', '4', '5']);
    expect(outage.failures.length).toBeLessThanOrEqual(PATIENCE / (10 * SECOND) + 1);
    expect(new Set(outage.failures)).toEqual(new Set([AWAY]));
  });

  test('thousands that wait ask it no more often than one, and hold up nobody', async () => {
    const outage = startOn({ limits: { connections: 5000 } });
    const slow = await waitForLog(outage, 2000);
    await settle();
    const before = outage.asked();
    expect(before).toBeGreaterThanOrEqual(slow.length);
    await outage.pass(60 * SECOND);
    expect(outage.asked() - before).toBeLessThan(60);
    expect(slow.filter(({ ended }) => ended)).toEqual([]);
    const other = await outage.follow({ topics: ['b'] });
    await outage.publish('b', 7);
    outage.clock.tick();
    other.receive();
    expect(dataOf(other)).toEqual(['7']);
    outage.back();
    await outage.pass(3 * SECOND);
    await receiveAll(...slow);
    expect(slow.every((peer) => dataOf(peer).join() === '1,2,3,4,5')).toBe(true);
    expect(outage.failures.length).toBeLessThan(10);
  });

  test('one that waits can leave, expire, change its topics, and be told goodbye', async () => {
    const outage = startOn();
    const expiresAt = outage.clock.now() + 30 * SECOND;
    const first = await followSlowly(outage, { expiresAt });
    const resuming = { leaving: 'e.1', changing: 'e.1', staying: 'e.1' };
    const others = await Promise.all(
      Object.values(resuming).map((cursor) => outage.follow({ capacity: 1 }, cursor)),
    );
    const [leaving, changing, staying] = others as [Peer, Peer, Peer];
    outage.away();
    for (const peer of [first, ...others]) peer.receive();
    await outage.pass(SECOND);
    leaving.drop();
    await changeTerms(outage.hub, changing, {
      wanted: createMatcherSet(['b']),
      granted: createMatcherSet([]),
      expiresAt: undefined,
      issuedAt: undefined,
      tokenId: undefined,
    });
    await outage.pass(40 * SECOND);
    await receiveAll(first, changing, staying);
    expect(told(first, 'goodbye')).toMatchObject([{ reason: 'expired' }]);
    expect([changing.ended, staying.ended]).toEqual([false, false]);
    outage.back();
    await outage.pass(3 * SECOND);
    await receiveAll(changing);
    await outage.publish('b', 8);
    outage.clock.tick();
    await receiveAll(changing);
    expect(dataOf(changing).at(-1)).toBe('8');

    outage.away();
    const late = await outage.follow({ capacity: 1 }, 'e.1');
    late.receive();
    await outage.pass(SECOND);
    const closing = outage.hub.close();
    await outage.pass(SECOND);
    await receiveAll(changing, staying, late);
    await outage.pass(60 * SECOND);
    await closing;
    expect(told(staying, 'goodbye')).toMatchObject([{ reason: 'drain' }]);
    expect([outage.hub.stats().connections, outage.clock.timers]).toEqual([0, 0]);
  });

  test('all go on at once when it is back, also those whose topics have changed meanwhile', async () => {
    const outage = startOn();
    const slow = await waitForLog(outage, 20);
    await outage.pass(5 * SECOND);
    const wanted = createMatcherSet(['a', 'b']);
    const none = { expiresAt: undefined, issuedAt: undefined, tokenId: undefined };
    for (const peer of slow)
      await changeTerms(outage.hub, peer, { wanted, granted: createMatcherSet([]), ...none });
    outage.back();
    for (let i = 0; i < 4; i += 1) {
      await outage.pass(SECOND);
      await receiveAll(...slow);
    }
    expect(slow.map((peer) => dataOf(peer).join())).toEqual(slow.map(() => '1,2,3,4,5'));
  });

  test('one whose next failure is another ends at once', async () => {
    const outage = startOn();
    const slow = await followSlowly(outage);
    outage.away();
    slow.receive();
    await outage.pass(5 * SECOND);
    const broken = new Error('damaged');
    outage.away(broken);
    await outage.pass(3 * SECOND);
    expect([slow.ended, outage.failures.at(-1)]).toEqual([true, broken]);
  });

  test('a loop in this process waits, too', async () => {
    const outage = startOn();
    await outage.publish('a', 1, 2, 3, 4, 5);
    outage.away();
    const items = outage.hub.subscribe('a', { cursor: 'e.1' });
    const found: string[] = [];
    const reading = (async (): Promise<void> => {
      for await (const item of items) {
        found.push(item.kind === 'event' ? item.data : item.kind);
        if (found.includes('5')) break;
      }
    })();
    await outage.pass(60 * SECOND);
    expect(found).toEqual(['start']);
    outage.back();
    await outage.pass(3 * SECOND);
    await reading;
    expect(found).toEqual(['start', '2', '3', '4', '5']);
  });
});
