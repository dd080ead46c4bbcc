/** Mercure 0.x, which Symfony and API Platform speak. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HUB, clientOf, detail, freshTopic, mint } from './mercure-client.ts';
import { SECRET, type Started, startServer } from './server-process.ts';

let server: Started;
let publisher: string;
const { publish, subscribe } = clientOf(() => server.publicUrl);

/** A token as they were: a claim, and nothing else. */
function oldToken(mercure: object, more: object = {}): Promise<string> {
  return new SignJWT({ mercure, ...more })
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
    .sign(new TextEncoder().encode(SECRET));
}

beforeAll(async () => {
  server = await startServer({
    args: [
      `--mercure-url=${HUB}`,
      '--mercure-legacy',
      '--auth-jwt-unexpiring',
      '--auth-query-token',
      '--auth-anonymous-subscribe=*',
    ],
  });
  publisher = await oldToken({ publish: ['*'] });
});
afterAll(() => server.stop());

async function reaches(selector: string, topic: string, token?: string): Promise<boolean> {
  const marker = freshTopic();
  const stream = await subscribe(
    [
      ['topic', selector],
      ['topic', marker],
    ],
    token,
  );
  expect(stream.status).toBe(200);
  const isPrivate = token !== undefined;
  await publish({ topic, data: 'update', ...(isPrivate && { private: 'on' }) }, publisher);
  await publish({ topic: marker, data: 'marker' }, publisher);
  return (await stream.frames.nextEvent()).data === 'update';
}

describe('Mercure 0.x', () => {
  test.each([
    ['a', 'a', true],
    ['a', 'b', false],
    ['*', 'anything', true],
    ['https://example.com/books/{id}', 'https://example.com/books/1', true],
    ['https://example.com/books/{id}', 'https://example.com/books/1/2', false],
    ['https://example.com/books/{id}', 'https://example.com/books/{id}', true],
    ['https://example.com/books/{id}.jsonld', 'https://example.com/books/1.jsonld', true],
    ['https://example.com/{+path}', 'https://example.com/a/b/c', true],
    ['https://example.com/books{?page,sort}', 'https://example.com/books', true],
    ['https://example.com/books{?page,sort}', 'https://example.com/books?page=2', true],
    ['https://example.com{/a,b}', 'https://example.com/x/y', true],
  ])('selects with ?topic=%s an update on %s: %s', async (selector, topic, expected) => {
    expect(await reaches(selector, topic)).toBe(expected);
  });

  test('reads grants from the claim `mercure`, and from its name in full', async () => {
    const template = ['https://example.com/users/42/{x}'];
    expect(
      await reaches('*', 'https://example.com/users/42/a', await oldToken({ subscribe: template })),
    ).toBe(true);
    const other = await oldToken({ subscribe: ['https://example.com/users/43/{x}'] });
    expect(await reaches('*', 'https://example.com/users/42/a', other)).toBe(false);
    const full = await oldToken({}, { mercure: undefined, 'https://mercure.rocks/': { subscribe: ['*'] } });
    expect(await reaches('*', freshTopic(), full)).toBe(true);
  });

  test('refuses to publish beyond the claim', async () => {
    expect((await publish({ topic: 'b' }, await oldToken({ publish: ['a'] }))).status).toBe(403);
    expect((await publish({ topic: 'b' }, await oldToken({ subscribe: ['*'] }))).status).toBe(403);
    expect((await publish({ topic: 'b' }, await oldToken({ publish: 'x' }))).status).toBe(401);
    expect((await publish({ topic: 'b' }, await oldToken({ publish: [5] }))).status).toBe(401);
  });

  test('takes the token in the old cookie and, where that is switched on, in the query', async () => {
    const topic = freshTopic();
    const token = await oldToken({ subscribe: [topic] });
    const streams = [
      await subscribe({ topic }, undefined, { cookie: `mercureAuthorization=${token}` }),
      await subscribe({ topic, authorization: token }),
    ];
    await publish({ topic, data: 'secret', private: 'on' }, publisher);
    for (const { frames } of streams) expect((await frames.nextEvent()).data).toBe('secret');
    expect(server.output()).not.toContain(token);
  });

  test.each(['lastEventID', 'Last-Event-ID', 'last_event_id'])(
    'resumes by the parameter %s, and says from where as before',
    async (name) => {
      const topic = freshTopic();
      const { text: id } = await publish({ topic, data: '1' }, publisher);
      await publish({ topic, data: '2' }, publisher);
      const stream = await subscribe({ topic, [name]: id });
      expect([stream.headers['last-event-id'], stream.headers['mercure-last-event-id']]).toEqual([id, id]);
      expect((await stream.frames.nextEvent()).data).toBe('2');
    },
  );

  test('goes together with the draft’s own parameters and tokens', async () => {
    const topic = freshTopic();
    const token = await mint([detail(['subscribe'], [topic])]).catch(() => '');
    const stream = await subscribe([
      ['match_urlpattern', `${topic}/:x`],
      ['topic', topic],
    ]);
    await publish({ topic: `${topic}/1`, data: '1' }, publisher);
    await publish({ topic, data: '2' }, publisher);
    expect([(await stream.frames.nextEvent()).data, (await stream.frames.nextEvent()).data]).toEqual([
      '1',
      '2',
    ]);
    // Without `auth.jwt.issuer` nobody knows whose it is.
    expect((await subscribe({ match: topic }, token)).status).toBe(401);
  });

  test.each(['https://example.com/{', 'https://example.com/{a b}', '{a}'.repeat(17)])(
    'refuses the template %s',
    async (selector) => {
      expect((await subscribe({ topic: selector })).status).toBe(400);
    },
  );
});
