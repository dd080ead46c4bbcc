import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Matcher } from '../protocol/matcher.ts';
import { createMatcherSet } from '../protocol/matcher-set.ts';
import { TrimmedTopics } from './trimmed-topics.ts';

function lost(trimmed: TrimmedTopics, after: number, ...wanted: Matcher[]): unknown[] {
  return trimmed.losses(after, createMatcherSet(wanted)).map(({ matcher, seq }) => [matcher, seq]);
}

function record(trimmed: TrimmedTopics, topics: readonly string[], seq: number, isPrivate = false): void {
  trimmed.record({ topics: topics as [string, ...string[]], seq, private: isPrivate });
}

describe('trimmed topics', () => {
  test('report no loss before there is one', () => {
    const trimmed = new TrimmedTopics();
    expect(lost(trimmed, 0, 'a', { pattern: '*' })).toEqual([]);
    expect(trimmed.newest).toBe(0);
  });

  test('give the newest loss of each topic and pattern, if it lies after the cursor', () => {
    const trimmed = new TrimmedTopics();
    record(trimmed, ['a'], 1);
    record(trimmed, ['b', 'a/1'], 2);
    record(trimmed, ['a'], 3);
    expect(lost(trimmed, 0, 'a', 'b', 'a/1', 'c')).toEqual([
      ['a', 3],
      ['b', 2],
      ['a/1', 2],
    ]);
    expect(lost(trimmed, 2, 'a', 'b', 'a/1', 'c')).toEqual([['a', 3]]);
    expect(lost(trimmed, 3, 'a', 'b', 'a/1', 'c')).toEqual([]);
    expect(lost(trimmed, 1, { pattern: 'a/*' }, { pattern: 'c*' })).toEqual([[{ pattern: 'a/*' }, 2]]);
    expect(lost(trimmed, 2, { pattern: 'a/*' }, { pattern: '*' })).toEqual([[{ pattern: '*' }, 3]]);
  });

  test('keep the newer seq if an older one comes later', () => {
    const trimmed = new TrimmedTopics();
    record(trimmed, ['a'], 9);
    record(trimmed, ['a', 'b'], 4);
    expect(lost(trimmed, 4, 'a', 'b')).toEqual([['a', 9]]);
    expect(trimmed.newest).toBe(9);
  });

  test('say that a topic may have lost something once they have forgotten it', () => {
    const trimmed = new TrimmedTopics(2);
    record(trimmed, ['old'], 1);
    record(trimmed, ['mid'], 2);
    record(trimmed, ['new'], 3);
    // `old` was forgotten at 1: a reader there or later has lost none of the forgotten events.
    expect(lost(trimmed, 0, 'old', 'mid', 'new', 'never')).toEqual([
      ['old', 1],
      ['mid', 2],
      ['new', 3],
      ['never', 1],
    ]);
    expect(lost(trimmed, 1, 'old', 'mid', 'new', 'never')).toEqual([
      ['mid', 2],
      ['new', 3],
    ]);
    expect(lost(trimmed, 0, { pattern: 'none/*' })).toEqual([[{ pattern: 'none/*' }, 1]]);
  });

  test('keep a topic that is trimmed again and again among those they remember', () => {
    const trimmed = new TrimmedTopics(2);
    for (let seq = 1; seq <= 10; seq += 1) record(trimmed, [seq % 2 === 0 ? 'steady' : `once/${seq}`], seq);
    expect(lost(trimmed, 7, 'steady')).toEqual([['steady', 10]]);
    expect(lost(trimmed, 7, 'never')).toEqual([]);
  });

  test('answer at once for a pattern if there are too many topics to compare', () => {
    const trimmed = new TrimmedTopics();
    for (let seq = 1; seq <= 100_000; seq += 1) record(trimmed, [`t/${seq}`], seq);
    const asked: string[] = [];
    const spied = createMatcherSet([{ pattern: 'none/*' }]);
    const matches = (topic: string): boolean => asked.push(topic) < 0;
    Object.defineProperty(spied, 'patterns', { value: [{ pattern: 'none/*', matches }] });
    expect(trimmed.losses(5, spied)).toMatchObject([{ matcher: { pattern: 'none/*' }, seq: 100_000 }]);
    expect(asked.length).toBeLessThanOrEqual(1000);
  });
});

describe('losses of public events alone', () => {
  function lostPublicly(trimmed: TrimmedTopics, after: number, ...wanted: Matcher[]): unknown[] {
    return [...trimmed.losses(after, createMatcherSet(wanted), true)];
  }

  test('stay the same, counts and all, whatever private events are lost', () => {
    const few = new TrimmedTopics(3);
    const many = new TrimmedTopics(3);
    const wanted: Matcher[] = ['a', 'b', 'never', { pattern: 'a*' }, { pattern: '*' }];
    for (const [i, topic] of ['a', 'b', 'c', 'd', 'a'].entries()) {
      record(few, [topic], 10 * i + 1);
      record(many, [topic], 10 * i + 1);
      for (let j = 2; j < 10; j += 1) record(many, ['a', `p/${j}`], 10 * i + j, true);
      const seqs = (losses: readonly unknown[]): unknown[] =>
        losses.map((loss) => ({ ...(loss as object), count: undefined }));
      for (let after = 0; after <= 50; after += 1)
        expect(seqs(lostPublicly(many, after, ...wanted))).toEqual(seqs(lostPublicly(few, after, ...wanted)));
    }
    const [before] = lostPublicly(many, 0, 'a');
    record(many, ['a'], 60, true);
    expect(lostPublicly(many, 0, 'a')).toEqual([before]);
    expect(lost(many, 41, 'a')).toEqual([['a', 60]]);
  });

  test('stay the same for a pattern if there are too many private topics to compare', () => {
    const trimmed = new TrimmedTopics();
    record(trimmed, ['a'], 1);
    for (let seq = 2; seq <= 5000; seq += 1) record(trimmed, [`p/${seq}`], seq, true);
    expect(lostPublicly(trimmed, 0, { pattern: 'a*' }, { pattern: 'p/*' })).toMatchObject([
      { matcher: { pattern: 'a*' }, seq: 1 },
    ]);
    expect(lost(trimmed, 1, { pattern: 'a*' })).toEqual([[{ pattern: 'a*' }, 5000]]);
  });

  test('count presence for its topic, not for a pattern', () => {
    const trimmed = new TrimmedTopics();
    record(trimmed, ['presence/room'], 1);
    expect(
      lostPublicly(trimmed, 0, 'presence/room', { pattern: '*' }, { pattern: 'presence/*' }),
    ).toMatchObject([{ matcher: 'presence/room' }]);
    expect(lost(trimmed, 0, { pattern: 'presence/*' })).toHaveLength(1);
  });
});

/** Gives some events topics of their own, to reach the bound. */
const topicsOfOne = fc.array(
  fc.oneof(
    fc.constantFrom('a', 'b', 'a/1'),
    fc.nat(40).map((n) => `n/${n}`),
  ),
  { minLength: 1, maxLength: 3 },
);

test('every loss is reported, and a cursor after all losses gets none, whatever the bound', () => {
  const wanted = createMatcherSet(['a', 'b', 'n/7', 'n/30', 'never', { pattern: 'n/*' }, { pattern: ':x' }]);
  fc.assert(
    fc.property(
      fc.array(topicsOfOne, { maxLength: 60, size: 'max' }),
      fc.constantFrom(0, 1, 3, 10, 1000),
      fc.nat(70),
      fc.boolean(),
      (events, maxTopics, after, backwards) => {
        const trimmed = new TrimmedTopics(maxTopics);
        const recorded = events.map((topics, i) => ({ topics, seq: i + 1 }));
        // A topic with bounds of its own loses events out of order.
        if (backwards) recorded.reverse();
        for (const { topics, seq } of recorded) record(trimmed, topics, seq);
        const told = new Map(
          trimmed.losses(after, wanted).map(({ matcher, seq }) => [JSON.stringify(matcher), seq]),
        );
        for (const matcher of wanted.matchers) {
          const single = createMatcherSet([matcher]);
          const newest = Math.max(
            0,
            ...recorded.filter(({ topics }) => single.matches(topics)).map(({ seq }) => seq),
          );
          const seq = told.get(JSON.stringify(matcher));
          if (newest > after) expect(seq).toBeGreaterThanOrEqual(newest);
          if (seq === undefined) continue;
          expect(seq).toBeGreaterThan(after);
          expect(seq).toBeLessThanOrEqual(events.length);
          // With room for all names, there is no doubt.
          if (maxTopics === 1000) expect(seq).toBe(newest);
        }
        expect(trimmed.newest).toBe(events.length);
      },
    ),
    { numRuns: 500 },
  );
});
