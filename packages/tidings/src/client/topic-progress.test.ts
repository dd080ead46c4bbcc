import { describe, expect, it } from 'vitest';
import {
  applyWish,
  NO_TOPICS,
  placeTopics,
  planConnection,
  settleTopics,
  type Topics,
  unsettled,
} from './topic-progress.ts';

const pattern = { pattern: 'b/*' };
const add = (topics: Topics, since: string, ...matchers: (string | typeof pattern)[]): Topics =>
  applyWish(topics, { add: matchers, drop: [] }, since);
const matchersOf = (topics: Topics) => [...topics.values()].map(({ matcher }) => matcher);

describe('topics', () => {
  it('are there once, in the order they were added, until they are dropped', () => {
    const topics = add(NO_TOPICS, 'e.1', 'a', pattern, 'a');
    expect(matchersOf(topics)).toEqual(['a', pattern]);
    expect(matchersOf(applyWish(topics, { add: ['c'], drop: [{ pattern: 'b/*' }, 'x'] }, ''))).toEqual([
      'a',
      'c',
    ]);
  });

  it('that are added again keep their place', () => {
    const topics = settleTopics(add(NO_TOPICS, 'e.1', 'a'), ['a'], 'e.1');
    expect(add(topics, 'e.2', 'a')).toEqual(topics);
  });

  it('that are dropped and added again have to be settled again', () => {
    const topics = settleTopics(add(NO_TOPICS, 'e.1', 'a'), ['a'], 'e.1');
    const dropped = applyWish(topics, { add: [], drop: ['a'] }, 'e.2');
    expect(unsettled(add(dropped, 'e.3', 'a'))).toEqual([{ matcher: 'a', since: 'e.3', settled: false }]);
  });

  it('are settled only by an announcement about the same place', () => {
    const topics = add(add(NO_TOPICS, 'e.1', 'a'), 'e.2', pattern);
    expect(unsettled(settleTopics(topics, ['a', pattern, 'x'], 'e.2'))).toMatchObject([{ matcher: 'a' }]);
  });

  it('get another place only while they are not settled', () => {
    const topics = settleTopics(add(NO_TOPICS, 'e.1', 'a', 'b'), ['a'], 'e.1');
    const placed = placeTopics(topics, ['a', 'b', 'x'], 'e.9');
    expect([...placed.values()].map(({ since }) => since)).toEqual(['e.1', 'e.9']);
  });
});

describe('a connection', () => {
  const first = add(NO_TOPICS, '', 'a', pattern);
  const settled = settleTopics(first, ['a', pattern], '');

  it('asks for everything, as new, until something is settled', () => {
    expect(planConnection(first, false)).toEqual({ matchers: ['a', pattern], asNew: true });
  });

  it('goes on with settled topics', () => {
    expect(planConnection(settled, false)).toEqual({ matchers: ['a', pattern], asNew: false });
    expect(planConnection(settled, true)).toEqual({ matchers: ['a', pattern], asNew: false });
  });

  it('leaves unsettled topics to be added, unless it has to ask for everything', () => {
    const topics = add(settled, 'e.3', 'c');
    expect(planConnection(topics, false)).toEqual({ matchers: ['a', pattern], asNew: false });
    expect(planConnection(topics, true)).toEqual({ matchers: ['a', pattern, 'c'], asNew: true });
  });

  it('asks for nothing if there are no topics', () => {
    expect(planConnection(NO_TOPICS, true)).toEqual({ matchers: [], asNew: false });
  });
});
