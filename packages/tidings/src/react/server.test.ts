import { createElement, type ReactNode, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { expect, it } from 'vitest';
import type { EventClient } from '../client/event-client.ts';
import {
  TidingsProvider,
  useConnection,
  useEvent,
  useLatest,
  useList,
  usePresence,
  useStates,
} from './index.ts';

function Page(): ReactNode {
  const { status } = useConnection();
  const cpu = useLatest<number>('cpu', { topics: 'load', initial: 7 });
  const states = useStates<number>('mem', { initial: new Map([['mem', 8]]) });
  const { items, loading } = useList<number>('item', {
    initial: [1, 2],
    load: () => Promise.reject(new Error('not on the server')),
  });
  useEvent('item', () => undefined);
  const presence = usePresence('room/1');
  return [status, cpu, states.get('mem'), items.join(), loading, presence?.count ?? 'none'].join(' ');
}

it('on a server the hooks show their initial values, and no connection is opened', () => {
  const connect = (): EventClient => {
    throw new Error('connected');
  };
  const page = createElement(TidingsProvider, { url: '/events', connect }, createElement(Page));
  expect(renderToString(createElement(StrictMode, undefined, page))).toBe('idle 7 8 1,2 false none');
});

it('a hook outside of a provider says so', () => {
  expect(() => renderToString(createElement(Page))).toThrow(
    expect.objectContaining({ code: 'client/invalid-option' }),
  );
});

it('options that make no sense are refused, with the likely name', () => {
  const render = (props: object, Child: () => ReactNode = () => null): string =>
    renderToString(
      createElement(TidingsProvider as (props: object) => ReactNode, props, createElement(Child)),
    );
  expect(() => render({})).toThrow(/either a `url` or a `client`/);
  expect(() => render({ url: '/events', optoins: {} })).toThrow(/Did you mean `options`/);
  expect(() =>
    render({ url: '/events' }, () => useLatest('cpu', { topic: 'load' } as object) as null),
  ).toThrow(/Did you mean `topics`/);
  expect(() => render({ url: '/events' }, () => useList('cpu', { limit: 0 }).items.length)).toThrow(
    /`limit` to be a whole number ≥ 1, got 0/,
  );
  expect(() => render({ url: '/events' }, () => useLatest('cpu', { topics: [7] } as object) as null)).toThrow(
    /`topics`/,
  );
});
