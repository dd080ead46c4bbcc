import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { until, untilAsync } from '../../tidings/test/http/deadline.ts';
import { makeApiKey } from '../src/auth/api-keys.ts';
import { type MintOptions, mintToken, signingSecret } from '../src/auth/mint.ts';
import { type Started, makeFolder, removeFolder, startServer } from './server-process.ts';

const folder = makeFolder();
const secretFile = join(folder, 'secret');
const secrets = { first: randomSecret(), second: randomSecret() };
const admin = randomSecret();
const api = makeApiKey();
/** Every token that was sent: none may be in a log. */
const sent: string[] = [];
const output: (() => string)[] = [];
let servers: [Started, Started];

function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}

const CONFIG = `
log: { url: "lmdb:./log", shared: true }
auth:
  jwt: { secret-file: ./secret, clock-skew: 0s, subscribe: ["user/{sub}", "user/{sub}/*"] }
  cookie: session
  api-keys: [{ name: billing, hash: "${api.hash}", publish: [invoices] }]
cors: { origins: [https://app.example], credentials: true }
publish: { origins: [https://admin.example] }
`;

async function start(): Promise<Started> {
  const server = await startServer({
    args: ['--config', join(folder, 'tidings.yaml'), '--logging-level', 'debug'],
    environment: { TIDINGS_INTERNAL_TOKEN: admin },
    folder,
  });
  output.push(server.output);
  return server;
}

beforeAll(async () => {
  writeFileSync(secretFile, `${secrets.first}\n`);
  writeFileSync(join(folder, 'tidings.yaml'), CONFIG);
  servers = [await start(), await start()];
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  removeFolder(folder);
});

async function tokenOf(subject: string, more: Partial<MintOptions> = {}): Promise<string> {
  const token = await mintToken({
    key: signingSecret(secrets.first, 'test'),
    claim: 'tidings',
    grant: { publish: ['news'], subscribe: ['news'] },
    subject,
    lifetime: 600,
    now: Date.now(),
    ...more,
  });
  sent.push(token);
  return token;
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

async function publish(token: string, { at = 0, topic = 'news' } = {}): Promise<unknown> {
  const json = { topics: topic, data: 1 };
  const { status, json: body } = await ask(`${servers[at]?.publicUrl}/v1/publish`, {
    method: 'POST',
    headers: bearer(token),
    json,
  });
  return status === 200 ? 200 : (await body())['code'];
}

async function connect(token: string, { at = 0, query = 'topic=news' } = {}) {
  return ask(`${servers[at]?.publicUrl}/v1/events?${query}`, { headers: bearer(token) });
}

async function codeOf(reply: Awaited<ReturnType<typeof ask>>): Promise<unknown> {
  return reply.status === 200 ? 200 : (await reply.json())['code'];
}

async function revoke(target: object): Promise<void> {
  const { status } = await ask(`${servers[0].internalUrl}/admin/v1/revoke`, {
    method: 'POST',
    headers: bearer(admin),
    json: target,
  });
  expect(status).toBe(202);
}

/** The next event of a type, such as a goodbye. */
async function next({ frames }: Awaited<ReturnType<typeof ask>>, type: string): Promise<unknown> {
  for (;;) {
    const event = await frames.nextEvent();
    if (event.type === type) return JSON.parse(event.data);
  }
}

describe('A token', () => {
  test('opens the topics of its subject, private events included, and nobody else’s', async () => {
    const ann = await tokenOf('ann');
    expect((await connect(ann, { query: 'topic=user/ann&pattern=user/ann/*' })).status).toBe(200);
    const other = await connect(ann, { query: 'topic=user/bob' });
    expect(other.headers['www-authenticate']).toBe('Bearer error="insufficient_scope"');
    expect(await codeOf(other)).toBe('auth/forbidden');
    expect(await codeOf(await connect(await tokenOf('*'), { query: 'topic=user/ann' }))).toBe(
      'auth/forbidden',
    );
    expect(await codeOf(await connect(await tokenOf('ann/inbox'), { query: 'topic=user/ann/inbox' }))).toBe(
      'auth/forbidden',
    );
  });

  test('that expires ends the stream, unless it is renewed', async () => {
    const [short, renewed] = [
      await connect(await tokenOf('ann', { lifetime: 8 })),
      await connect(await tokenOf('ann', { lifetime: 8 })),
    ];
    const { connection, secret } = (await next(renewed, 'tidings:welcome')) as Record<string, unknown>;
    const change = await ask(`${servers[0].publicUrl}/v1/events`, {
      method: 'POST',
      headers: bearer(await tokenOf('ann')),
      json: { connection, secret },
    });
    expect(change.status).toBe(200);
    expect(await next(short, 'tidings:goodbye')).toMatchObject({ reason: 'expired' });
    expect(await publish(await tokenOf('ann'))).toBe(200);
    expect(await next(renewed, 'message')).toBe(1);
    renewed.cut();
  });

  test('is refused with the reason, as RFC 6750 has it', async () => {
    const none = await ask(`${servers[0].publicUrl}/v1/events?topic=news`);
    expect([none.status, none.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    const old = await connect(await tokenOf('ann', { now: Date.now() - 3_600_000 }));
    expect([old.status, old.headers['www-authenticate']]).toEqual([401, 'Bearer error="invalid_token"']);
    expect(await codeOf(old)).toBe('auth/expired');
    const inUrl = await ask(
      `${servers[0].publicUrl}/v1/events?topic=news&access_token=${await tokenOf('ann')}`,
    );
    expect([inUrl.status, inUrl.headers['www-authenticate']]).toEqual([
      400,
      'Bearer error="invalid_request"',
    ]);
  });

  test('in a cookie counts for the pages that the settings name, each for its own end', async () => {
    const cookie = `session=${await tokenOf('ann')}`;
    const from = async (path: string, origin: string, method: string) => {
      const headers = { cookie, origin, 'sec-fetch-site': 'cross-site' };
      const json = method === 'POST' ? { topics: 'news', data: 1 } : undefined;
      return codeOf(await ask(`${servers[0].publicUrl}${path}`, { method, headers, json }));
    };
    expect(await from('/v1/events?topic=news', 'https://app.example', 'GET')).toBe(200);
    expect(await from('/v1/events?topic=news', 'https://evil.example', 'GET')).toBe('auth/forbidden');
    expect(await from('/v1/publish', 'https://admin.example', 'POST')).toBe(200);
    expect(await from('/v1/publish', 'https://app.example', 'POST')).toBe('auth/forbidden');
    expect(await from('/v1/publish', 'https://evil.example', 'POST')).toBe('auth/forbidden');
  });
});

test('An API key publishes on its topics, and on no others', async () => {
  sent.push(api.key);
  expect(await publish(api.key, { topic: 'invoices' })).toBe(200);
  expect(await publish(api.key)).toBe('auth/forbidden');
  expect(await publish(makeApiKey().key)).toBe('auth/invalid-token');
});

test('A revoked token is refused to readers and publishers, at every server and after a restart; others are not', async () => {
  const [phone, laptop] = [await tokenOf('ann', { id: 'phone' }), await tokenOf('ann', { id: 'laptop' })];
  const streams = [await connect(phone, { at: 1 }), await connect(laptop, { at: 1 })] as const;
  await revoke({ tokenId: 'phone' });
  expect(await next(streams[0], 'tidings:goodbye')).toMatchObject({ reason: 'evicted' });
  const refused = async (token: string, at: number): Promise<boolean> =>
    (await publish(token, { at })) === 'auth/revoked' &&
    (await codeOf(await connect(token, { at }))) === 'auth/revoked';
  await untilAsync('refused at both', async () => (await refused(phone, 0)) && refused(phone, 1));
  expect([await publish(laptop), await publish(laptop, { at: 1 })]).toEqual([200, 200]);
  expect(await next(streams[1], 'message')).toBe(1);

  await revoke({ subject: 'ann' });
  expect(await next(streams[1], 'tidings:goodbye')).toMatchObject({ reason: 'evicted' });
  await Promise.all(servers.map((server) => server.stop('SIGKILL')));
  servers = [await start(), await start()];
  expect([await refused(phone, 0), await refused(laptop, 0), await refused(laptop, 1)]).toEqual([
    true,
    true,
    true,
  ]);
  expect(await publish(await tokenOf('bob'))).toBe(200);
  await untilAsync(
    'a token that was issued since',
    async () => (await publish(await tokenOf('ann'))) === 200,
  );
});

test('A reload takes a new key at once; a broken file is reported, and the old key stays', async () => {
  const [server] = servers;
  const [old, fresh] = [
    await tokenOf('carl'),
    await tokenOf('carl', { key: signingSecret(secrets.second, 'test') }),
  ];
  expect([await publish(old), await publish(fresh)]).toEqual([200, 'auth/invalid-token']);
  writeFileSync(secretFile, 'too short');
  server.child.kill('SIGHUP');
  await until('reported', () => server.output().includes('the former one still counts'));
  expect(server.output()).toContain('32 bytes or more, got 9');
  expect([await publish(old), await publish(fresh)]).toEqual([200, 'auth/invalid-token']);
  rmSync(secretFile);
  const before = server.output().length;
  server.child.kill('SIGHUP');
  await until('reported again', () => server.output().slice(before).includes('the former one still counts'));
  expect(await publish(old)).toBe(200);
  writeFileSync(secretFile, secrets.second);
  server.child.kill('SIGHUP');
  await until('reloaded', () => server.output().includes('reloaded the configuration'));
  expect([await publish(old), await publish(fresh)]).toEqual(['auth/invalid-token', 200]);
});

test('No log has a token, a key or a secret, even at debug level', () => {
  const all = output.map((read) => read()).join('');
  expect(all.includes('"why"')).toBe(true);
  for (const text of [...sent, ...Object.values(secrets), admin]) {
    // A signature alone would do to find it again.
    expect(all.includes(text.slice(-20))).toBe(false);
  }
});
