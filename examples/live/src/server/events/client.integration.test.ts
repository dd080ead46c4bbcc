import { connect } from 'tidings/client';
import type { ClientOptions, EventClient, Gap, TidingsError } from 'tidings/client';
import { afterEach, expect, test } from 'vitest';
import type { Post, PublicPost } from '../../shared/api.ts';
import type { Person } from '../testing/person.ts';
import { startServer, temporaryFolder } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import { until } from '../testing/until.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function start(...options: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...options);
  cleanups.push(server.close);
  return server;
}

/** A client with somebody's cookies, whose time runs twenty times as fast. */
function follow(person: Person, url: string, options: ClientOptions): EventClient {
  const client = connect(url, {
    headers: { Cookie: [...person.cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
    timers: {
      now: () => Date.now(),
      setTimer(task, delay) {
        const timer = setTimeout(task, delay / 20);
        return () => clearTimeout(timer);
      },
    },
    ...options,
  });
  cleanups.push(() => client.close());
  return client;
}

test('a client that was refused for too many connections gets in by itself once there is room', async () => {
  const server = await start({ CONNECTIONS_PER_USER: '1' });
  const ann = await server.signedUp('ann');
  const first = await ann.stream('topic=posts');
  const client = follow(ann, `${server.url}/events`, { topics: ['posts'] });
  const errors: [TidingsError, number | undefined][] = [];
  client.onError((error, { retryIn }) => errors.push([error, retryIn]));
  await until(() => errors.length > 0);
  expect(errors[0]?.[0]).toMatchObject({ status: 429 });
  // What Retry-After says, and some more so that not all come back at once.
  expect(errors[0]?.[1]).toBeGreaterThanOrEqual(5000);
  await first.close();
  await until(() => client.status === 'open');
  const posts: PublicPost[] = [];
  client.on('post', (event) => posts.push(event.json()));
  await ann.post('hello');
  await until(() => posts.length === 1);
});

test('a page that was open over a restart is told of the gap, and catches up from the database', async () => {
  const { folder, remove } = await temporaryFolder();
  cleanups.push(remove);
  const variables = { DATABASE_FILE: `${folder}/live.sqlite` };
  const before = await startServer(variables);
  const ann = await before.signedUp('ann');
  await ann.post('before');
  const list = (await ann.get('/posts')).body;
  const client = follow(ann, `${before.url}/events`, { topics: ['posts'], cursor: list.cursor });
  const gaps: Gap[] = [];
  client.onGap((told) => gaps.push(...told));
  await until(() => client.status === 'open');
  await before.close();
  const after = await start({ ...variables, PORT: new URL(before.url).port });
  await ann.post('while nobody listened');
  await until(() => gaps.length > 0 && client.status === 'open');
  expect(gaps).toEqual([{ topics: ['posts'], reason: 'epoch' }]);
  const texts = (await ann.get('/posts')).body.posts.map((post: Post) => post.text);
  expect(texts).toEqual(['while nobody listened', 'before']);
  const posts: PublicPost[] = [];
  client.on('post', (event) => posts.push(event.json()));
  await ann.post('after');
  await until(() => posts.length === 1);
  expect(after.hub.connections()).toHaveLength(1);
});

test('a client whose user signed out stops, saying why', async () => {
  const server = await start();
  const ann = await server.signedUp('ann');
  const client = follow(ann, `${server.url}/events`, { topics: ['posts', `user/${ann.user.id}`] });
  const errors: TidingsError[] = [];
  client.onError((error) => errors.push(error));
  await until(() => client.status === 'open');
  await ann.send('DELETE', '/session');
  await until(() => client.status === 'failed');
  expect(errors.at(-1)).toMatchObject({ status: 401 });
});
