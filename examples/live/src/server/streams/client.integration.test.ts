import type { EventClient, Gap, TidingsError } from 'tidings/client';
import { afterEach, describe, expect, test } from 'vitest';
import { freePort } from '../../../../../packages/tidings/test/faults/free-port.ts';
import type { Post, PublicPost } from '../../shared/api.ts';
import { follow as openClient } from '../testing/follow.ts';
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

function follow(...parameters: Parameters<typeof openClient>): EventClient {
  const client = openClient(...parameters);
  cleanups.push(() => client.close());
  return client;
}

test('a client refused for too many connections gets in by itself once there is room', async () => {
  const server = await start({ CONNECTIONS_PER_USER: '1' });
  const ann = await server.signedUp('ann');
  const first = await ann.stream('topic=posts');
  const client = follow(ann, `${server.url}/events`, { topics: ['posts'] });
  const errors: [TidingsError, number | undefined][] = [];
  client.onError((error, { retryIn }) => errors.push([error, retryIn]));
  await until(() => errors.length > 0);
  expect(errors[0]?.[0]).toMatchObject({ status: 429 });
  // Retry-After, and some more to keep clients from coming back all at once.
  expect(errors[0]?.[1]).toBeGreaterThanOrEqual(5000);
  await first.close();
  await until(() => client.status === 'open');
  const posts: PublicPost[] = [];
  client.on('post', (event) => posts.push(event.json()));
  await ann.post('hello');
  await until(() => posts.length === 1);
});

describe('a page that was open over a restart', () => {
  async function openOverRestart(log: string) {
    const { folder, remove } = await temporaryFolder();
    cleanups.push(remove);
    const variables = {
      DATABASE_FILE: `${folder}/live.sqlite`,
      EVENT_LOG: log,
      PORT: String(await freePort()),
    };
    const before = await startServer(variables);
    const ann = await before.signedUp('ann');
    await ann.post('before');
    const list = (await ann.get('/posts')).body;
    const client = follow(ann, `${before.url}/events`, { topics: ['posts'], cursor: list.cursor });
    const gaps: Gap[] = [];
    client.onGap((told) => gaps.push(...told));
    const resumed: boolean[] = [];
    client.onOpen((opening) => resumed.push(opening.resumed));
    const texts: string[] = [];
    client.on('post', (event) => texts.push(event.json<PublicPost>().text));
    await until(() => client.status === 'open');
    await ann.post('one');
    await until(() => texts.length === 1);
    await before.close();
    await start(variables);
    await ann.post('while nobody listened');
    await until(() => resumed.length === 2 && client.status === 'open');
    await ann.post('after');
    await until(() => texts.at(-1) === 'after');
    return { ann, gaps, resumed, texts };
  }

  test('resumes exactly where it was', async () => {
    const { gaps, resumed, texts } = await openOverRestart('lmdb');
    expect(texts).toEqual(['one', 'while nobody listened', 'after']);
    expect([resumed, gaps]).toEqual([[true, true], []]);
  });

  test('gets a gap if events are kept in memory, and catches up from the database', async () => {
    const { ann, gaps, resumed, texts } = await openOverRestart('memory');
    expect(texts).toEqual(['one', 'after']);
    expect([resumed, gaps]).toEqual([[true, false], [{ topics: ['posts'], reason: 'epoch' }]]);
    const inDatabase = (await ann.get('/posts')).body.posts.map((post: Post) => post.text);
    expect(inDatabase).toEqual(['after', 'while nobody listened', 'one', 'before']);
  });
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
