import { describe, expect, it } from 'vitest';
import type { LeaderMessage, SharedEvent } from './messages.ts';
import { newTab, nextTab, type TabEffect, type TabInput, type TabState } from './tab.ts';

const event = (seq: number, ...topics: string[]): SharedEvent => ({
  topics,
  type: 'message',
  data: String(seq),
  id: `e.${seq}`,
});

/** A tab, and what it did. */
function start(topics: readonly string[] = ['a']) {
  let state: TabState = newTab();
  let effects: readonly TabEffect[] = [];
  let n = 0;
  const put = (input: TabInput): readonly TabEffect[] => ({ state, effects } = nextTab(state, input)).effects;
  type Said = LeaderMessage extends infer M
    ? M extends LeaderMessage
      ? Omit<M, 'term' | 'n'>
      : never
    : never;
  const say = (said: Said, term = 't'): readonly TabEffect[] => {
    n += 1;
    return put({ type: 'message', message: { term, n, ...said } as LeaderMessage });
  };
  put({ type: 'grouped', tab: 'me' });
  put({ type: 'open', topics, at: 'e.10' });
  return {
    put,
    say,
    skip: () => (n += 1),
    join: (at: string) => say({ type: 'joined', tab: 'me', request: state.request, at }),
    events: (at: number, ...events: SharedEvent[]) => say({ type: 'events', events, at: `e.${at}` }),
    data: () =>
      effects.flatMap((effect) => (effect.type === 'events' ? effect.events.map(({ data }) => data) : [])),
    get state() {
      return state;
    },
    get did() {
      return effects.map(({ type }) => type);
    },
  };
}

describe('a tab', () => {
  it('takes events of its topics, and the position also where there are none', () => {
    const tab = start(['a', 'b']);
    expect(tab.did).toEqual(['post']);
    expect(tab.join('e.10')).toEqual([{ type: 'ready', at: 'e.10' }]);
    tab.events(13, event(11, 'a'), event(12, 'c'), event(13, 'c', 'b'));
    expect(tab.data()).toEqual(['11', '13']);
    expect(tab.events(15, event(15, 'c'))).toEqual([{ type: 'position', at: 'e.15' }]);
  });

  it('reads what lies between its place and the stream, and holds the stream meanwhile', () => {
    const tab = start();
    expect(tab.join('e.12')).toEqual([{ type: 'read', after: 'e.10', topics: ['a'] }]);
    expect(tab.events(14, event(13, 'a'), event(14, 'a'))).toEqual([]);
    tab.put({ type: 'read', at: 'e.13' });
    expect(tab.data()).toEqual(['14']);
  });

  it('reads again if the answer did not reach the stream, and begins anew if that goes on', () => {
    const tab = start();
    tab.join('e.20');
    for (let n = 1; n < 6; n += 1) tab.put({ type: 'read', at: 'e.10' });
    expect(tab.did).toEqual(['read']);
    tab.put({ type: 'read', at: 'e.10' });
    expect(tab.did).toEqual(['cut']);
  });

  it('that is far behind reads as often as it comes nearer', () => {
    const tab = start();
    tab.join('e.30');
    for (let n = 11; n < 30; n += 1) {
      tab.put({ type: 'read', at: `e.${n}` });
      expect(tab.did).toEqual(['read']);
    }
    tab.put({ type: 'read', at: 'e.30' });
    expect(tab.did).toEqual(['ready']);
  });

  it('that is ahead of the stream takes nothing twice', () => {
    const tab = start();
    tab.join('e.7');
    tab.events(9, event(8, 'a'), event(9, 'a'));
    expect(tab.data()).toEqual([]);
    tab.events(11, event(10, 'a'), event(11, 'a'));
    expect(tab.data()).toEqual(['11']);
  });

  it('asks anew when a message of the leader is missing, or there is another leader', () => {
    const tab = start();
    tab.join('e.10');
    tab.skip();
    tab.events(12, event(12, 'a'));
    expect(tab.did).toEqual(['post']);
    tab.join('e.10');
    tab.say({ type: 'lead' }, 'other');
    expect(tab.did).toEqual(['post']);
  });

  it('does not take an answer for what it asked before', () => {
    const tab = start();
    const { request } = tab.state;
    tab.put({ type: 'open', topics: ['a', 'b'], at: 'e.10' });
    expect(tab.say({ type: 'joined', tab: 'me', request, at: 'e.10' })).toEqual([]);
  });

  it('that does not keep up takes no part until its client has taken everything', () => {
    const tab = start();
    tab.join('e.10');
    tab.put({ type: 'full' });
    expect(tab.events(11, event(11, 'a'))).toEqual([]);
    tab.put({ type: 'drained' });
    expect(tab.did).toEqual(['post']);
    expect(tab.join('e.12')).toEqual([{ type: 'read', after: 'e.10', topics: ['a'] }]);
  });

  it('adds topics at the point of the stream where the leader says that it brings them', () => {
    const tab = start();
    tab.join('e.10');
    tab.put({ type: 'change', add: ['b'], drop: [] });
    tab.events(12, event(11, 'a'), event(12, 'b'));
    expect(tab.data()).toEqual(['11']);
    expect(tab.join('e.12')).toEqual([{ type: 'read-gained', topics: ['b'], at: 'e.12' }]);
    tab.events(13, event(13, 'b'));
    expect(tab.data()).toEqual([]);
    tab.put({ type: 'gained', frames: 'data: state\n\n' });
    expect(tab.did).toEqual(['frames', 'changed', 'events']);
    expect(tab.data()).toEqual(['13']);
  });

  it('keeps a change until it takes part in the stream', () => {
    const tab = start();
    tab.put({ type: 'change', add: ['b'], drop: [] });
    expect(tab.did).toEqual([]);
    tab.join('e.10');
    expect(tab.did).toEqual(['ready', 'post']);
  });

  it('is cut when the stream is down, and goes alone when it can’t be taken on', () => {
    const tab = start();
    tab.join('e.10');
    expect(tab.say({ type: 'down', message: 'why', failed: false })).toEqual([
      { type: 'cut', message: 'why', reread: false },
    ]);
    tab.put({ type: 'open', topics: ['a'], at: 'e.10' });
    expect(tab.say({ type: 'refused', tab: 'me', request: tab.state.request })).toEqual([{ type: 'own' }]);
  });
});
