import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Presence, Roster, type RosterRule } from './roster.ts';

const RULE = { grace: 100, interval: 10, members: 2 };

/** The roster's announcements until `end`, each with its time, if `settle` is called whenever it is due. */
function announcements(roster: Roster, end: number): (readonly [at: number, Presence])[] {
  const announced: (readonly [number, Presence])[] = [];
  for (let at = roster.dueAt; at <= end && at !== Infinity; at = roster.dueAt) {
    const presence = roster.settle(at);
    if (presence !== undefined) announced.push([at, presence]);
  }
  return announced;
}

const listOf = (...ids: string[]): Presence => ({ count: ids.length, members: ids.map((id) => ({ id })) });

describe('a roster', () => {
  test('announces a crowd once, an interval after the first of them', () => {
    const roster = new Roster(RULE);
    for (const [i, id] of ['ann', 'bob', 'cid'].entries()) roster.join({ id }, i);
    expect(announcements(roster, 1000)).toEqual([
      [10, { count: 3, members: [{ id: 'ann' }, { id: 'bob' }] }],
    ]);
  });

  test('counts the connections of one member as one', () => {
    const roster = new Roster(RULE);
    roster.join({ id: 'ann' }, 0);
    roster.join({ id: 'ann' }, 0);
    announcements(roster, 10);
    roster.leave('ann', 20);
    expect(roster.dueAt).toBe(Infinity);
    roster.leave('ann', 30);
    expect(announcements(roster, 1000)).toEqual([[140, listOf()]]);
    expect(roster.isOver).toBe(true);
  });

  test('announces nothing if a member comes back within the grace time', () => {
    const roster = new Roster(RULE);
    roster.join({ id: 'ann' }, 0);
    announcements(roster, 10);
    roster.leave('ann', 20);
    expect(announcements(roster, 119)).toEqual([]);
    roster.join({ id: 'ann' }, 119);
    expect(announcements(roster, 1000)).toEqual([]);
    expect(roster.presence).toEqual(listOf('ann'));
  });

  test('announces new data of a member, and not the same data again', () => {
    const roster = new Roster(RULE);
    roster.join({ id: 'ann', data: { name: 'Ann' } }, 0);
    announcements(roster, 10);
    roster.join({ id: 'ann', data: { name: 'Ann' } }, 20);
    roster.join({ id: 'ann' }, 21);
    expect(roster.dueAt).toBe(Infinity);
    roster.join({ id: 'ann', data: { name: 'Anna' } }, 22);
    expect(announcements(roster, 1000)).toEqual([
      [32, { count: 1, members: [{ id: 'ann', data: { name: 'Anna' } }] }],
    ]);
  });

  test('that takes over announces no absence before the grace time is over', () => {
    const roster = new Roster(RULE);
    roster.takeOver(0);
    roster.join({ id: 'ann' }, 5);
    expect(announcements(roster, 99)).toEqual([]);
    expect(announcements(roster, 1000)).toEqual([[100, listOf('ann')]]);
  });

  test('ignores members that leave without having come', () => {
    const roster = new Roster(RULE);
    roster.join({ id: 'ann' }, 0);
    roster.leave('bob', 1);
    roster.leave('ann', 2);
    roster.leave('ann', 50);
    expect(announcements(roster, 1000).at(-1)).toEqual([112, listOf()]);
  });
});

interface Step {
  readonly wait: number;
  readonly who: string;
  readonly does: 'join' | 'leave';
}

/** The members present at a time, computed from the whole history, without state between moments. */
function presentAt(history: readonly (Step & { at: number })[], time: number, rule: RosterRule): string[] {
  const came = new Map<string, number>();
  for (const who of new Set(history.map((step) => step.who))) {
    let open = 0;
    let goneAt = -Infinity;
    let since = Infinity;
    for (const [order, step] of history.entries()) {
      if (step.at > time || step.who !== who) continue;
      if (step.does === 'join') {
        if (open === 0 && goneAt <= step.at) since = order;
        open += 1;
      } else if (open > 0) {
        open -= 1;
        if (open === 0) goneAt = step.at + rule.grace;
      }
    }
    if (open > 0 || goneAt > time) came.set(who, since);
  }
  return [...came].toSorted((a, b) => a[1] - b[1]).map(([who]) => who);
}

test('a roster’s announcements match the history up to its end, never more often than the interval', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    wait: fc.nat(60),
    who: fc.constantFrom('ann', 'bob', 'cid', 'dot'),
    does: fc.constantFrom('join', 'join', 'leave'),
  });
  const anyRule = fc.record({ grace: fc.nat(100), interval: fc.nat(80), members: fc.nat(4) });
  fc.assert(
    fc.property(anyRule, fc.array(step, { maxLength: 40 }), (rule, steps) => {
      const roster = new Roster(rule);
      const history: (Step & { at: number })[] = [];
      const announced: (readonly [number, Presence])[] = [];
      const expected = (time: number): Presence => {
        const there = presentAt(history, time, rule);
        return { count: there.length, members: there.slice(0, rule.members).map((id) => ({ id })) };
      };
      const settleUntil = (end: number): void => {
        for (const [at, presence] of announcements(roster, end)) {
          expect(presence).toEqual(expected(at));
          announced.push([at, presence]);
        }
      };
      let now = 0;
      for (const { wait, who, does } of steps) {
        settleUntil(now + wait);
        now += wait;
        history.push({ wait, who, does, at: now });
        if (does === 'join') roster.join({ id: who }, now);
        else roster.leave(who, now);
        settleUntil(now);
        expect(roster.presence).toEqual(expected(now));
      }
      settleUntil(Infinity);
      for (const [i, [at]] of announced.entries()) {
        const before = announced[i - 1]?.[0] ?? -Infinity;
        expect(at - before).toBeGreaterThanOrEqual(rule.interval);
      }
      const end = expected(Infinity);
      expect(roster.presence).toEqual(end);
      if (steps.some(({ does }) => does === 'join')) expect(announced.at(-1)?.[1]).toEqual(end);
      expect(roster.isOver).toBe(end.count === 0);
    }),
    { numRuns: 500 },
  );
});
