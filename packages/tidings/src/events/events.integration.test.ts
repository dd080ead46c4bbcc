import { createHub, TidingsError, type Hub } from 'tidings';
import { connect, type EventClient } from 'tidings/client';
import { sse } from 'tidings/node';
import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { until } from '../../test/http/deadline.ts';
import { serve } from '../../test/http/server.ts';
import { defineEvents, type StandardSchema, typedClient, typedHub } from './index.ts';

const events = defineEvents({
  posts: {
    post: z.object({ id: z.string(), likes: z.number().default(0) }),
    deleted: v.object({ id: v.pipe(v.string(), v.minLength(1)) }),
  },
  'user/:id': { message: type({ text: 'string' }) },
  'user/me': { message: z.object({ text: z.literal('mine') }) },
  'clock/*': { tick: z.coerce.date() },
});

async function start(...topics: string[]): Promise<{ hub: Hub; client: EventClient; received: string[] }> {
  const hub = createHub();
  const { url } = await serve(sse(hub));
  const client = connect(url, { topics });
  onTestFinished(async () => {
    client.close();
    await hub.close({ within: 0 });
  });
  const received: string[] = [];
  for (const name of ['message', 'post', 'deleted', 'tick']) {
    client.on(name, (event) => received.push(`${event.type} ${event.data}`));
  }
  await until('open client', () => client.status === 'open' && hub.stats().live === 1);
  return { hub, client, received };
}

async function failureOf(promise: Promise<unknown>): Promise<TidingsError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TidingsError);
  return error as TidingsError;
}

describe('typedHub', () => {
  it('publishes the output of the schemas', async () => {
    const { hub, received } = await start('posts', 'user/1', 'clock/a/b');
    const typed = typedHub(hub, events);
    const withSecret = { id: '1', password: 'secret' };
    const { cursor, duplicate } = await typed.publish('posts', withSecret, { type: 'post', id: 'once' });
    expect([cursor !== '', duplicate]).toEqual([true, false]);
    expect((await typed.publish('posts', withSecret, { type: 'post', id: 'once' })).duplicate).toBe(true);
    await typed.publish('user/1', { text: 'hello' });
    await typed.publishAll([
      { topics: 'posts', type: 'deleted', data: { id: '1' } },
      { topics: ['clock/a/b', 'clock/c'], type: 'tick', data: 0 },
    ]);
    await until('all events', () => received.length === 4);
    expect(received).toEqual([
      'post {"id":"1","likes":0}',
      'message {"text":"hello"}',
      'deleted {"id":"1"}',
      'tick "1970-01-01T00:00:00.000Z"',
    ]);
  });

  it('refuses data that the schema refuses, and says where and why', async () => {
    const typed = typedHub(createHub(), events);
    const error = await failureOf(typed.publish('posts', { id: 7 } as never, { type: 'post' }));
    expect(error).toMatchObject({ code: 'event/invalid-data', status: 400 });
    expect(error.message).toMatch(/"post" on "posts".*id: /);
    expect(error.details['issues']).toHaveLength(1);
    const codes = [
      typed.publish('posts', { id: '' }, { type: 'deleted' }),
      typed.publish('user/1', { text: 1 } as never),
      typed.publish('user/1', { text: 'x' }, { raw: true } as never),
      typed.publish('nothing' as 'user/1', { text: 'x' }),
      typed.publish('user/1/2', { text: 'x' }),
      typed.publish('posts', { id: '1' }, { type: 'tick' as 'deleted' }),
    ].map(async (promise) => (await failureOf(promise)).code);
    expect(await Promise.all(codes)).toEqual([
      'event/invalid-data',
      'event/invalid-data',
      'event/invalid-option',
      'event/undeclared',
      'event/undeclared',
      'event/undeclared',
    ]);
  });

  it('publishes no event of a list if one is refused', async () => {
    const hub = createHub();
    const list = [
      { topics: 'user/1', data: { text: 'good' } },
      { topics: 'posts', type: 'deleted', data: { id: '' } },
    ] as const;
    expect((await failureOf(typedHub(hub, events).publishAll(list))).code).toBe('event/invalid-data');
    expect(hub.stats().published).toBe(0);
  });

  it('prefers a topic’s own definition to a pattern’s', async () => {
    const typed = typedHub(createHub(), events);
    expect((await failureOf(typed.publish('user/me', { text: 'other' as 'mine' }))).code).toBe(
      'event/invalid-data',
    );
    await typed.publish('user/me', { text: 'mine' });
  });

  it('takes data for several topics only if it suits all of them', async () => {
    const typed = typedHub(createHub(), events);
    await typed.publish(['user/1', 'user/me'], { text: 'mine' });
    const error = await failureOf(typed.publish(['user/1', 'user/me'], { text: 'x' as 'mine' }));
    expect(error.code).toBe('event/invalid-data');
  });

  it('waits for asynchronous schemas', async () => {
    const slow = z.string().refine(async (value) => Promise.resolve(value === 'good'));
    const typed = typedHub(createHub(), defineEvents({ a: { message: slow } }));
    await typed.publish('a', 'good');
    expect((await failureOf(typed.publish('a', 'bad'))).code).toBe('event/invalid-data');
  });
});

describe('typedClient', () => {
  it('passes events to listeners and loops, and skips undefined types', async () => {
    const { hub, client } = await start('posts', 'user/1');
    const typed = typedClient(client, events);
    const heard: unknown[] = [];
    const remove = typed.on('post', (event) => heard.push(event.json().likes));
    const looped: unknown[] = [];
    const loop = (async () => {
      for await (const event of typed) looped.push([event.type, event.json()]);
    })();
    await hub.publish('posts', { id: '1', likes: 3 }, { type: 'post' });
    await hub.publish('posts', {}, { type: 'other' });
    await hub.publish('user/1', { text: 'hello' });
    await until('two events', () => looped.length === 2);
    remove();
    await hub.publish('posts', { id: '1', likes: 4 }, { type: 'post' });
    await until('three events', () => looped.length === 3);
    client.close();
    await loop;
    expect(heard).toEqual([3]);
    expect(looped).toEqual([
      ['post', { id: '1', likes: 3 }],
      ['message', { text: 'hello' }],
      ['post', { id: '1', likes: 4 }],
    ]);
  });

  it('checks received data if asked to, and returns the schema’s output', async () => {
    const { hub, client } = await start('posts', 'clock/1', 'user/1');
    const invalid: unknown[] = [];
    const typed = typedClient(client, events, {
      validate: true,
      onInvalid: ({ code, details }, event) => invalid.push([code, event.type, details['type']]),
    });
    const heard: unknown[] = [];
    typed.on('tick', (event) => heard.push(event.json()));
    typed.on('message', (event) => heard.push(event.json()));
    typed.on('post', (event) => heard.push(event.json()));
    await hub.publish('clock/1', '2026-01-02T03:04:05.000Z', { type: 'tick' });
    await hub.publish('posts', { id: 1 }, { type: 'post' });
    await hub.publish('posts', '{', { type: 'post', raw: true });
    await hub.publish('user/1', { text: 'hello' });
    await until('four events', () => heard.length + invalid.length === 4);
    expect(heard).toEqual([new Date('2026-01-02T03:04:05.000Z'), { text: 'hello' }]);
    expect(invalid).toEqual([
      ['event/invalid-data', 'post', 'post'],
      ['event/invalid-data', 'post', undefined],
    ]);
  });

  it('refuses asynchronous schemas', async () => {
    const { hub, client } = await start('a');
    const slow = defineEvents({ a: { message: z.string().refine(async () => Promise.resolve(true)) } });
    const invalid: string[] = [];
    typedClient(client, slow, { validate: true, onInvalid: ({ code }) => invalid.push(code) }).on(
      'message',
      () => invalid.push('handed out'),
    );
    await hub.publish('a', 'x');
    await until('one event', () => invalid.length === 1);
    expect(invalid).toEqual(['event/invalid-data']);
  });

  it('refuses options that do not exist', async () => {
    const { client } = await start('a');
    expect(() => typedClient(client, events, { validates: true } as never)).toThrow(
      expect.objectContaining({ code: 'client/invalid-option' }),
    );
  });
});

it('defineEvents refuses a value that isn’t a schema', () => {
  const notSchemas: unknown[] = [null, { posts: z.string() }, { posts: { post: String } }, { posts: null }];
  for (const schemas of notSchemas) {
    expect(() => defineEvents(schemas as Record<string, Record<string, StandardSchema>>)).toThrow(
      expect.objectContaining({ code: 'event/invalid-option' }),
    );
  }
});
