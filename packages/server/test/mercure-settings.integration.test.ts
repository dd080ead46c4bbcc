/** Settings of the server that count for the Mercure protocol as well. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../../tidings/test/http/deadline.ts';
import { makeApiKey } from '../src/auth/api-keys.ts';
import { type InProcess, settingsOf, startInProcess } from './in-process.ts';
import { makeFolder, removeFolder } from './server-process.ts';
import { HUB, ISSUER, clientOf, detail, freshTopic, mint } from './mercure-client.ts';

const { key, hash } = makeApiKey();
const SETTINGS = {
  'mercure.url': HUB,
  'auth.jwt.issuer': ISSUER,
  'auth.api-keys': [{ name: 'reader', hash, subscribe: ['news/*'] }],
};

const folder = makeFolder();
afterAll(() => removeFolder(folder));
function write(secret: string): string {
  const path = join(folder, secret.slice(0, 4));
  writeFileSync(path, secret);
  return path;
}

let server: InProcess;
beforeAll(async () => {
  server = await startInProcess({ ...SETTINGS, 'publish.origins': ['https://former.example.com'] });
});
afterAll(() => server.close());

test('a reload says anew whose pages may publish with their visitors’ cookies', async () => {
  const { publish } = clientOf(() => server.publicUrl);
  const token = await mint([detail(['publish'], ['*'])]);
  const statusFor = async (origin: string): Promise<number> => {
    const cookie = `__Secure-mercure_access_token=${token}`;
    return (await publish({ topic: freshTopic() }, undefined, { origin, cookie })).status;
  };
  expect(await statusFor('https://former.example.com')).toBe(200);
  expect(await statusFor('https://latter.example.com')).toBe(403);
  await server.reload(settingsOf({ ...SETTINGS, 'publish.origins': ['https://latter.example.com'] }));
  expect(await statusFor('https://former.example.com')).toBe(403);
  expect(await statusFor('https://latter.example.com')).toBe(200);
  expect(await statusFor('https://hub.example.com')).toBe(200);
});

describe('several issuers', () => {
  const keys = { [`${ISSUER}/a`]: 'a'.repeat(40), [`${ISSUER}/b`]: 'b'.repeat(40) };
  let both: InProcess;
  beforeAll(async () => {
    both = await startInProcess({
      'mercure.url': HUB,
      'mercure.subscriptions': true,
      'auth.jwt.secret': undefined,
      'auth.issuers': Object.entries(keys).map(([issuer, secret]) => ({
        issuer,
        'secret-file': write(secret),
        'subject-prefix': `${issuer} `,
      })),
    });
  });
  afterAll(() => both.close());

  test('sign each with their own key: one can’t speak for the other', async () => {
    const { publish } = clientOf(() => both.publicUrl);
    for (const iss of Object.keys(keys))
      for (const [owner, secret] of Object.entries(keys)) {
        const token = await mint([detail(['publish'], ['*'])], { secret, claims: { iss } });
        expect((await publish({ topic: freshTopic() }, token)).status).toBe(owner === iss ? 200 : 401);
      }
  });

  test('before any update the list of subscriptions says that everything is to come', async () => {
    const fresh = await startInProcess({ ...SETTINGS, 'mercure.subscriptions': true });
    const { get } = clientOf(() => fresh.publicUrl);
    const { headers, text } = await get(
      '/.well-known/mercure/subscriptions',
      await mint([detail(['subscribe'], ['*'])]),
    );
    await fresh.close();
    expect(headers.get('link') ?? text).toContain('last-event-id="earliest"');
  });
});

test('a stream that needs a token says so with a challenge, and no error', async () => {
  const { get } = clientOf(() => server.publicUrl);
  const closed = await startInProcess({ ...SETTINGS, 'auth.anonymous.subscribe': [] });
  const { status, headers } = await clientOf(() => closed.publicUrl).get('/.well-known/mercure?match=a');
  await closed.close();
  expect([status, headers.get('www-authenticate')]).toEqual([
    401,
    expect.stringMatching(/^Bearer resource_metadata="/),
  ]);
  expect((await get('/.well-known/mercure')).headers.get('www-authenticate')).toBeNull();
});

test.each([
  ['match=news/a', 200],
  ['match=other', 403],
  ['match=news/a&match=other', 403],
  ['match=*', 403],
])('an API key reads the topics that it was given: %s is answered with %i', async (query, status) => {
  const stream = await clientOf(() => server.publicUrl).subscribe(query, key);
  expect(stream.status).toBe(status);
  stream.cut();
});

test('a subscription that can’t be announced is an answer in the log and the metrics, and no stream', async () => {
  const announcing = await startInProcess({ ...SETTINGS, 'mercure.subscriptions': true });
  const { subscribe } = clientOf(() => announcing.publicUrl);
  const { status } = await subscribe({ match: 'x'.repeat(1000) }, await mint([detail(['subscribe'], ['*'])]));
  expect(status).toBe(400);
  await until('its line', () => announcing.lines.some(({ msg }) => msg === 'answered'));
  const metrics = await (await fetch(`${announcing.internalUrl}/metrics`)).text();
  await announcing.close();
  const counted = metrics.split('\n').filter((line) => line.startsWith('tidings_http_requests_total{'));
  expect(counted).toEqual([expect.stringContaining('status="400"} 1')]);
  const messages = announcing.lines.map(({ msg }) => msg);
  expect(messages.filter((msg) => msg.includes('stream'))).toEqual([]);
});

test('the length that a refusal names is the one that is limited, however short the path of the hub', async () => {
  const url = 'https://hub.example.com/m';
  const announcing = await startInProcess({ ...SETTINGS, 'mercure.url': url, 'mercure.subscriptions': true });
  const token = await mint([detail(['subscribe'], ['*'])], { claims: { aud: url } });
  // Its subscription has 1,019 characters in the protocol, and more on the log.
  const response = await fetch(`${announcing.publicUrl}/m?match=${'x'.repeat(946)}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  const text = await response.text();
  await announcing.close();
  expect(response.status).toBe(400);
  const [, has, may] = /has (\d+) characters, and may have (\d+)/.exec(text) ?? [];
  expect(Number(has)).toBeGreaterThan(Number(may));
});
