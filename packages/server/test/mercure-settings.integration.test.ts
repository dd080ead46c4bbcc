import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, settingsOf, startInProcess } from './in-process.ts';
import { HUB, ISSUER, clientOf, detail, freshTopic, mint } from './mercure-client.ts';

const SETTINGS = { 'mercure.url': HUB, 'auth.jwt.issuer': ISSUER };

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
