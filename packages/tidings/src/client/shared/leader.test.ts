import { describe, expect, it } from 'vitest';
import { type LeaderEffect, type LeaderInput, type LeaderState, newLeader, nextLeader } from './leader.ts';

/** A leader, and what it did. */
function start() {
  let state: LeaderState = newLeader('l');
  const put = (input: LeaderInput): readonly LeaderEffect[] => {
    const step = nextLeader(state, input);
    ({ state } = step);
    return step.effects;
  };
  const join = (tab: string, topics: readonly string[], at = 'e.10', request = 1): readonly LeaderEffect[] =>
    put({ type: 'message', message: { type: 'join', tab, request, topics, at } });
  const open = (at = 'e.10'): readonly LeaderEffect[] => {
    put({ type: 'gathered' });
    return [...put({ type: 'opened', at }), ...put({ type: 'flush', at })];
  };
  return { put, join, open };
}

const said = (effects: readonly LeaderEffect[]): string[] =>
  effects.flatMap((effect) => {
    if (effect.type !== 'post') return [];
    const { message } = effect;
    return ['tab' in message ? `${message.type} ${message.tab}` : message.type];
  });

describe('a leader', () => {
  it('opens one stream for the tabs that ask within a moment, where the hindmost of them is', () => {
    const { put, join } = start();
    join('x', ['a'], 'e.12');
    join('y', ['b'], 'e.11');
    join('z', ['c'], 'other.11');
    expect(put({ type: 'gathered' })).toEqual([{ type: 'open', topics: ['a', 'b', 'c'], at: 'e.11' }]);
    expect(said(put({ type: 'opened', at: 'e.11' }))).toEqual(['joined x', 'joined y', 'joined z']);
  });

  it('lets them take part before the first events, so nobody has to read these', () => {
    const { put, join } = start();
    join('x', ['a'], 'e.10');
    put({ type: 'gathered' });
    const effects = put({ type: 'opened', at: 'e.10' });
    expect(effects).toMatchObject([{ message: { type: 'joined', tab: 'x', at: 'e.10' } }]);
    put({ type: 'event', event: { topics: ['a'], type: 'message', data: '', id: 'e.11' } });
    expect(put({ type: 'flush', at: 'e.11' })).toMatchObject([{ message: { type: 'events', at: 'e.11' } }]);
  });

  it('lets them wait for the first flush of a stream that may lack something', () => {
    const { put, join } = start();
    join('x', ['a']);
    put({ type: 'gathered' });
    expect(put({ type: 'opened', at: undefined })).toEqual([]);
    expect(said(put({ type: 'flush', at: 'e.10' }))).toEqual(['events', 'joined x']);
  });

  it('leaves tabs that are far behind to read for themselves', () => {
    const { put, join } = start();
    join('x', ['a'], 'e.5000');
    join('y', ['a'], 'e.10');
    expect(put({ type: 'gathered' })).toEqual([{ type: 'open', topics: ['a'], at: 'e.5000' }]);
  });

  it('adds a topic, and says that it is there only once the stream is as far', () => {
    const { put, join, open } = start();
    join('x', ['a']);
    open();
    expect(join('y', ['a', 'b'])).toContainEqual({ type: 'change', add: ['b'], drop: [] });
    expect(put({ type: 'changed', since: 'e.12' })).toEqual([]);
    expect(said(put({ type: 'flush', at: 'e.11' }))).toEqual(['events']);
    expect(said(put({ type: 'flush', at: 'e.12' }))).toEqual(['events', 'joined y']);
  });

  it('refuses the tab whose topics the server refuses, and no other', () => {
    const { put, join, open } = start();
    join('x', ['a']);
    open();
    join('y', ['b']);
    join('z', ['c']);
    const effects = put({ type: 'refused' });
    expect(said(effects)).toEqual(['refused y']);
    expect(effects).toContainEqual({ type: 'change', add: ['c'], drop: [] });
  });

  it('refuses topics that don’t fit into a URL with the others', () => {
    const { join, open } = start();
    join('x', ['a']);
    open();
    expect(said(join('y', ['b'.repeat(6_000)]))).toEqual(['refused y']);
  });

  it('drops a topic when its last tab is gone, and not at once', () => {
    const { put, join, open } = start();
    join('x', ['a']);
    join('y', ['a', 'b']);
    open();
    expect(put({ type: 'gone', tab: 'y' })).toEqual([{ type: 'tidy-later' }]);
    expect(put({ type: 'tidy' })).toEqual([{ type: 'change', add: [], drop: ['b'] }]);
    expect(said(join('y', ['b']))).toEqual([]);
    put({ type: 'changed', since: 'e.10' });
  });

  it('begins a new term at a gap, and has no position until the stream goes on', () => {
    const { put, join, open } = start();
    join('x', ['a']);
    open();
    put({ type: 'event', event: { topics: ['a'], type: 'message', data: '', id: 'e.11' } });
    expect(put({ type: 'gap' })).toMatchObject([{ message: { type: 'lead', term: 'l.2', n: 1 } }]);
    expect(said(join('x', ['a'], 'e.10', 2))).toEqual([]);
    const effects = put({ type: 'flush', at: 'f.20' });
    expect(said(effects)).toEqual(['events', 'joined x']);
    expect(effects).toMatchObject([{ message: { events: [] } }, { message: { at: 'f.20' } }]);
  });

  it('whose stream failed begins carefully: with one tab’s topics', () => {
    const { put, join, open } = start();
    join('x', ['a']);
    join('y', ['b']);
    open();
    expect(put({ type: 'failed', message: 'no' })).toMatchObject([
      { message: { type: 'down', failed: true } },
      { type: 'close' },
    ]);
    join('x', ['a'], 'e.10', 2);
    join('y', ['b'], 'e.10', 2);
    expect(put({ type: 'gathered' })).toEqual([{ type: 'open', topics: ['a'], at: 'e.10' }]);
  });
});
