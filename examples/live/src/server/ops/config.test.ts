import { stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { loadConfig } from './config.ts';
import { temporaryFolder } from '../testing/server.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function folderForTest(): Promise<string> {
  const { folder, remove } = await temporaryFolder();
  cleanups.push(remove);
  return folder;
}

test('everything has a default', async () => {
  const config = await loadConfig({ SESSION_SECRET: 's'.repeat(32) });
  expect(config).toMatchObject({ port: 3000, trustProxy: false, shutdownTimeout: 10_000, heartbeat: 15_000 });
  const { file } = config.database as { file: string };
  expect(file).toMatch(/examples\/live\/data\/live\.sqlite$/);
  expect(config.eventLog).toEqual({ engine: 'lmdb', path: join(dirname(file), 'events') });
  expect(config.pagesFolder).toMatch(/examples\/live\/dist\/pages$/);
});

test('every invalid variable is named', async () => {
  const loading = loadConfig({
    PORT: 'http',
    LOG_LEVEL: 'loud',
    POSTS_PER_MINUTE: '0',
    SESSION_SECRET: 'short',
    EVENT_LOG: 'paper',
  });
  await expect(loading).rejects.toThrow(
    /PORT.*EVENT_LOG: .*lmdb.*memory.*SESSION_SECRET.*LOG_LEVEL.*POSTS_PER_MINUTE/s,
  );
});

test.each([
  [{ EVENT_LOG: 'memory' }, { engine: 'memory' }],
  [{ EVENT_LOG_PATH: '/var/lib/events' }, { engine: 'lmdb', path: '/var/lib/events' }],
  [{ DATABASE_FILE: '/srv/live.sqlite' }, { engine: 'lmdb', path: '/srv/events' }],
])('with %j events are kept in %j', async (variables, eventLog) => {
  expect(await loadConfig({ ...variables, SESSION_SECRET: 's'.repeat(32) })).toMatchObject({ eventLog });
});

test('an empty variable counts as unset', async () => {
  const config = await loadConfig({ PORT: '', HOST: '', SESSION_SECRET: 's'.repeat(32) });
  expect(config).toMatchObject({ port: 3000, host: undefined });
});

test.each([
  ['1', 1],
  ['loopback', 'loopback'],
  ['10.0.0.0/8, 192.0.2.1', '10.0.0.0/8, 192.0.2.1'],
  ['', false],
])('TRUST_PROXY=%s becomes %j for Express', async (TRUST_PROXY, trustProxy) => {
  expect(await loadConfig({ TRUST_PROXY, SESSION_SECRET: 's'.repeat(32) })).toMatchObject({ trustProxy });
});

test('without a secret, one is made and stored next to the database, readable only by its owner', async () => {
  const folder = await folderForTest();
  const variables = { DATABASE_FILE: join(folder, 'sub/live.sqlite') };
  const first = await loadConfig(variables);
  expect(first.sessionSecret.length).toBeGreaterThanOrEqual(32);
  expect((await loadConfig(variables)).sessionSecret).toBe(first.sessionSecret);
  expect((await stat(join(folder, 'sub/session-secret'))).mode & 0o777).toBe(0o600);
});

test('a file without a secret is refused', async () => {
  const folder = await folderForTest();
  await writeFile(join(folder, 'session-secret'), '');
  await expect(loadConfig({ DATABASE_FILE: join(folder, 'live.sqlite') })).rejects.toThrow(/session-secret/);
});
