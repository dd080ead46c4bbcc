import { describe, expect, test } from 'vitest';
import { dataOf, type Fixture, startHub, withMethods } from './fixture.ts';
import type { EventLog } from './internals.ts';
import { Peer, settle } from './peer.ts';

const failure = new Error('disk full');
const fails = (): Promise<never> => Promise.reject(failure);
const throws = (): never => {
  throw failure;
};

describe.each([
  ['rejects', fails],
  ['throws', throws as () => Promise<never>],
])('a log that %s', (_, fail) => {
  test('in append gives the publisher the error, without other effects', async () => {
    const fixture = broken(['append'], fail);
    const { hub, clock, follow, publish, failures } = fixture;
    const peer = await follow();
    fixture.break();
    await expect(hub.publish('a', 1)).rejects.toBe(failure);
    await expect(
      hub.publishAll([
        { topics: 'a', data: 1 },
        { topics: 'b', data: 2 },
      ]),
    ).rejects.toBe(failure);
    fixture.mend();
    await publish('a', 2);
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual(['2']);
    expect(hub.stats()).toMatchObject({ connections: 1, published: 1 });
    expect(failures).toEqual([]);
  });

  test('in losses when a connection opens ends that connection, and reports the error', async () => {
    const fixture = broken(['losses'], fail);
    const { hub, follow, publish, failures } = fixture;
    const other = await follow();
    await publish('a', 1, 2, 3, 4);
    fixture.break();
    const peer = new Peer({ topics: ['a'] }).connect(hub, 'e.1');
    await settle();
    expect([peer.ended, peer.wire, peer.connection]).toEqual([true, '', undefined]);
    expect(failures).toEqual([failure]);
    expect(other.ended).toBe(false);
    fixture.mend();
    peer.connect(hub, 'e.1');
    await settle();
    peer.receive();
    await settle();
    peer.receive();
    expect(dataOf(peer)).toEqual(['3', '4']);
  });

  test.each(['read', 'losses'] as const)(
    'in %s for a slow reader ends it, and it gets the rest when it comes back',
    async (name) => {
      const fixture = broken([name], fail);
      const { hub, clock, follow, publish, failures } = fixture;
      const slow = await follow({ capacity: 1 });
      const fast = await follow();
      await publish('a', 1);
      clock.tick();
      await publish('a', 2, 3, 4);
      clock.tick();
      fixture.break();
      slow.receive();
      await settle();
      expect([slow.ended, slow.connection]).toEqual([true, undefined]);
      expect(failures).toEqual([failure]);
      fast.receive();
      expect(dataOf(fast)).toEqual(['1', '2', '3', '4']);
      expect(hub.stats()).toMatchObject({ connections: 1, live: 1 });

      fixture.mend();
      slow.connect(hub);
      for (let i = 0; i < 5; i += 1) {
        await settle();
        slow.receive();
      }
      expect(dataOf(slow)).toEqual(['1', '3', '4']);
      expect(slow.events.filter(({ type }) => type === 'tidings:welcome').at(-1)?.data).toContain(
        '"reason":"trimmed"',
      );
    },
  );

  test('in read ends a connection only when it reads', async () => {
    const fixture = broken(['read', 'losses'], fail);
    const { hub, clock, follow, publish, failures } = fixture;
    fixture.break();
    const peer = await follow();
    await publish('a', 1, 2, 3, 4);
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual(['1', '2', '3', '4']);
    expect(hub.stats().connections).toBe(1);
    expect(failures).toEqual([]);
  });
});

test('a log that rejects a trim is reported, and heartbeats, expiry and lifetime go on', async () => {
  const fixture = broken(['trim'], fails);
  const { clock, follow, failures } = fixture;
  fixture.break();
  const peer = await follow();
  const expiring = await follow({ expiresAt: clock.now() + 5000 });
  for (let second = 0; second < 31; second += 1) {
    clock.advance(1000);
    await settle();
  }
  peer.receive();
  expect(peer.wire.match(/^id: e\.0\n\n/gm)).toHaveLength(2);
  expect(expiring.ended).toBe(true);
  expect(failures.length).toBeGreaterThan(10);
  expect(new Set(failures)).toEqual(new Set([failure]));
});

test('a log that is slow to answer may do so after the connection is gone', async () => {
  const answers: (() => void)[] = [];
  const wrapLog = (log: EventLog): EventLog =>
    withMethods(log, {
      read: (query) => new Promise((resolve) => answers.push(() => resolve(log.read(query)))),
      losses: (after, matchers) =>
        new Promise((resolve) => answers.push(() => resolve(log.losses(after, matchers)))),
    });
  const { hub, clock, follow, publish, failures } = startHub({ retention: { events: 2 }, wrapLog });
  const slow = await follow({ capacity: 1 });
  await publish('a', 1);
  clock.tick();
  await publish('a', 2, 3, 4);
  const opening = new Peer({ topics: ['a'] }).connect(hub, 'e.1');
  slow.receive();
  await settle();
  slow.drop();
  opening.drop();
  while (answers.length > 0) {
    answers.shift()?.();
    await settle();
  }
  expect([slow.inFlight, opening.inFlight, opening.wire]).toEqual([0, 0, '']);
  expect(hub.stats()).toMatchObject({ connections: 0, topics: 0 });
  expect([failures, clock.timers]).toEqual([[], 0]);
});

/** A hub on a log some of whose methods fail between `break` and `mend`. */
function broken(
  names: readonly ('append' | 'read' | 'losses' | 'trim')[],
  fail: () => Promise<never>,
): Fixture & { break(): void; mend(): void } {
  let isBroken = false;
  const wrapLog = (log: EventLog): EventLog => {
    const methods = names.map((name) => {
      const method = log[name] as (...args: readonly unknown[]) => Promise<unknown>;
      return [name, (...args: readonly unknown[]) => (isBroken ? fail() : method(...args))] as const;
    });
    return withMethods(log, Object.fromEntries(methods));
  };
  const set = (value: boolean) => (): void => void (isBroken = value);
  return { ...startHub({ retention: { events: 2 }, wrapLog }), break: set(true), mend: set(false) };
}
