import http2 from 'node:http2';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { until, untilAsync } from '../../tidings/test/http/deadline.ts';
import { SECRET, type Started, startServer } from './server-process.ts';

const ADMIN_TOKEN = 'an-admin-token-of-the-tests';
const MOST = 100;
let server: Started;

beforeAll(async () => {
  server = await startServer({
    environment: {
      TIDINGS_AUTH_JWT_SECRET: SECRET,
      TIDINGS_LOG_URL: 'memory:',
      TIDINGS_INTERNAL_TOKEN: ADMIN_TOKEN,
    },
    args: [
      '--listen-h2c',
      '--auth-anonymous-subscribe=open/*',
      `--limits-connections-per-session=${MOST}`,
      '--logging-access=off',
    ],
  });
});
afterAll(() => server.stop());

function connect(): http2.ClientHttp2Session {
  const session = http2.connect(server.publicUrl);
  // A server may end a session that behaves badly.
  session.on('error', () => {});
  onTestFinished(() => session.destroy());
  return session;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

function ask(session: http2.ClientHttp2Session, headers: http2.OutgoingHttpHeaders): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request(headers);
    let status = 0;
    let text = '';
    stream.on('response', (head) => (status = Number(head[':status'])));
    stream.setEncoding('utf8').on('data', (part: string) => (text += part));
    stream.on('error', reject).on('end', () => resolve({ status, text }));
  });
}

async function connections(): Promise<number> {
  const response = await fetch(`${server.internalUrl}/admin/v1/stats`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  return ((await response.json()) as { stats: { connections: number } }).stats.connections;
}

const memory = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'utf8'))?.[1]) * 1024;

async function expectUnharmed(): Promise<void> {
  expect((await fetch(`${server.publicUrl}/openapi.json`)).status).toBe(200);
  expect(server.output()).not.toMatch(/"level":[56]0/);
}

test('A method that HTTP does not know leads nowhere, and is no failure of the server', async () => {
  const session = connect();
  for (const method of ['FOO', 'get', 'x'.repeat(1000)]) {
    const { status, text } = await ask(session, { ':method': method, ':path': '/v1/events?topic=open/a' });
    expect([status, (JSON.parse(text) as { code: string }).code]).toEqual([404, 'request/not-found']);
  }
  await expectUnharmed();
});

test('The connections of a peer that leaves without a word end with its session', async () => {
  const session = connect();
  const stream = session.request({ ':path': '/v1/events?topic=open/left' });
  stream.on('error', () => {});
  await new Promise((resolve) => stream.once('data', resolve));
  expect(await connections()).toBe(1);
  session.destroy();
  await untilAsync('the end of its stream', async () => (await connections()) === 0);
});

test('Streams that are reset as soon as they are opened leave nothing behind', async () => {
  const session = connect();
  const before = memory();
  for (let i = 0; i < 2000 && !session.destroyed; i += 1) {
    const stream = session.request({ ':path': '/v1/events?topic=open/reset' });
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_CANCEL);
    if (i % 100 === 0) await new Promise(setImmediate);
  }
  session.destroy();
  await untilAsync('the end of all streams', async () => (await connections()) === 0);
  expect(memory() - before).toBeLessThan(100_000_000);
  await expectUnharmed();
});

test('Two thousand streams in one session become no more connections than the limit allows', async () => {
  const session = connect();
  let settled = 0;
  for (let i = 0; i < 2000; i += 1) {
    const stream = session.request({ ':path': `/v1/events?topic=open/${i}` });
    stream.on('error', () => {});
    stream.once('response', () => (settled += 1));
    stream.once('close', () => (settled += 1));
    stream.resume();
  }
  await until('answers', () => settled >= MOST + 1);
  const open = await connections();
  expect(open).toBeGreaterThan(0);
  expect(open).toBeLessThanOrEqual(MOST);
  session.destroy();
  await untilAsync('the end of all streams', async () => (await connections()) === 0);
  await expectUnharmed();
});

test('Headers that are too many or too large end the stream, or the session, and nothing else', async () => {
  const many = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'a']));
  for (const headers of [many, { x: 'a'.repeat(200_000) }]) {
    const session = connect();
    const ended = new Promise((resolve) => session.once('close', resolve));
    const answer = ask(session, { ':path': '/v1/events?topic=open/a', ...headers }).catch(() => undefined);
    const first = await Promise.race([answer, ended.then(() => undefined)]);
    expect([undefined, 431, 400]).toContain(first?.status);
    session.destroy();
  }
  await expectUnharmed();
});
