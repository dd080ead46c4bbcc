import * as z from 'zod';
import { connect, type TidingsError } from 'tidings/client';
import { defineEvents } from 'tidings/events';
import {
  type Presence,
  TidingsProvider,
  typedHooks,
  useConnection,
  useEvent,
  useEventReducer,
  useLatest,
  useList,
  usePresence,
  useStates,
} from './index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <Expected>(_value: Expected): void => undefined;

interface Post {
  readonly id: string;
}

export function UsesProvider(): void {
  TidingsProvider({
    url: '/events',
    options: { retry: { base: 10 } },
    onError: (error: TidingsError) => void error,
  });
  TidingsProvider({ url: new URL('https://example.com'), connect, children: 'text' });
  TidingsProvider({ client: connect('/events') });
  // @ts-expect-error topics come from the hooks
  TidingsProvider({ url: '/events', options: { topics: ['news'] } });
  // @ts-expect-error a misspelt option
  TidingsProvider({ url: '/events', option: {} });
}

export function UsesConnection(): void {
  const { status, error, reconnect } = useConnection();
  expectType<Equal<typeof error, TidingsError | undefined>>(true);
  expectType<() => void>(reconnect);
  if (status === 'idle' || status === 'open') return;
  // @ts-expect-error no such status
  if (status === 'opened') return;
}

export function UsesLatest(): void {
  expectType<Equal<ReturnType<typeof useLatest<number>>, number | undefined>>(true);
  const known: number = useLatest<number>('cpu', { topics: 'load', initial: 0 });
  expectType<number>(known);
  useLatest('cpu', { topics: ['load', { pattern: 'machine/:id' }] });
  // @ts-expect-error it may be undefined
  expectType<number>(useLatest<number>('cpu'));
  // @ts-expect-error a misspelt option
  useLatest('cpu', { topic: 'load' });
}

export function UsesStates(): void {
  const byId = useStates<Post>('post', { topics: 'posts', key: 'id', removedBy: ['deleted'] });
  expectType<Equal<typeof byId, ReadonlyMap<string, Post>>>(true);
  // @ts-expect-error the map can't be changed
  byId.set('1', { id: '1' });
  // @ts-expect-error a name, not a function
  useStates<Post>('post', { key: (post: Post) => post.id });
}

export function UsesList(): void {
  const { items, loading, reload } = useList<Post>(['post', 'draft'], {
    topics: 'posts',
    limit: 10,
    order: 'newest-first',
    key: 'id',
    load: async ({ signal, gaps }) => ({
      items: [{ id: String(signal.aborted) }],
      cursor: String(gaps.length),
    }),
  });
  expectType<readonly Post[]>(items);
  expectType<boolean>(loading);
  reload();
  useList<Post>('post', { reduce: (before, event) => [...before, event.json<Post>()] });
  // @ts-expect-error items of another kind
  useList<Post>('post', { load: async () => ({ items: [1], cursor: '' }) });
  // @ts-expect-error loading needs a cursor
  useList<Post>('post', { load: async () => ({ items: [] }) });
}

export function UsesEventReducer(): void {
  const { state, error } = useEventReducer('post', (count: number) => count + 1, {
    initial: 0,
    topics: 'posts',
  });
  expectType<Equal<typeof state, number>>(true);
  expectType<unknown>(error);
  // @ts-expect-error an initial state is needed
  useEventReducer('post', (count: number) => count + 1, { topics: 'posts' });
  // @ts-expect-error a state of another kind
  useEventReducer('post', (count: number) => count + 1, { initial: 'none' });
}

export function UsesEvent(): void {
  useEvent('post', (event) => expectType<string>(event.data), { topics: 'posts' });
  // @ts-expect-error no listener
  useEvent('post', { topics: 'posts' });
}

export function UsesPresence(): void {
  const presence = usePresence<{ name: string }>('room/7', { join: false });
  expectType<Equal<typeof presence, Presence<{ name: string }> | undefined>>(true);
  expectType<string | undefined>(presence?.members[0]?.data?.name);
  // @ts-expect-error a misspelt option
  usePresence('room/7', { joins: false });
}

const events = defineEvents({
  posts: { post: z.object({ id: z.string(), at: z.coerce.date() }), deleted: z.object({ id: z.string() }) },
  'user/:id': { mention: z.object({ by: z.string() }) },
});
const typed = typedHooks(events);
const checked = typedHooks(events, { validate: true });

export function UsesTypedHooks(): void {
  const latest = typed.useLatest('post', { topics: 'posts' });
  // A date is text on the wire.
  expectType<Equal<typeof latest, { id: string; at: string } | undefined>>(true);
  const valid = checked.useLatest('post', { topics: ['posts', 'user/1', { pattern: 'user/:id' }] });
  expectType<Equal<typeof valid, { id: string; at: Date } | undefined>>(true);
  expectType<{ by: string }>(typed.useLatest('mention', { initial: { by: 'ann' } }));
  expectType<ReadonlyMap<string, { id: string }>>(typed.useStates('deleted', { key: 'id' }));
  expectType<readonly { id: string }[]>(typed.useList('post', { key: 'id', removedBy: 'deleted' }).items);
  typed.useEvent(['post', 'mention'], (event) => {
    if (event.type === 'mention') expectType<string>(event.json().by);
    else expectType<string>(event.json().at);
  });
  const { state } = typed.useEventReducer(
    'mention',
    (names: readonly string[], event) => [...names, event.json().by],
    {
      topics: 'user/1',
      initial: [],
    },
  );
  expectType<readonly string[]>(state);
  typed.usePresence('user/1');

  // @ts-expect-error no such type
  typed.useLatest('poste');
  // @ts-expect-error no such topic
  typed.useLatest('post', { topics: 'post' });
  // @ts-expect-error no such pattern
  typed.useLatest('post', { topics: { pattern: 'users/:id' } });
  // @ts-expect-error no such type
  typed.useStates('post', { removedBy: 'delete' });
  // @ts-expect-error no such topic
  typed.usePresence('rooms');
  // @ts-expect-error initial data of another kind
  typed.useLatest('mention', { initial: { by: 1 } });
  // @ts-expect-error a misspelt option
  typedHooks(events, { validates: true });
}
