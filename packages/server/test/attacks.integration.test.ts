import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { until, untilAsync } from '../../tidings/test/http/deadline.ts';
import { RawClient } from '../../tidings/test/http/raw-client.ts';
import { SECRET, type Started, startServer, tokenFor } from './server-process.ts';

let server: Started;
let token: string;
let port: number;
let internalPort: number;

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
      // A batch of a thousand is a debt of a minute, which no machine is slow enough to miss.
      '--publish-rate=20',
      '--publish-burst=50',
      '--listen-request-timeout=5s',
    ],
  });
  token = await tokenFor('publisher', { publish: ['*'] });
  port = Number(new URL(server.publicUrl).port);
  internalPort = Number(new URL(server.internalUrl).port);
});
afterAll(() => server.stop());

/** After an attack: the server answers, and nothing failed. */
async function expectUnharmed(): Promise<void> {
  const reply = await ask(`${server.publicUrl}/openapi.json`);
  expect(reply.status).toBe(200);
  expect(server.output()).not.toContain('"level":50');
  expect(server.output()).not.toContain('"level":60');
}

/** Sends these bytes as they are. @returns all that comes back until the server hangs up. */
function exchange(...pieces: readonly string[]): Promise<string> {
  return exchangeAt(port, pieces);
}

async function exchangeAt(at: number, pieces: readonly string[]): Promise<string> {
  const client = await RawClient.connect(at);
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

  test('are given up at both ports: headers and bodies that come too slowly, and a peer that says nothing', async () => {
    const order = (authorization: string) =>
      `POST /admin/v1/publish HTTP/1.1\r\nHost: x\r\n${authorization}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
    // All at once, since each takes as long as the server's patience.
    const answers = await Promise.all([
      ...[port, internalPort].map((at) => exchangeAt(at, ['GET / HTTP/1.1\r\nHost: x\r\nX-A: '])),
      exchangeAt(port, [`${post(['Content-Length: 100'])}{`]),
      exchangeAt(internalPort, [order('Authorization: Bearer an-admin-token-of-the-tests\r\n')]),
      ...[port, internalPort].map((at) => exchangeAt(at, [])),
    ]);
    for (const answer of answers) {
      expect(answer.slice(0, 12)).toBe('HTTP/1.1 408');
      expect(answer).toContain('request/timeout');
    }
    await expectUnharmed();
  });

  test.each([
    [
      'a body of a stranger',
      'POST /admin/v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n',
      '401',
    ],
    [
      'a token in the query',
      'GET /admin/v1/stats?token=an-admin-token-of-the-tests HTTP/1.1\r\nHost: x\r\n\r\n',
      '401',
    ],
    ['one long header', `GET /metrics HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, '431'],
    ['a path out of the console', 'GET /console/../../package.json HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
    ['an encoded path out of it', 'GET /console/%2e%2e%2fmain.js HTTP/1.1\r\nHost: x\r\n\r\n', '404'],
    ['no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001\r\n\r\n', '400'],
  ])('are refused at the internal port: %s', async (_name, bytes, status) => {
    const client = await RawClient.connect(internalPort);
    client.send(bytes).read();
    await until('answer', () => client.text !== '');
    expect(client.text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    client.socket.destroy();
    await expectUnharmed();
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

  test.each<[string, () => string, string]>([
    ['too large', () => post(['Content-Length: 1200000']), '413'],
    ['of a stranger', () => 'POST /v1/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 1200000\r\n\r\n', '401'],
    [
      'of a stranger who means to close',
      () => 'POST /v1/publish HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1200000\r\n\r\n',
      '401',
    ],
    ['for nothing', () => 'POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 1200000\r\n\r\n', '404'],
  ])('get their answer while a long body arrives, and no reset: %s', async (_name, head, status) => {
    const client = await RawClient.connect(port);
    const failures: Error[] = [];
    client.socket.on('error', (error) => failures.push(error));
    client.send(head()).send('x'.repeat(100_000)).read();
    await until('answer', () => client.text.includes('}'));
    expect(client.text.slice(0, 12)).toBe(`HTTP/1.1 ${status}`);
    client.send('x'.repeat(1_100_000));
    await client.closed();
    expect(failures).toEqual([]);
    await expectUnharmed();
  });

  test('behind a refused body on the same socket are answered', async () => {
    const client = await RawClient.connect(port);
    const next = 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
    client.send(`${post(['Content-Length: 5'])}{"a":${post(['Content-Length: 2'])}{}${next}`).read();
    await until('last answer', () => client.text.includes('"openapi"'));
    expect(client.text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 400', 'HTTP/1.1 400', 'HTTP/1.1 200']);
    client.socket.destroy();
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
    await untilAsync('room for others', async () => {
      const response = await fetch(`${server.internalUrl}/admin/v1/connections?q=open/crowd`, {
        headers: { authorization: 'Bearer an-admin-token-of-the-tests' },
      });
      return ((await response.json()) as { matching: number }).matching === 0;
    });
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

describe('requests that pretend to be others', () => {
  test('and wait behind a stream on its socket get no stream of their own', async () => {
    const client = await RawClient.connect(port);
    const request = 'GET /v1/events?topic=open/pipelined HTTP/1.1\r\nHost: x\r\n\r\n';
    client.send(request.repeat(200)).read();
    await until('the first stream', () => client.text.includes('tidings:welcome'));
    const response = await fetch(`${server.internalUrl}/admin/v1/connections?q=open/pipelined`, {
      headers: { authorization: 'Bearer an-admin-token-of-the-tests' },
    });
    expect(((await response.json()) as { matching: number }).matching).toBe(1);
    expect(client.text.split('tidings:welcome')).toHaveLength(2);
    client.socket.destroy();
  });

  test.each(['gzip', 'br', 'x', 'identity, gzip'])(
    'with the content coding %s are not unpacked',
    async (coding) => {
      const answer = await exchange(
        `${post([`Content-Encoding: ${coding}`, 'Content-Length: 4', 'Connection: close'])}\u001f\u008b\u0008\u0000`,
      );
      expect(answer.slice(0, 12)).toBe('HTTP/1.1 415');
      expect(answer.toLowerCase()).toContain('accept-encoding: identity');
    },
  );

  test('with control characters in types and data can’t write a frame of their own', async () => {
    const topic = 'open/control';
    const reader = await ask(`${server.publicUrl}/v1/events?topic=${topic}`);
    await reader.frames.nextEvent();
    const publish = (event: object) =>
      fetch(`${server.publicUrl}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
    expect((await publish({ topics: topic, data: 'a', type: 'x\nid: forged' })).status).toBe(400);
    expect((await publish({ topics: topic, data: 'a\r\nid: forged\u0000', raw: true })).status).toBe(200);
    const { id, data } = await reader.frames.nextEvent();
    expect([id, data]).toEqual([
      expect.stringMatching(/^\w+\.\d+$/),
      expect.stringContaining('a\nid: forged'),
    ]);
    reader.cut();
  });

  test('with a parameter twice are answered by the first, or refused, never by chance', async () => {
    const cursors = 'last_event_id=earliest&last_event_id=x.1';
    const { status, frames, cut } = await ask(
      `${server.publicUrl}/v1/events?topic=open/b&topic=open/b&${cursors}`,
    );
    expect(status).toBe(200);
    const welcome = JSON.parse((await frames.nextEvent()).data) as { topics?: unknown };
    expect(JSON.stringify(welcome)).not.toContain('x.1');
    cut();
    const twice = await fetch(`${server.publicUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body: new URLSearchParams([
        ['topics', 'open/b'],
        ['data', '1'],
        ['data', '2'],
      ]),
    });
    expect(twice.status).toBe(400);
  });
});

describe('a full log', () => {
  test('of many topics is searched for all patterns of a stranger without holding up anybody', async () => {
    for (let i = 0; i < 5; i += 1) {
      const batch = Array.from({ length: 1000 }, (_, n) => ({ topics: `open/${i * 1000 + n}/x`, data: 1 }));
      // The rate allows for one batch beyond the burst.
      const credential = await tokenFor(`filler-${i}`, { publish: ['*'] });
      const response = await fetch(`${server.publicUrl}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${credential}`, 'content-type': 'application/json' },
        body: JSON.stringify(batch),
      });
      expect(response.status).toBe(200);
    }
    const patterns = Array.from(
      { length: 10 },
      (_, i) => `pattern=${encodeURIComponent(`open/*x${i}`)}`,
    ).join('&');
    const before = cpuTime();
    const authorization = `Bearer ${await tokenFor('reader', { subscribe: ['*'] })}`;
    const readers = await Promise.all(
      Array.from({ length: 5 }, () =>
        ask(`${server.publicUrl}/v1/events?${patterns}&last_event_id=earliest`, {
          headers: { authorization },
        }),
      ),
    );
    for (const { status } of readers) expect(status).toBe(200);
    await Promise.all(readers.map(({ frames }) => frames.nextEvent()));
    await expectUnharmed();
    for (const { cut } of readers) cut();
    expect(cpuTime() - before).toBeLessThan(5000);
  });
});

/** Milliseconds that the server has had of its cores. */
function cpuTime(): number {
  const fields = readFileSync(`/proc/${server.child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

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
