import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Matcher } from '../../protocol/matcher.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { type Receiver, Subscriptions } from './subscription.ts';
import { frames, joinFrames } from './frames.ts';
import type { LogEntry } from '../../log/entry.ts';

const nobody: Receiver = { push: () => {}, fail: () => {}, order: 0 };

describe('subscriptions', () => {
  test('are shared by connections with the same topics and grants, in any order', () => {
    const matcher: fc.Arbitrary<Matcher> = fc.oneof(
      fc.constantFrom('a', 'b', 'a/b'),
      fc.constantFrom('a', '*').map((pattern) => ({ pattern })),
    );
    const list = fc.array(matcher, { maxLength: 3 });
    fc.assert(
      fc.property(list, list, list, list, (wanted, granted, otherWanted, otherGranted) => {
        const subscriptions = new Subscriptions();
        const first = subscriptions.join(createMatcherSet(wanted), createMatcherSet(granted), frames);
        const second = subscriptions.join(
          createMatcherSet(otherWanted),
          createMatcherSet(otherGranted),
          frames,
        );
        expect(first === second).toBe(isSame(wanted, otherWanted) && isSame(granted, otherGranted));
      }),
      { numRuns: 1000 },
    );
  });

  test('last as long as they have receivers', () => {
    const subscriptions = new Subscriptions();
    const wanted = createMatcherSet(['a', { pattern: 'b/*' }]);
    const nothing = createMatcherSet([]);
    const first = subscriptions.join(wanted, nothing, frames);
    expect(subscriptions.join(wanted, nothing, frames)).toBe(first);
    first.live.add(nobody);
    subscriptions.leave(first, nobody);
    expect([first.receivers, first.live.size, subscriptions.size, subscriptions.index.size]).toEqual([
      1, 0, 1, 2,
    ]);
    expect([...subscriptions.index.match(['b/1'])]).toEqual([first]);
    subscriptions.leave(first, nobody);
    expect([subscriptions.size, subscriptions.index.size]).toEqual([0, 0]);
    expect([...subscriptions.index.match(['a'])]).toEqual([]);
    expect(subscriptions.join(wanted, nothing, frames)).not.toBe(first);
  });
});

describe('the frames of several events', () => {
  test('are put together in one piece, and a single one is not copied', () => {
    const rest = {
      time: 0,
      type: undefined,
      id: undefined,
      key: undefined,
      tombstone: false,
      private: false,
    };
    const entries = ['x', 'y\nz', 'é'].map((data, i): LogEntry => ({
      ...rest,
      topics: ['a'],
      data,
      seq: i + 1,
      frame: undefined,
    }));
    const text = new TextDecoder().decode(joinFrames(entries, 'e'));
    expect(text).toBe('id: e.1\ndata: x\n\nid: e.2\ndata: y\ndata: z\n\nid: e.3\ndata: é\n\n');
    expect(joinFrames(entries.slice(0, 1), 'e')).toBe(entries[0]?.frame);
  });
});

function isSame(a: readonly Matcher[], b: readonly Matcher[]): boolean {
  const texts = [a, b].map((list) =>
    [...new Set(list.map((each) => JSON.stringify(each)))].toSorted().join(),
  );
  return texts[0] === texts[1];
}
