import { describe, expect } from 'vitest';
import { userTopic, type Post } from '../examples/live/src/shared/api.ts';
import { proxyTo, type CuttableProxy } from './cuttable-proxy.ts';
import { CLOSED, openEventSource, type Dispatched } from './event-source.ts';
import { useLiveApp } from './live-app.ts';
import { eventually, test } from './test.ts';
import type { Visitor } from './visitor.ts';

/** A page of the app's origin that has no stream of its own. */
const QUIET_PAGE = '/healthz';
const POST_TYPES = ['post', 'post:liked', 'post:deleted'];

const app = useLiveApp({ HEARTBEAT_SECONDS: '1' });

/** The changes of posts, as comparable text. */
function told(events: readonly Dispatched[]): string[] {
  return events.flatMap(({ type, data }) => {
    if (!POST_TYPES.includes(type)) return [];
    const { id, liked, likes } = JSON.parse(data);
    return type === 'post:liked' ? `${type} ${id} ${liked} ${likes}` : `${type} ${id}`;
  });
}

/** Posts, likes and deletes without a pause until stopped; `done` has the confirmed changes, in order. */
function keepPosting(author: Visitor, text: string): { done: string[]; stop: () => Promise<void> } {
  const done: string[] = [];
  let going = true;
  async function go(): Promise<void> {
    while (going) {
      const { id }: Post = await author.post(`${text} ${done.length}`);
      await author.send('PUT', `/posts/${id}/like`);
      await author.send('DELETE', `/posts/${id}/like`);
      await author.send('DELETE', `/posts/${id}`);
      done.push(`post ${id}`, `post:liked ${id} true 1`, `post:liked ${id} false 0`, `post:deleted ${id}`);
    }
  }
  const running = go();
  return {
    done,
    stop() {
      going = false;
      return running;
    },
  };
}

/** Cuts the connection again and again while events come; `openings` counts how often it was open. */
async function cutRepeatedly(
  proxy: CuttableProxy,
  times: number,
  openings: () => Promise<number>,
  events: () => Promise<Dispatched[]>,
): Promise<void> {
  for (let cut = 1; cut <= times; cut += 1) {
    const before = (await events()).length;
    await eventually(async () => (await events()).length).toBeGreaterThan(before + 10);
    proxy.cut();
    await eventually(openings).toBe(cut + 1);
  }
}

describe('a native EventSource', () => {
  test('gets every event of every topic, by type', async ({ newVisitor }) => {
    const reader = await newVisitor(app.url);
    const me = await reader.signUp('native_all');
    const page = await reader.open(QUIET_PAGE);
    const types = [
      ...POST_TYPES,
      'mention',
      'notifications:unread',
      'dashboard:snapshot',
      'dashboard:delta',
      'viewers:snapshot',
      'viewers:delta',
      'pageviews:delta',
      'connections:snapshot',
      'connections:delta',
    ];
    const topics = ['posts', 'dashboard', 'viewers', 'pageviews', 'connections', userTopic(me.id)];
    const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).join('&');
    const source = await openEventSource(page, `/events?${query}`, types);
    await eventually(() => source.openings()).toBe(1);

    const author = await newVisitor(app.url);
    await author.signUp('author_all');
    const post = await author.post('For @native_all');
    await author.send('PUT', `/posts/${post.id}/like`);
    await author.send('DELETE', `/posts/${post.id}`);
    await author.open('/feed');

    const typesSeen = async (): Promise<string[]> => [
      ...new Set((await source.events()).map(({ type }) => type)),
    ];
    await eventually(async () => (await typesSeen()).toSorted()).toEqual(
      ['tidings:welcome', ...types].toSorted(),
    );
    const [welcome, ...others] = await source.events();
    expect(welcome?.type).toBe('tidings:welcome');
    // A snapshot comes before any cursor: a client cut off in the middle of it gets it again.
    const later = others.filter(({ type }) => !type.endsWith(':snapshot'));
    for (const { type, lastEventId } of later) expect(lastEventId, type).toMatch(/^[\w-]{1,64}\.\d+$/);
  });

  test('gets every event once while its connection is cut again and again', async ({ newVisitor }) => {
    const proxy = await proxyTo(app.url);
    const reader = await newVisitor(proxy.url);
    const page = await reader.open(QUIET_PAGE);
    const source = await openEventSource(page, '/events?topic=posts', POST_TYPES);
    await eventually(() => source.openings()).toBe(1);
    const author = await newVisitor(app.url);
    await author.signUp('author_cuts');

    const posting = keepPosting(author, 'While it is cut');
    await cutRepeatedly(proxy, 4, source.openings, source.events);
    await posting.stop();

    await eventually(async () => told(await source.events()).at(-1)).toBe(posting.done.at(-1));
    const events = await source.events();
    expect(told(events)).toEqual(posting.done);
    const welcomes = events
      .filter(({ type }) => type === 'tidings:welcome')
      .map(({ data }) => JSON.parse(data));
    expect(welcomes.map(({ resumed }) => resumed)).toEqual([false, true, true, true, true]);
    expect(welcomes.flatMap(({ gaps }) => gaps)).toEqual([]);
  });

  test('advances its cursor with heartbeats while there are no events for it', async ({ newVisitor }) => {
    const proxy = await proxyTo(app.url);
    const reader = await newVisitor(proxy.url);
    const me = await reader.signUp('native_quiet');
    const page = await reader.open(QUIET_PAGE);
    const source = await openEventSource(page, `/events?topic=${encodeURIComponent(userTopic(me.id))}`, []);
    await eventually(() => source.openings()).toBe(1);
    const author = await newVisitor(app.url);
    await author.signUp('author_quiet');
    for (let count = 0; count < 20; count += 1) await author.post(`Not for the quiet one ${count}`);
    const { cursor } = await author.send<{ cursor: string }>('GET', '/posts');

    // A chunk of nothing but an id: it dispatches nothing, and yet the browser remembers it.
    const heartbeats = (): readonly string[] =>
      [...proxy.received.join('').matchAll(/\r\nid: (\S+)\n\n\r\n/g)]
        .map(([, id = '']) => id)
        .filter((id) => seqOf(id) >= seqOf(cursor));
    await eventually(() => heartbeats().length).toBeGreaterThanOrEqual(1);
    proxy.end();
    await eventually(() => source.openings()).toBe(2);
    const sent = proxy.sent.join('');
    expect(heartbeats()).toContain(/^last-event-id: (.+)\r$/im.exec(sent)?.[1]);
    await eventually(async () => (await source.events()).map(({ type }) => type)).toEqual([
      'tidings:welcome',
      'tidings:welcome',
    ]);
  });
});

describe('a native EventSource whose connections the server ends', () => {
  const brief = useLiveApp({ MAX_LIFETIME_SECONDS: '1' });

  test('comes back, and gets every event once', async ({ newVisitor }) => {
    const reader = await newVisitor(brief.url);
    const page = await reader.open(QUIET_PAGE);
    const source = await openEventSource(page, '/events?topic=posts', POST_TYPES);
    await eventually(() => source.openings()).toBe(1);
    const author = await newVisitor(brief.url);
    await author.signUp('author_brief');

    const posting = keepPosting(author, 'While it is ended');
    await eventually(() => source.openings()).toBeGreaterThanOrEqual(4);
    await posting.stop();

    await eventually(async () => told(await source.events()).at(-1)).toBe(posting.done.at(-1));
    const events = await source.events();
    expect(told(events)).toEqual(posting.done);
    const goodbyes = events.filter(({ type }) => type === 'tidings:goodbye');
    expect(goodbyes.length).toBeGreaterThanOrEqual(3);
    for (const { data } of goodbyes) expect(JSON.parse(data)).toMatchObject({ reason: 'lifetime' });
    await source.close();
    expect(await source.readyState()).toBe(CLOSED);
  });
});

/** The seq of a cursor, which ends with it. */
function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf('.') + 1));
}
