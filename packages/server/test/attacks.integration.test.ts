import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { until } from '../../tidings/test/http/deadline.ts';
import { RawClient } from '../../tidings/test/http/raw-client.ts';
import { SECRET, type Started, startServer, tokenFor } from './server-process.ts';

let server: Started;
let token: string;
let port: number;

beforeAll(async () => {
  server = await startServer({
    environment: {
      TIDINGS_AUTH_JWT_SECRET: SECRET,
      TIDINGS_LOG_URL: 'memory:',
      TIDINGS_INTERNAL_TOKEN: 'an-admin-token-of-the-tests',
    },
    args: [
      '--auth-anonymous-subscribe=open/*',
      '--limits-connections-per-address=20',
      '--publish-rate=1000',
      '--publish-burst=50',
      '--listen-request-timeout=1s',
    ],
  });
  token = await tokenFor('publisher', { publish: ['*'] });
  port = Number(new URL(server.publicUrl).port);
});
afterAll(() => server.stop());

/** What is left of the server after an attack: it answers, and nothing failed. */
async function expectUnharmed(): Promise<void> {
  const reply = await ask(`${server.publicUrl}/openapi.json`);
  expect(reply.status).toBe(200);
  expect(server.output()).not.toContain('"level":50');
  expect(server.output()).not.toContain('"level":60');
}

/** Sends these bytes as they are. @returns all that comes back until the server hangs up. */
async function exchange(...pieces: readonly string[]): Promise<string> {
  const client = await RawClient.connect(port);
  for (const piece of pieces) client.send(piece);
  client.read();
  await client.closed();
  return client.text;
}

const post = (headers: readonly string[]): string =>
  [
    'POST /v1/publish HTTP/1.1',
    'Host: x',
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    ...headers,
    '',
    '',
  ].join('\r\n');

describe('bytes that are no polite request', () => {
  test.each<[string, () => string[], string]>([
    [
      'one long header',
      () => [`GET /v1/events?topic=open/a HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`],
      '431',
    ],
    ['a flood of headers', () => [`GET / HTTP/1.1\r\nHost: x\r\n${'X-A: 1\r\n'.repeat(5000)}\r\n`], '431'],
    [
      'two lengths of one body',
      () => [post(['Content-Length: 5', 'Transfer-Encoding: chunked']), '0\r\n\r\n'],
      '400',
    ],
    ['no HTTP', () => ['\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\r\n\r\n'], '400'],
    ['a line that never ends', () => [`GET /${'a'.repeat(40_000)} HTTP/1.1\r\n\r\n`], '431'],
    ['a header with a NUL', () => ['GET / HTTP/1.1\r\nHost: x\r\nX: a\u0000b\r\n\r\n'], '400'],
    ['a body larger than the limit', () => [post(['Content-Length: 999999999', 'Connection: close'])], '413'],
  ])('are answered with problem details: %s', async (_name, bytes, status) => {
    const answer = await exchange(...bytes());
    expect(answer.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    expect(answer.toLowerCase()).toContain('content-type: application/problem+json');
    await expectUnharmed();
  });

  test.each([
    ['a body that comes too slowly', () => `${post(['Content-Length: 100'])}{`],
    ['headers that come too slowly', () => 'GET / HTTP/1.1\r\nHost: x\r\nX-A: '],
  ])('are given up: %s', async (_name, bytes) => {
    const answer = await exchange(bytes());
    expect(answer.slice(0, 12)).toBe('HTTP/1.1 408');
    expect(answer).toContain('request/timeout');
  });

  test('of a body without end are cut off at the limit, and take no memory', async () => {
    const chunk = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const client = await RawClient.connect(port);
    client.send(post(['Transfer-Encoding: chunked']));
    client.read();
    let sent = 0;
    await until('answer', () => {
      // The answer comes long before; a server that reads on would let this grow.
      if (
        client.text === '' &&
        sent < 5000 &&
        client.socket.writable &&
        client.socket.writableLength < 1_048_576
      ) {
        client.send(chunk);
        sent += 1;
      }
      return client.text !== '';
    });
    expect(client.text.slice(0, 12)).toBe('HTTP/1.1 413');
    expect(sent).toBeLessThan(5000);
    client.socket.destroy();
    await expectUnharmed();
  });

  test('of a body that only strangers send are refused before they arrive', async () => {
    const head = [
      'POST /v1/publish HTTP/1.1',
      'Host: x',
      'Content-Type: application/json',
      'Content-Length: 900000',
      '',
      '',
    ];
    const client = await RawClient.connect(port);
    client.send(head.join('\r\n')).read();
    await until('answer', () => client.text !== '');
    expect(client.text.slice(0, 12)).toBe('HTTP/1.1 401');
    client.socket.destroy();
  });
});

describe('a stream', () => {
  test.each([
    '',
    'x',
    '.',
    '.5',
    'e.-1',
    'e.1e99',
    `${'e'.repeat(3000)}.1`,
    'null',
    '0x10.1',
    '%00.1',
    'earliest.1',
  ])('from the cursor %j has a gap or begins anew, and is no error', async (cursor) => {
    const { status, frames } = await ask(
      `${server.publicUrl}/v1/events?topic=open/a&last_event_id=${encodeURIComponent(cursor)}`,
    );
    expect(status).toBe(200);
    const { data } = await frames.nextEvent();
    expect(JSON.parse(data)).toMatchObject({ resumed: false });
  });

  test.each(['https://evil.example', 'null', 'http://localhost.evil.example', 'http://127.0.0.1:1'])(
    'is not for pages of the origin %s',
    async (origin) => {
      const { headers } = await ask(`${server.publicUrl}/v1/events?topic=open/a`, { headers: { origin } });
      expect(headers['access-control-allow-origin']).toBeUndefined();
    },
  );

  test('has the address of the socket, whatever X-Forwarded-For says', async () => {
    const { frames } = await ask(`${server.publicUrl}/v1/events?topic=open/spoofed`, {
      headers: { 'x-forwarded-for': '203.0.113.7', forwarded: 'for=203.0.113.7' },
    });
    await frames.nextEvent();
    const response = await fetch(`${server.internalUrl}/admin/v1/connections`, {
      headers: { authorization: 'Bearer an-admin-token-of-the-tests' },
    });
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).toContain('open/spoofed');
    expect(text).not.toContain('203.0.113.7');
  });

  test('of one address too many is refused, and says when to try again', async () => {
    const opened: Awaited<ReturnType<typeof ask>>[] = [];
    for (let i = 0; i < 25; i += 1)
      opened.push(
        await ask(`${server.publicUrl}/v1/events?topic=open/crowd`, { headers: { accept: '*/*' } }),
      );
    const refused = opened.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(Number(refused[0]?.headers['retry-after'])).toBeGreaterThan(0);
    for (const each of opened) each.cut();
  });

  test('asks for no more topics and patterns than the limits allow', async () => {
    const topics = Array.from({ length: 101 }, (_, i) => `topic=open/${i}`).join('&');
    const patterns = Array.from({ length: 11 }, (_, i) => `pattern=open/${i}/*`).join('&');
    for (const query of [topics, patterns]) {
      const { status } = await ask(`${server.publicUrl}/v1/events?${query}`, {
        headers: { authorization: `Bearer ${await tokenFor('reader', { subscribe: ['*'] })}` },
      });
      expect(status).toBe(400);
    }
  });
});

describe('paths', () => {
  test.each([
    '//v1/publish',
    '/v1/publish/',
    '/v1/../v1/publish',
    '/V1/PUBLISH',
    '/v1%2fpublish',
    '/v1/publish;x',
    '/admin/v1/stats',
    '/metrics',
    '/health/ready',
  ])('that only look like one of the API lead nowhere: %s', async (path) => {
    const answer = await exchange(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
    );
    expect(answer.slice(0, 12)).toMatch(/^HTTP\/1.1 40[145]$/);
  });
});

test('a publisher that floods is held at its rate, and others are not', async () => {
  const flood = (credential: string) =>
    fetch(`${server.publicUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
      body: JSON.stringify(Array.from({ length: 1000 }, (_, i) => ({ topics: 'open/flood', data: i }))),
    });
  expect((await flood(token)).status).toBe(200);
  const second = await flood(token);
  expect([second.status, ((await second.json()) as { code: string }).code]).toEqual([429, 'limit/rate']);
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await flood(await tokenFor('other', { publish: ['*'] }))).status).toBe(200);
});

test('no token and no data is in the log of the server', async () => {
  await fetch(`${server.publicUrl}/v1/publish?access_token=${token}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ topics: 'open/secret', data: 'the-secret-data' }),
  });
  await expectUnharmed();
  expect(server.output()).not.toContain(token);
  expect(server.output()).not.toContain('the-secret-data');
});

test('all of this took little memory', () => {
  const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
  expect(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1])).toBeLessThan(300_000);
});
