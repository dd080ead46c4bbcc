import { expect, test, vi } from 'vitest';
import { startHub } from '../src/hub/hub.ts';
import { type Tuning, TUNING } from '../src/hub/delivery/tuning.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { type Hub, createMatcherSet, gatewayOf } from './internals.ts';
import { type TurnedClock, inTurns } from './model/turns.ts';
import { settle } from './peer.ts';

const TABS = 200;

interface Tab {
  readonly ids: number[];
}

/** Tabs of different users on one topic: each has a subscription of its own, and labels of its own. */
async function startTabs(
  tuning: Partial<Tuning>,
  count = TABS,
): Promise<{ hub: Hub; clock: TurnedClock; tabs: Tab[] }> {
  const clock = inTurns(createManualClock());
  const hub = startHub({ clock, log: memoryLog({ epoch: 'e', now: clock.now }) }, { ...TUNING, ...tuning });
  const tabs = Array.from({ length: count }, (_, user): Tab => {
    const ids: number[] = [];
    const connection = gatewayOf(hub).admit({
      wanted: createMatcherSet(['popular', `user/${user}`]),
      granted: createMatcherSet(['popular', `user/${user}`]),
      start: 'head',
      reconnects: false,
      subject: `${user}`,
      expiresAt: undefined,
      remote: undefined,
      userAgent: undefined,
      protocol: 'test',
      labels: true,
    });
    const write = (bytes: Uint8Array): boolean => {
      // A large event comes alone, after its id.
      const text = new TextDecoder().decode(bytes.length > 500_000 ? bytes.subarray(0, 300) : bytes);
      for (const [, seq] of text.matchAll(/^id: e\.(\d+)\nevent: n$/gm)) ids.push(Number(seq));
      return true;
    };
    connection.open({ write, end: () => connection.closed(), destroy: () => {} }, '');
    return { ids };
  });
  await settle();
  clock.tick();
  await settle();
  return { hub, clock, tabs };
}

function received(tabs: readonly Tab[]): number {
  return tabs.reduce((sum, { ids }) => sum + ids.length, 0);
}

/** Runs turn after turn until all tabs have so many events. @returns the most that `work` counted in one turn. */
function mostInATurn(clock: TurnedClock, tabs: readonly Tab[], events: number, work: () => number): number {
  let most = 0;
  for (let turns = 0; received(tabs) < events * tabs.length; turns += 1) {
    expect(turns).toBeLessThan(10_000);
    const before = work();
    clock.turn();
    most = Math.max(most, work() - before);
  }
  return most;
}

test('A flush to many subscriptions writes to a bounded number of connections in a turn', async () => {
  const { hub, clock, tabs } = await startTabs({ slicedFrom: 50, slice: 0, lookEvery: 10 });
  await hub.publish('popular', 1, { type: 'n' });
  expect(mostInATurn(clock, tabs, 1, () => received(tabs))).toBe(10);
  clock.tick();
  expect(hub.stats()).toMatchObject({ delivered: TABS, flushes: 1 });
});

test('A flush to many subscriptions with formats of their own encodes a bounded number of them in a turn', async () => {
  const { hub, clock, tabs } = await startTabs({ slicedFrom: 50, slice: 0, lookEvery: 10 });
  await hub.publish('popular', 1, { type: 'n' });
  const labels = vi.spyOn(JSON, 'stringify');
  try {
    expect(mostInATurn(clock, tabs, 1, () => labels.mock.calls.length)).toBeLessThanOrEqual(11);
  } finally {
    labels.mockRestore();
  }
});

test('A burst to many subscriptions is matched for a few events at a time, and arrives whole and in order', async () => {
  const events = 40;
  const { hub, clock, tabs } = await startTabs({ slicedFrom: 50, mostPairs: 1000 });
  await hub.publishAll(Array.from({ length: events }, (_, data) => ({ topics: 'popular', data, type: 'n' })));
  // The event that reaches the number is the last: 1,000 of 200 each.
  expect(mostInATurn(clock, tabs, events, () => received(tabs))).toBe(1000);
  for (const { ids } of tabs) expect(ids).toEqual(Array.from({ length: events }, (_, i) => i + 1));
  expect(hub.stats()).toMatchObject({ delivered: TABS * events, flushes: 8 });
});

test('A burst to a few subscriptions, each with an encoding of its own, is encoded for a bounded number of them in a turn', async () => {
  const events = 40;
  const { hub, clock, tabs } = await startTabs({
    slicedFrom: TABS,
    slicedPairs: 1000,
    slice: 0,
    lookEvery: 10,
  });
  await hub.publishAll(Array.from({ length: events }, (_, data) => ({ topics: 'popular', data, type: 'n' })));
  expect(mostInATurn(clock, tabs, events, () => received(tabs))).toBeLessThanOrEqual(2 * events);
  for (const { ids } of tabs) expect(ids).toEqual(Array.from({ length: events }, (_, i) => i + 1));
});

test('The longer a write, the fewer connections are written to in a turn', async () => {
  const { hub, clock, tabs } = await startTabs({ slicedFrom: 50, slice: 0, lookEvery: 10 });
  await hub.publish('popular', 'x'.repeat(100_000), { raw: true, type: 'n' });
  expect(mostInATurn(clock, tabs, 1, () => received(tabs))).toBe(2);
});

test('A flush that was finished early leaves later ones their turns', async () => {
  const { hub, clock, tabs } = await startTabs({ slicedFrom: 20, slice: 0, lookEvery: 10 }, 30);
  await hub.publish('popular', 1, { type: 'n' });
  const before = received(tabs);
  clock.turn();
  expect(received(tabs) - before).toBe(10);
  // So much that the flush under way is finished at once, in the middle.
  const data = 'x'.repeat(900_000);
  await hub.publishAll(Array.from({ length: 6 }, () => ({ topics: 'popular', data, type: 'n', raw: true })));
  expect(received(tabs)).toBeGreaterThanOrEqual(tabs.length);
  expect(mostInATurn(clock, tabs, 7, () => received(tabs))).toBeLessThanOrEqual(10);
  for (const { ids } of tabs) expect(ids).toEqual([1, 2, 3, 4, 5, 6, 7]);
});
