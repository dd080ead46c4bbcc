/** Settings of the server that count for the Mercure protocol as well. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeApiKey } from '../src/auth/api-keys.ts';
import { type InProcess, settingsOf, startInProcess } from './in-process.ts';
import { HUB, ISSUER, clientOf, detail, freshTopic, mint } from './mercure-client.ts';

const { key, hash } = makeApiKey();
const SETTINGS = {
  'mercure.url': HUB,
  'auth.jwt.issuer': ISSUER,
  'auth.api-keys': [{ name: 'reader', hash, subscribe: ['news/*'] }],
};

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
