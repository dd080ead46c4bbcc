/** The server's own events reach only subscribers who were granted them by name, and nobody can make them up. */
import { SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { type InProcess, startInProcess } from './in-process.ts';
import { HUB, ISSUER, clientOf, detail, mint, pattern } from './mercure-client.ts';
import { SECRET } from './server-process.ts';

let server: InProcess;
const mercure = clientOf(() => server.publicUrl);

beforeAll(async () => {
  server = await startInProcess({
    'mercure.url': HUB,
    'mercure.subscriptions': true,
    'auth.jwt.issuer': ISSUER,
    // Nobody is there; it makes the server publish what happens to connections.
    webhooks: [{ name: 'app', url: 'http://127.0.0.1:1/', events: ['connect'], secrets: ['x'.repeat(24)] }],
  });
});
afterAll(() => server.close());

type Granted = string | { readonly pattern: string };

function tokenFor(subscribe: readonly Granted[]): Promise<string> {
  return new SignJWT({ iss: ISSUER, tidings: { subscribe, publish: [{ pattern: '*' }] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('reader')
    .setExpirationTime('10m')
    .sign(new TextEncoder().encode(SECRET));
}

interface Stream {
  readonly frames: { nextEvent(): Promise<{ readonly data: string }> };
}

/** The data that a stream gets of a visitor who subscribes and leaves, up to a marker. */
async function afterAVisit({ frames }: Stream): Promise<string> {
  const visitor = await mercure.subscribe({ match: 'visited' }, await mint([detail(['subscribe'], ['*'])]));
  expect(visitor.status).toBe(200);
  visitor.cut();
  const marker = crypto.randomUUID();
  await mercure.publish({ topic: 'marker', data: marker }, await mint([detail(['publish'], ['*'])]));
  let seen = '';
  while (!seen.includes(marker)) seen += `${(await frames.nextEvent()).data}\n`;
  return seen;
}

const CONNECTION = '"remote":"127.0.0.1"';
const SUBSCRIPTION = '"type":"subscription"';

describe('what the server publishes of connections and subscriptions', () => {
  test.each<[string, string, readonly Granted[], boolean, boolean]>([
    ['everything', 'pattern=*', [{ pattern: '*' }], false, false],
    ['everything', 'pattern=*&pattern=tidings/*', [{ pattern: '*' }], false, false],
    [
      'the protocol’s name',
      'pattern=*&pattern=/.well-known/mercure/*',
      [{ pattern: '*' }, { pattern: '/.well-known/mercure/*' }],
      false,
      false,
    ],
    ['the topic', 'topic=tidings/connections&topic=marker', ['tidings/connections', 'marker'], true, false],
    ['the prefix', 'pattern=*&pattern=tidings/*', [{ pattern: '*' }, { pattern: 'tidings/*' }], true, true],
  ])(
    'a token of the HTTP API for %s that asks for %s',
    async (_, query, granted, connections, subscriptions) => {
      const stream = await ask(`${server.publicUrl}/v1/events?${query}`, {
        headers: { authorization: `Bearer ${await tokenFor(granted)}` },
      });
      expect(stream.status).toBe(200);
      const seen = await afterAVisit(stream);
      stream.cut();
      expect([seen.includes(CONNECTION), seen.includes(SUBSCRIPTION)]).toEqual([connections, subscriptions]);
    },
  );

  test.each([
    ['match=*', ['*'], false, true],
    ['match_urlpattern=*://*/*&match=marker', ['*'], false, true],
    ['match_urlpattern=/.well-known/mercure/subscriptions/*&match=marker', ['*'], false, true],
    ['match=*', [pattern('https://hub.example.com/.well-known/:x')], false, false],
    ['match=*', ['tidings/connections'], false, false],
    ['match=tidings/connections&match=marker', ['*'], false, false],
    ['match=tidings/connections&match=marker', ['tidings/connections'], true, false],
  ])('a token of Mercure: %s, allowed %o', async (query, topics, connections, subscriptions) => {
    const stream = await mercure.subscribe(query, await mint([detail(['subscribe'], topics)]));
    expect(stream.status).toBe(200);
    const seen = await afterAVisit(stream);
    stream.cut();
    expect([seen.includes(CONNECTION), seen.includes(SUBSCRIPTION)]).toEqual([connections, subscriptions]);
  });

  test('is refused to a token for everything that asks for it by name', async () => {
    const { status } = await ask(`${server.publicUrl}/v1/events?topic=tidings/connections`, {
      headers: { authorization: `Bearer ${await tokenFor([{ pattern: '*' }])}` },
    });
    expect(status).toBe(403);
  });

  test.each(['tidings/connections', 'tidings/mercure/subscriptions/exact/a/b', 'tidings/runs/records'])(
    'can be published on %s by nobody else',
    async (topics) => {
      const token = await mint([detail(['publish'], [topics])]);
      expect((await mercure.publish({ topic: topics }, token)).status).toBe(400);
      const answers = [
        await server.publish({ topics, data: 1 }),
        await server.publish([{ topics, data: 1 }]),
      ];
      expect(answers.map(({ status }) => status)).toEqual([401, 401]);
      expect((await server.admin('/publish', { topics, data: 1 })).body.code).toBe('topic/reserved');
    },
  );
});

describe('tags, by which Mercure clients know an update', () => {
  const forged = { topics: 'tagged', data: 1, tags: { 'mercure-id': '#0.1', 'mercure-retry': 'x' } };

  test('are taken from nobody, through the HTTP API and the admin API', async () => {
    const response = await fetch(`${server.publicUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${await tokenFor([])}`, 'content-type': 'application/json' },
      body: JSON.stringify(forged),
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'event/invalid-option', option: 'tags' }),
    ]);
    expect((await server.admin('/publish', forged)).body).toMatchObject({ code: 'event/invalid-option' });
  });

  test('an update from the HTTP API has an id of the hub’s own, by which a client resumes', async () => {
    const token = await mint([detail(['subscribe'], ['*'])]);
    const stream = await mercure.subscribe({ match: 'through-the-api' }, token);
    const publish = (data: number) =>
      server.admin('/publish', { topics: ['through-the-api', 'alternate'], data, id: `mine-${data}` });
    const cursor: string = (await publish(1)).body.events[0].cursor;
    await publish(2);
    const { id, data } = await stream.frames.nextEvent();
    expect([id, data]).toEqual([`#${cursor}`, '1']);
    const resumed = await mercure.subscribe({ match: 'alternate' }, token, { 'last-event-id': id ?? '' });
    expect((await resumed.frames.nextEvent()).data).toBe('2');
    stream.cut();
    resumed.cut();
  });
});
