import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Person } from '../testing/person.ts';
import { startServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';

let server: TestServer;
let ann: Person;
let bob: Person;
let eve: Person;

beforeAll(async () => {
  server = await startServer();
  [ann, bob, eve] = await Promise.all([
    server.signedUp('ann'),
    server.signedUp('bob'),
    server.signedUp('eve'),
  ]);
});
afterAll(() => server.close());

const topicOf = (person: Person): string => `topic=user/${person.user.id}`;

test('a mention reaches only the mentioned user, at once and in the list', async () => {
  const bobs = await bob.stream(`topic=posts&${topicOf(bob)}`);
  const eves = await eve.stream(`topic=posts&${topicOf(eve)}`);
  const anybodys = await server.person().stream('topic=posts');
  await Promise.all([bobs, eves, anybodys].map((stream) => stream.next('tidings:welcome')));

  const post = await ann.post('Hi @BOB, and @nobody, mail eve@eve.example');
  const mention = (await bobs.next('mention')).json();
  expect(mention).toEqual({
    id: expect.any(Number),
    type: 'mention',
    from: ann.user,
    post: { id: post.id, text: post.text },
    createdAt: post.createdAt,
    read: false,
  });
  expect(await bob.notifications()).toEqual([mention]);

  // Published after the mention, which would therefore have come already.
  const last = await ann.post('last');
  for (const stream of [eves, anybodys]) {
    await stream.next('post', ({ id }) => id === last.id);
    expect(stream.events.filter(({ type }) => type === 'mention')).toEqual([]);
  }
  expect(await eve.notifications()).toEqual([]);
  await Promise.all([bobs, eves, anybodys].map((stream) => stream.close()));
});

test('a resumed stream gets the private events it missed, and only its own', async () => {
  const { cursor } = (await eve.get('/notifications')).body;
  await ann.post('@bob one');
  await ann.post('@eve two');
  const stream = await eve.stream(`${topicOf(eve)}&last_event_id=${cursor}`);
  expect((await stream.next('mention')).json().post.text).toBe('@eve two');
  expect(stream.events.filter(({ type }) => type === 'mention')).toHaveLength(1);
  await stream.close();
});

test('users do not mention themselves, and one post mentions each user once', async () => {
  const before = (await bob.notifications()).length;
  await bob.post('@bob @bob');
  expect(await bob.notifications()).toHaveLength(before);
  await ann.post('@bob @Bob @bob');
  expect(await bob.notifications()).toHaveLength(before + 1);
});

describe('the private topic', () => {
  test('is refused with 401 without a session', async () => {
    const { response } = await server.person().stream(topicOf(ann));
    expect(response.status).toBe(401);
    expect(response.headers.get('Content-Type')).toMatch('application/problem+json');
  });

  test('is refused with 403 to other users, even together with their own', async () => {
    expect((await eve.stream(topicOf(ann))).response.status).toBe(403);
    expect((await eve.stream(`${topicOf(eve)}&${topicOf(ann)}`)).response.status).toBe(403);
    expect((await eve.stream('topic=user/999999')).response.status).toBe(403);
  });

  test('is not reached by patterns or by topics that look like it', async () => {
    for (const query of [
      'pattern=user/:id',
      'pattern=*',
      'topic=user/*',
      'topic=user/',
      'topic=user/01',
      'topic=user%2F1%0A',
    ]) {
      expect((await eve.stream(query)).response.status).toBe(400);
    }
  });

  test('ends with the session: its streams close, those of another session stay', async () => {
    const fay = await server.signedUp('fay');
    const elsewhere = server.person();
    await elsewhere.send('POST', '/session', { name: 'fay', password: 'correct horse battery' });
    const stream = await fay.stream(`topic=posts&${topicOf(fay)}`);
    const other = await elsewhere.stream(topicOf(fay));
    await Promise.all([stream.next('tidings:welcome'), other.next('tidings:welcome')]);
    await fay.send('DELETE', '/session');
    await stream.next('tidings:goodbye');
    await stream.ended;
    expect((await fay.stream(topicOf(fay))).response.status).toBe(401);
    await ann.post('@fay still there?');
    await other.next('mention');
    await other.close();
  });
});

describe('the list of notifications', () => {
  test('needs a session', async () => {
    expect(await server.person().get('/notifications')).toMatchObject({
      status: 401,
      body: { code: 'session/required' },
    });
    expect((await server.person().send('PUT', '/notifications/read', { upTo: 1 })).status).toBe(401);
  });

  test('counts unread ones, marks them as read, and updates its owner’s other pages', async () => {
    const gil = await server.signedUp('gil');
    for (let i = 0; i < 3; i += 1) await ann.post(`@gil ${i}`);
    const stream = await gil.stream(topicOf(gil));
    await stream.next('tidings:welcome');
    const list = (await gil.get('/notifications?limit=2')).body;
    expect(list).toMatchObject({ unread: 3, notifications: [{ read: false }, { read: false }] });
    const older = (await gil.get(`/notifications?limit=2&before=${list.next}`)).body;
    expect(older.notifications).toHaveLength(1);

    const upTo = list.notifications[1].id;
    expect((await gil.send('PUT', '/notifications/read', { upTo })).body).toEqual({ unread: 1 });
    expect((await stream.next('notifications:unread')).json()).toEqual({ unread: 1, readUpTo: upTo });
    const now = (await gil.get('/notifications')).body;
    expect(now.notifications.map(({ read }: { read: boolean }) => read)).toEqual([false, true, true]);
    await stream.close();
  });

  test('cannot mark another user’s as read', async () => {
    const hal = await server.signedUp('hal');
    await ann.post('@hal');
    await eve.send('PUT', '/notifications/read', { upTo: 1_000_000 });
    expect((await hal.get('/notifications')).body.unread).toBe(1);
  });

  test('loses the mention when the post is deleted, and publishes that', async () => {
    const ida = await server.signedUp('ida');
    const post = await ann.post('@ida');
    const stream = await ida.stream(topicOf(ida));
    await stream.next('tidings:welcome');
    await ann.send('DELETE', `/posts/${post.id}`);
    expect((await stream.next('notifications:unread')).json()).toEqual({ unread: 0, readUpTo: null });
    expect((await ida.get('/notifications')).body).toMatchObject({ unread: 0, notifications: [] });
    await stream.close();
  });

  test.each([{}, { upTo: 0 }, { upTo: 1.5 }, { upTo: '1' }, { upTo: 1, more: 1 }])(
    'refuses %j with 400',
    async (body) => {
      expect(await ann.send('PUT', '/notifications/read', body)).toMatchObject({ status: 400 });
    },
  );
});
