import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../testing/person.ts';
import { startServer, temporaryFolder } from '../testing/server.ts';
import { openDatabase } from '../database/open.ts';
import { createPosts } from './posts.ts';
import type { TestServer } from '../testing/server.ts';

let server: TestServer;
let ann: Person;
let bob: Person;

beforeAll(async () => {
  server = await startServer();
  ann = await server.signedUp('ann');
  bob = await server.signedUp('bob');
});
afterAll(() => server.close());

describe('posting', () => {
  test('saves the post, answers 201 with it and publishes it', async () => {
    const stream = await server.person().stream('topic=posts');
    await stream.next('tidings:welcome');
    const answer = await ann.send('POST', '/posts', { text: '  Hello  ' });
    expect(answer.status).toBe(201);
    expect(answer.headers.get('Location')).toBe(`/posts/${answer.body.id}`);
    expect(answer.body).toMatchObject({ text: 'Hello', author: ann.user, likes: 0, liked: false });
    const { liked: _, ...publicPost } = answer.body;
    expect((await stream.next('post')).json()).toEqual(publicPost);
    expect((await bob.get(`/posts/${answer.body.id}`)).body).toEqual(answer.body);
    await stream.close();
  });

  test('needs a session', async () => {
    const answer = await server.person().send('POST', '/posts', { text: 'Hello' });
    expect(answer).toMatchObject({ status: 401, body: { code: 'session/required' } });
  });

  test.each([
    ['an empty text', { text: '' }],
    ['a text of spaces', { text: ' \n ' }],
    ['a text that is too long', { text: 'x'.repeat(501) }],
    ['a text that is a number', { text: 5 }],
    ['half a surrogate pair', { text: 'x\ud800' }],
    ['NUL', { text: 'a\0b' }],
    ['an unknown field', { text: 'x', likes: 100 }],
    ['an invalid key', { text: 'x', key: 'short' }],
    ['a list', [1]],
    ['null', 'null'],
  ])('refuses %s with 400', async (_, body) => {
    const before = (await ann.get('/posts')).body.posts.length;
    const answer = await ann.send('POST', '/posts', body);
    expect(answer).toMatchObject({ status: 400, body: { code: 'request/invalid', status: 400 } });
    expect(answer.body.errors[0].message).toBeTypeOf('string');
    expect((await ann.get('/posts')).body.posts).toHaveLength(before);
  });

  test('keeps CR, LF, quotes and text like a frame unchanged, in the event and in the list', async () => {
    const stream = await ann.stream('topic=posts');
    await stream.next('tidings:welcome');
    const text = 'a\r\nb\rc\n\nevent: fake\ndata: {"x":1}\n\n"<script>alert(1)</script>\u2028é🙂';
    const post = await ann.post(text);
    expect(post.text).toBe(text);
    expect((await stream.next('post')).json().text).toBe(text);
    expect(stream.events.filter(({ type }) => type === 'fake')).toEqual([]);
    await stream.close();
  });

  test('saves a post once when the request is repeated with its key', async () => {
    const body = { text: 'Once', key: crypto.randomUUID() };
    const first = await ann.send('POST', '/posts', body);
    const again = await ann.send('POST', '/posts', body);
    const bobs = await bob.send('POST', '/posts', body);
    expect([first.status, again.status, bobs.status]).toEqual([201, 201, 201]);
    expect(again.body).toEqual(first.body);
    expect(bobs.body.id).not.toBe(first.body.id);
  });
});

describe('the list', () => {
  test('comes newest first, in pages', async () => {
    for (let i = 0; i < 5; i += 1) await ann.post(`page ${i}`);
    const first = (await bob.get('/posts?limit=2')).body;
    expect(first.posts.map((post: { text: string }) => post.text)).toEqual(['page 4', 'page 3']);
    const second = (await bob.get(`/posts?limit=2&before=${first.next}`)).body;
    expect(second.posts.map((post: { text: string }) => post.text)).toEqual(['page 2', 'page 1']);
  });

  test('comes with its cursor: a post made in between arrives once', async () => {
    const list = (await bob.get('/posts')).body;
    const between = await ann.post('in between');
    const stream = await bob.stream(`topic=posts&last_event_id=${list.cursor}`);
    const later = await ann.post('later');
    await stream.next('post', ({ id }) => id === later.id);
    const ids = stream.events.filter(({ type }) => type === 'post').map((event) => event.json().id);
    expect(ids).toEqual([between.id, later.id]);
    expect((await stream.next('tidings:welcome')).json()).toMatchObject({ resumed: true, gaps: [] });
    await stream.close();
  });

  test.each([
    'before=0',
    'before=x',
    'before=-1',
    'before=1e3',
    'limit=0',
    'limit=101',
    'limit=x',
    'before=1&before=2',
  ])('refuses ?%s with 400', async (query) => {
    expect(await bob.get(`/posts?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'request/invalid' },
    });
  });
});

describe('liking', () => {
  test('counts each person once, however often they like, and publishes the count', async () => {
    const post = await ann.post('Like me');
    const stream = await ann.stream('topic=posts');
    await stream.next('tidings:welcome');
    const path = `/posts/${post.id}/like`;
    expect((await ann.send('PUT', path)).body).toEqual({ id: post.id, likes: 1, liked: true });
    expect((await bob.send('PUT', path)).body).toEqual({ id: post.id, likes: 2, liked: true });
    expect((await bob.send('PUT', path)).body).toEqual({ id: post.id, likes: 2, liked: true });
    expect((await bob.get('/posts?limit=1')).body.posts[0]).toMatchObject({ likes: 2, liked: true });
    expect((await server.person().get('/posts?limit=1')).body.posts[0]).toMatchObject({
      likes: 2,
      liked: false,
    });
    expect((await bob.send('DELETE', path)).body).toEqual({ id: post.id, likes: 1, liked: false });
    expect((await bob.send('DELETE', path)).body).toEqual({ id: post.id, likes: 1, liked: false });
    await stream.next('post:liked', ({ liked }) => !liked);
    const told = stream.events.filter(({ type }) => type === 'post:liked').map((event) => event.json());
    expect(told).toEqual([
      { id: post.id, likes: 1, userId: ann.user.id, liked: true },
      { id: post.id, likes: 2, userId: bob.user.id, liked: true },
      { id: post.id, likes: 1, userId: bob.user.id, liked: false },
    ]);
    await stream.close();
  });

  test('publishes the counts in the order of the database when many like at once', async () => {
    const post = await ann.post('Rush');
    const people = await Promise.all(Array.from({ length: 12 }, (_, i) => server.signedUp(`rush${i}`)));
    const stream = await ann.stream('topic=posts');
    await stream.next('tidings:welcome');
    await Promise.all(people.map((person) => person.send('PUT', `/posts/${post.id}/like`)));
    await stream.next('post:liked', ({ likes }) => likes === 12);
    const counts = stream.events
      .filter(({ type }) => type === 'post:liked')
      .map((event) => event.json().likes);
    expect(counts).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    await stream.close();
  });

  test('answers 404 for an unknown post and 401 without a session', async () => {
    expect(await ann.send('PUT', '/posts/999999/like')).toMatchObject({
      status: 404,
      body: { code: 'post/not-found' },
    });
    expect(await ann.send('DELETE', '/posts/999999/like')).toMatchObject({ status: 404 });
    expect(await server.person().send('PUT', '/posts/1/like')).toMatchObject({ status: 401 });
    expect(await ann.send('PUT', '/posts/x/like')).toMatchObject({
      status: 400,
      body: { code: 'request/invalid' },
    });
  });
});

describe('deleting', () => {
  test('answers 204 for your own post, and publishes the deletion', async () => {
    const post = await ann.post('Short-lived');
    const stream = await bob.stream('topic=posts');
    await stream.next('tidings:welcome');
    expect(await bob.send('DELETE', `/posts/${post.id}`)).toMatchObject({
      status: 403,
      body: { code: 'post/not-yours' },
    });
    expect(await server.person().send('DELETE', `/posts/${post.id}`)).toMatchObject({ status: 401 });
    expect((await ann.send('DELETE', `/posts/${post.id}`)).status).toBe(204);
    expect((await stream.next('post:deleted')).json()).toEqual({ id: post.id });
    expect(await ann.send('DELETE', `/posts/${post.id}`)).toMatchObject({ status: 404 });
    expect(await ann.get(`/posts/${post.id}`)).toMatchObject({ status: 404 });
    await stream.close();
  });

  test('never gives the id of a deleted post to another', async () => {
    const post = await ann.post('Gone');
    await ann.send('DELETE', `/posts/${post.id}`);
    expect((await ann.post('New')).id).toBeGreaterThan(post.id);
  });
});

test('the likes of a removed post go in batches, and those of other posts stay', async () => {
  const { folder, remove } = await temporaryFolder();
  const db = await openDatabase({ file: join(folder, 'live.sqlite') });
  const names = Array.from({ length: 1201 }, (_, i) => `user_${i}`);
  const users = await db
    .insertInto('users')
    .values(names.map((name) => ({ name, name_key: name, password: 'x', created_at: 1 })))
    .returning(['id', 'name'])
    .execute();
  const [author] = users;
  if (author === undefined) throw new Error('users were saved');
  const posts = createPosts(db);
  const post = (text: string): Promise<{ id: number }> =>
    posts.insert({ author, text, key: undefined, createdAt: 1 });
  const [popular, other] = [await post('popular'), await post('other')];
  for (const user of users) await posts.setLike(popular.id, user, true);
  await posts.setLike(other.id, author, true);
  const likes = async (): Promise<number> => (await db.selectFrom('likes').selectAll().execute()).length;

  await posts.remove(popular.id);
  expect(await likes()).toBe(1202);
  let batches = 0;
  for (let before = 1202; (await posts.sweep()) > 0; batches += 1) {
    expect(before - (await likes())).toBeLessThanOrEqual(500);
    before = await likes();
  }
  expect(batches).toBe(3);
  expect(await db.selectFrom('likes').select('post_id').execute()).toEqual([{ post_id: other.id }]);
  expect((await posts.get(other.id, author)).liked).toBe(true);
  await db.destroy();
  await remove();
});
