import { generateKeyPairSync } from 'node:crypto';
import { type RequestListener, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { remoteKeys, type RemoteKeys } from './remote-keys.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

const jwk = (kid: string) => ({ ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }), kid });
const ANN = jwk('ann');
const BOB = jwk('bob');

const open: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of open.splice(0)) await close();
});

/** A server for keys, a clock, and what the operator would read. */
async function stage() {
  const state = { keys: [ANN] as object[], requests: 0, answer: undefined as RequestListener | undefined };
  const server = createServer((req, res) => {
    state.requests += 1;
    if (state.answer !== undefined) return state.answer(req, res);
    res.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: state.keys }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const clock = { now: Date.UTC(2030, 0, 1) };
  const warnings: string[] = [];
  const keys = remoteKeys(url, 'auth.jwks-url', {
    now: () => clock.now,
    warn: (message) => warnings.push(message),
  });
  open.push(() => keys.close());
  return { state, clock, warnings, keys, url };
}

const kids = async (keys: RemoteKeys, kid: string | undefined): Promise<(string | undefined)[]> =>
  (await keys.find('EdDSA', kid)).map((key) => key.kid);
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'found',
    (error: unknown) => (error as { code?: unknown }).code,
  );

describe('Keys behind a URL', () => {
  test('are fetched once for several tokens at the same time, and kept', async () => {
    const { keys, state } = await stage();
    const found = await Promise.all(Array.from({ length: 20 }, () => kids(keys, 'ann')));
    expect(found.every(([kid]) => kid === 'ann')).toBe(true);
    await kids(keys, 'ann');
    expect(state.requests).toBe(1);
  });

  test('that rotate are fetched again when a token names an unknown one, but a flood of invented ids fetches nothing', async () => {
    const { keys, state, clock } = await stage();
    expect(await kids(keys, 'ann')).toEqual(['ann']);
    state.keys = [BOB];
    clock.now += MINUTE;
    expect(await kids(keys, 'bob')).toEqual(['bob']);
    expect(await kids(keys, 'ann')).toEqual([]);
    expect(state.requests).toBe(2);
    for (let i = 0; i < 200; i += 1) expect(await kids(keys, `invented-${i}`)).toEqual([]);
    expect(state.requests).toBe(2);
    clock.now += MINUTE;
    await Promise.all(Array.from({ length: 200 }, (_, i) => kids(keys, `invented-${i}`)));
    expect(state.requests).toBe(3);
  });

  test('are fetched anew in the background once they are old, while tokens go on', async () => {
    const { keys, state, clock } = await stage();
    await kids(keys, 'ann');
    state.keys = [BOB];
    clock.now += 11 * MINUTE;
    expect(await kids(keys, 'ann')).toEqual(['ann']);
    await expect.poll(() => kids(keys, 'bob')).toEqual(['bob']);
    expect(await kids(keys, 'ann')).toEqual([]);
  });

  test('stay in use for a day while they can’t be fetched, which the operator reads; then tokens get a 503', async () => {
    const { keys, state, clock, warnings } = await stage();
    await kids(keys, 'ann');
    state.answer = (_, res) => void res.writeHead(500).end();
    clock.now += 23 * HOUR;
    expect(await kids(keys, 'ann')).toEqual(['ann']);
    await expect.poll(() => warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/can't be fetched: expected the status 200, got 500/);
    clock.now += 2 * HOUR;
    expect(await codeOf(keys.find('EdDSA', 'ann'))).toBe('auth/unavailable');
    state.answer = undefined;
    clock.now += MINUTE;
    expect(await kids(keys, 'ann')).toEqual(['ann']);
    expect(warnings.at(-1)).toMatch(/can be fetched again/);
  });

  test('that could never be fetched are not asked for by every token', async () => {
    const { keys, state, clock } = await stage();
    state.answer = (_, res) => void res.writeHead(404).end();
    for (let i = 0; i < 50; i += 1) expect(await codeOf(keys.find('EdDSA', 'ann'))).toBe('auth/unavailable');
    expect(state.requests).toBe(1);
    state.answer = undefined;
    clock.now += 3000;
    expect(await kids(keys, 'ann')).toEqual(['ann']);
  });

  test.each<[string, RequestListener]>([
    ['a redirect', (_, res) => void res.writeHead(302, { location: 'http://127.0.0.1:9/keys' }).end()],
    ['no JSON', (_, res) => void res.end('<html>')],
    ['no keys', (_, res) => void res.end('{"keys":[]}')],
    ['a secret', (_, res) => void res.end(JSON.stringify({ keys: [{ kty: 'oct', k: 'x'.repeat(43) }] }))],
    ['no end', (_, res) => endless(res)],
    ['a cut connection', (req) => void req.socket.destroy()],
  ])('are not taken from an answer with %s, and those at hand stay', async (_, answer) => {
    const { keys, state, clock, warnings } = await stage();
    await kids(keys, 'ann');
    state.answer = answer;
    clock.now += MINUTE;
    expect(await kids(keys, 'bob')).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(await kids(keys, 'ann')).toEqual(['ann']);
  });

  test('are no longer waited for once they are closed', async () => {
    const { keys, state, warnings } = await stage();
    state.answer = () => {};
    const waiting = codeOf(keys.find('EdDSA', 'ann'));
    await expect.poll(() => state.requests).toBe(1);
    keys.close();
    expect(await waiting).toBe('auth/unavailable');
    expect(warnings).toEqual([]);
  });

  test.each([
    'http://keys.example/jwks',
    'http://127.0.0.1.evil.example/jwks',
    'http://localhost.evil.example/',
    'ftp://127.0.0.1/',
    'file:///etc/keys',
    'https://user:secret@keys.example/',
    'keys.example',
  ])('need https, except on this machine: %s', (url) => {
    const parts = { now: Date.now, warn: () => {} };
    expect(() => remoteKeys(url, 'auth.jwks-url', parts)).toThrow(/^auth\.jwks-url: Expected a URL/);
  });
});

function endless(res: Parameters<RequestListener>[1]): void {
  res.write('{"keys":[');
  const more = (): void => {
    while (!res.destroyed && res.write(' '.repeat(65_536)));
  };
  res.on('drain', more);
  more();
}
