import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import * as v from 'valibot';
import * as z from 'zod';
import { createHub, type Published } from 'tidings';
import { connect } from 'tidings/client';
import { defineEvents, type StandardSchema, typedClient, typedHub } from './index.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const expectType = <Expected>(_value: Expected): void => undefined;
export const same: Equal<{ a: 1 }, { a: 1 }> = true;

export const spec: StandardSchema = z.string() satisfies StandardSchemaV1;

const events = defineEvents({
  posts: {
    post: z.object({ id: z.string(), likes: z.number().default(0), at: z.coerce.date() }),
    'post:deleted': v.object({ id: v.string() }),
  },
  'user/:id': { message: type({ text: 'string' }), mention: z.object({ by: z.string() }) },
  'rooms/:room/*': { message: z.boolean() },
  clock: { message: z.iso.datetime() },
});

const hub = createHub();
const typed = typedHub(hub, events);
declare const userId: string;
declare const anyTopic: string;

export function publish(): void {
  expectType<Promise<Published>>(
    typed.publish('posts', { id: '1', at: new Date() }, { type: 'post', key: 'a' }),
  );
  void typed.publish('posts', { id: '1' }, { type: 'post:deleted', private: true });
  void typed.publish(`user/${userId}`, { text: 'hello' });
  void typed.publish(['user/1', 'user/2'], { by: 'ann' }, { type: 'mention' });
  void typed.publish('rooms/7/doors/3', true);
  void typed.publish('clock', '2026-01-01T00:00:00Z', { id: 'tick' });
  void typed.publishAll([
    { topics: 'posts', type: 'post:deleted', data: { id: '1' } },
    { topics: `user/${userId}`, data: { text: 'hello' } },
  ]);

  // @ts-expect-error no such topic
  void typed.publish('post', { id: '1' }, { type: 'post:deleted' });
  // @ts-expect-error a string is not a known topic
  void typed.publish(anyTopic, { id: '1' }, { type: 'post:deleted' });
  // @ts-expect-error no such type on this topic
  void typed.publish('posts', { by: 'ann' }, { type: 'mention' });
  // @ts-expect-error no message on this topic
  void typed.publish('posts', { id: '1' });
  // @ts-expect-error the data of another type
  void typed.publish('posts', { by: 'ann' }, { type: 'post:deleted' });
  // @ts-expect-error data of the wrong type (valibot)
  void typed.publish('posts', { id: 1 }, { type: 'post:deleted' });
  // @ts-expect-error data of the wrong type (zod)
  void typed.publish('posts', { id: '1', likes: 'many', at: 0 }, { type: 'post' });
  // @ts-expect-error data of the wrong type (arktype)
  void typed.publish('user/1', { text: 1 });
  // @ts-expect-error data that suits only one of the topics
  void typed.publish(['user/1', 'rooms/1/2'], { text: 'hello' });
  // @ts-expect-error data with a schema can't be raw text
  void typed.publish('clock', '2026', { raw: true });
  // @ts-expect-error a misspelt option
  void typed.publish('clock', '2026', { privat: true });
  // @ts-expect-error a type of another topic
  void typed.publishAll([{ topics: 'clock', type: 'post:deleted', data: { id: '1' } }]);
}

export async function receive(): Promise<void> {
  const client = typedClient(connect('https://example.com/events'), events);
  client.on('post', (event) => {
    // A date is text on the wire.
    expectType<Equal<ReturnType<typeof event.json>, { id: string; likes: number; at: string }>>(true);
    expectType<'post'>(event.type);
  });
  client.on('message', (event) => {
    expectType<Equal<ReturnType<typeof event.json>, { text: string } | boolean | string>>(true);
  });
  // @ts-expect-error no such type
  client.on('poste', () => undefined);

  const checked = typedClient(connect('https://example.com/events'), events, { validate: true });
  checked.on('post', (event) => {
    expectType<Equal<ReturnType<typeof event.json>, { id: string; likes: number; at: Date }>>(true);
  });
  for await (const event of checked) {
    if (event.type === 'post') expectType<number>(event.json().likes);
    else if (event.type === 'mention') expectType<string>(event.json().by);
    else expectType<'message' | 'post:deleted'>(event.type);
  }
  // @ts-expect-error a misspelt option
  typedClient(connect('https://example.com/events'), events, { validates: true });
}

// @ts-expect-error not a schema
defineEvents({ posts: { post: String } });
