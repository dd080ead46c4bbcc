import { describe, expect, it } from 'vitest';
import type { ReceivedEvent } from '../client/event-client.ts';
import { listReducer } from './list.ts';
import { compareCursors, isAfter, reaches } from './positions.ts';
import { latestValue, presenceValue, stateValues } from './values.ts';

function event(type: string, data: unknown, cursor = ''): ReceivedEvent {
  const text = JSON.stringify(data);
  return { type, data: text, cursor, json: () => JSON.parse(text) };
}

describe('the latest value', () => {
  it('is not overwritten by an older one that is sent again', () => {
    const latest = latestValue<number>();
    expect(latest.recall(event('cpu', 1))).toBe(true);
    expect(latest.take(event('cpu', 2))).toBe(true);
    expect(latest.recall(event('cpu', 1))).toBe(false);
    expect(latest.current).toEqual({ data: 2 });
  });

  it('stays after a gap until the hub says what it is now', () => {
    const latest = latestValue<number>();
    latest.take(event('cpu', 1));
    expect(latest.miss()).toBe(false);
    expect(latest.current).toEqual({ data: 1 });
    expect(latest.recall(event('cpu', 3))).toBe(true);
    expect(latest.current).toEqual({ data: 3 });
  });
});

describe('states by key', () => {
  it('are another map after a change, and the same without one', () => {
    const states = stateValues<{ id: string; n?: number }>('id', ['gone']);
    states.take(event('post', { id: 'a', n: 1 }));
    const before = states.current;
    expect(states.take(event('gone', { id: 'b' }))).toBe(false);
    expect(states.current).toBe(before);
    expect(states.take(event('post', { id: 'a', n: 2 }))).toBe(true);
    expect(before?.get('a')).toEqual({ id: 'a', n: 1 });
    expect(states.current?.get('a')).toEqual({ id: 'a', n: 2 });
  });

  it('lose a key by an event without a value, or of a type that removes', () => {
    const states = stateValues<unknown>(undefined, []);
    states.take(event('cpu', 1));
    states.take(event('cpu', null));
    expect([...(states.current ?? [])]).toEqual([]);
    const posts = stateValues<unknown>(['topic', 'id'], ['gone']);
    posts.take(event('post', { topic: 't', id: 1 }));
    posts.take(event('post', { topic: 't', id: 2 }));
    posts.take(event('gone', { topic: 't', id: 1 }));
    expect([...(posts.current ?? new Map()).keys()]).toEqual(['["t",2]']);
  });

  it('take from a snapshot that is sent again only what did not come since, deleted keys included', () => {
    const states = stateValues<unknown>('id', ['gone']);
    states.take(event('post', { id: 'a', n: 2 }));
    states.take(event('gone', { id: 'b' }));
    for (const id of ['a', 'b', 'c']) states.recall(event('post', { id, n: 1 }));
    expect([...(states.current ?? [])]).toEqual([
      ['a', { id: 'a', n: 2 }],
      ['c', { id: 'c', n: 1 }],
    ]);
  });

  it('begin anew after a gap: a key that was deleted meanwhile does not stay', () => {
    const states = stateValues<unknown>('id', []);
    states.take(event('post', { id: 'a' }));
    expect(states.miss()).toBe(true);
    expect(states.current?.size).toBe(0);
    expect(states.recall(event('post', { id: 'b' }))).toBe(true);
    expect([...(states.current ?? new Map()).keys()]).toEqual(['b']);
    expect(stateValues('id', []).miss()).toBe(false);
  });
});

describe('presence', () => {
  it('is that of its own topic, though all presence has one type', () => {
    const presence = presenceValue('room/1');
    expect(presence.take(event('presence', { topic: 'room/2', count: 5 }))).toBe(false);
    expect(presence.take(event('presence', { topic: 'room/1', count: 1, members: [{ id: 'ann' }] }))).toBe(
      true,
    );
    expect(presence.current).toEqual({ count: 1, members: [{ id: 'ann' }] });
    presence.take(event('presence', { topic: 'room/1', count: 2 }));
    expect(presence.current).toEqual({ count: 2, members: [] });
  });
});

describe('a list', () => {
  const run = (options: Parameters<typeof listReducer>[0], ...events: ReceivedEvent[]): readonly unknown[] =>
    events.reduce(listReducer(options, ['gone']), [] as readonly unknown[]);
  const posts = [1, 2, 3].map((id) => event('post', { id }));

  it('keeps the newest items, at the end or at the beginning', () => {
    expect(run({ limit: 2 }, ...posts)).toEqual([{ id: 2 }, { id: 3 }]);
    expect(run({ limit: 2, order: 'newest-first' }, ...posts)).toEqual([{ id: 3 }, { id: 2 }]);
  });

  it('replaces an item in its place, and removes it', () => {
    expect(
      run({ key: 'id' }, ...posts, event('post', { id: 2, likes: 1 }), event('gone', { id: 1 })),
    ).toEqual([{ id: 2, likes: 1 }, { id: 3 }]);
    expect(run({ key: 'id' }, event('gone', { id: 1 }))).toEqual([]);
  });

  it('is bounded with a reducer of the app, too', () => {
    const reduce = (items: readonly unknown[], one: ReceivedEvent): readonly unknown[] => [
      ...items,
      one.type,
    ];
    expect(run({ limit: 2, reduce }, ...posts)).toEqual(['post', 'post']);
  });
});

describe('cursors', () => {
  it('are compared within one epoch only', () => {
    expect(compareCursors('a.2', 'a.10')).toBeLessThan(0);
    expect(compareCursors('a.2', 'a.2')).toBe(0);
    expect(compareCursors('a.2', 'b.1')).toBeUndefined();
    expect(compareCursors('', '')).toBeUndefined();
    expect(compareCursors('42', '41')).toBeUndefined();
  });

  it('say whether an event is new, and count it as new when they do not', () => {
    expect(isAfter({ cursor: 'a.3' }, 'a.2')).toBe(true);
    expect(isAfter({ cursor: 'a.2' }, 'a.2')).toBe(false);
    expect(isAfter({ cursor: '' }, 'a.2')).toBe(true);
    expect(isAfter({ cursor: 'b.1' }, 'a.2')).toBe(true);
  });

  it('say whether data reaches up to where events begin', () => {
    expect(reaches('a.5', ['a.3', 'a.5'])).toBe(true);
    expect(reaches('a.5', ['a.3', 'a.6'])).toBe(false);
    expect(reaches('a.5', ['', 'a.6'])).toBe(false);
    expect(reaches('a.5', ['a.3', ''])).toBeUndefined();
  });
});
