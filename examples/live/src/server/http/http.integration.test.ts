import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPerson } from '../testing/person.ts';
import type { Answer, Person } from '../testing/person.ts';
import { startServer, temporaryFolder } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';

let server: TestServer;
let ann: Person;
let removeFolder: () => Promise<void>;

beforeAll(async () => {
  const { folder, remove } = await temporaryFolder();
  removeFolder = remove;
  await mkdir(join(folder, 'assets'));
  await writeFile(join(folder, 'index.html'), '<!doctype html><title>Home</title>');
  await writeFile(join(folder, 'not-found.html'), '<!doctype html><title>Nothing here</title>');
  await writeFile(join(folder, 'feed.html'), '<!doctype html><title>Feed</title>');
  await writeFile(join(folder, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
  await writeFile(join(folder, 'assets/feed-abc123.js'), 'export {};');
  server = await startServer({ PAGES_FOLDER: folder, LOG_LEVEL: 'fatal' });
  ann = await server.signedUp('ann');
});
afterAll(async () => {
  await server.close();
  await removeFolder();
});

/** Sends raw bytes, and collects the answer until the server closes the connection. */
function raw(...parts: string[]): Promise<string> {
  return rawAt(server, ...parts);
}

async function rawAt({ url }: TestServer, ...parts: string[]): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text;
  });
  // The server may close while we still send.
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  for (const part of parts) socket.write(part);
  await once(socket, 'close');
  return answer;
}

const sessionCookie = (): string => `Cookie: tidings_session=${ann.cookies.get('tidings_session')}\r\n`;
const expectUnharmed = async (): Promise<void> => {
  expect((await server.person().get('/healthz')).status).toBe(200);
  expect((await ann.post('still here')).text).toBe('still here');
};

describe('a bad body', () => {
  test.each([
    ['JSON cut short', '{"text":', 400, 'body/invalid-json'],
    ['no JSON at all', 'text=hello', 400, 'body/invalid-json'],
    ['bytes that are not UTF-8', '{"text":"\ufffd\u0000', 400, 'body/invalid-json'],
    ['JSON nested ten thousand deep', `${'['.repeat(8000)}${']'.repeat(8000)}`, 400, 'request/invalid'],
    ['a polluted prototype', '{"__proto__":{"text":"x"}}', 400, 'request/invalid'],
    ['too much JSON', JSON.stringify({ text: 'x'.repeat(20_000) }), 413, 'body/too-large'],
    ['much too much JSON', JSON.stringify({ text: 'x'.repeat(5_000_000) }), 413, 'body/too-large'],
  ])('%s is refused', async (_, body, status, code) => {
    const answer = await ann.send('POST', '/posts', body);
    expect(answer).toMatchObject({ status, body: { status, code, type: 'about:blank' } });
    expect(answer.headers.get('Content-Type')).toMatch('application/problem+json');
    await expectUnharmed();
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'garbage'])(
    'of the type %s is refused with 415',
    async (type) => {
      const answer = await ann.send('POST', '/posts', '{"text":"x"}', { 'Content-Type': type });
      expect(answer).toMatchObject({ status: 415, body: { code: 'body/unsupported-type' } });
    },
  );

  test('in an unknown encoding or charset is refused with 415', async () => {
    const encoded = await ann.send('POST', '/posts', '{"text":"x"}', { 'Content-Encoding': 'nonsense' });
    expect(encoded).toMatchObject({ status: 415, body: { code: 'body/unsupported-encoding' } });
    const type = { 'Content-Type': 'application/json; charset=klingon' };
    expect(await ann.send('POST', '/posts', '{"text":"x"}', type)).toMatchObject({
      status: 415,
      body: { code: 'body/unsupported-charset' },
    });
  });

  test('that never ends is cut once it is too large', async () => {
    const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`;
    const head = `POST /posts HTTP/1.1\r\nHost: x\r\n${sessionCookie()}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await raw(head, ...Array.from({ length: 50 }, () => chunk));
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    await expectUnharmed();
  });

  test('that never comes ends with a timeout, as headers do', async () => {
    // A server of its own: to the others, a busy machine may take its time.
    const hasty = await startServer({ REQUEST_SECONDS: '2', LOG_LEVEL: 'fatal' });
    const cookie = `tidings_session=${(await hasty.signedUp('ann')).cookies.get('tidings_session')}`;
    const head = `POST /posts HTTP/1.1\r\nHost: x\r\nCookie: ${cookie}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n`;
    const answers = [rawAt(hasty, head, '{"text":'), rawAt(hasty, 'GET / HTTP/1.1\r\nHost:')];
    for (const answer of answers) expect(await answer).toMatch(/^HTTP\/1\.1 408 /);
    expect((await hasty.person().get('/healthz')).status).toBe(200);
    await hasty.close();
  });

  test('without a session is not waited for', async () => {
    const head =
      'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
    expect(await raw(head, '{"text":')).toMatch(/^HTTP\/1\.1 401 .*session\/required/s);
  });
});

describe('a bad request', () => {
  test.each([
    ['garbage', '\x00\x01\x02garbage\r\n\r\n', /^HTTP\/1\.1 400 /],
    ['a header that never ends', `GET / HTTP/1.1\r\nX: ${'x'.repeat(20_000)}`, /^HTTP\/1\.1 431 /],
    [
      'two lengths',
      'POST /posts HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
      /^HTTP\/1\.1 400 /,
    ],
  ])('%s is refused', async (_, bytes, expected) => {
    expect(await raw(bytes)).toMatch(expected);
    await expectUnharmed();
  });

  test.each([
    '/%',
    '/%ff',
    '/posts/%E0%A4%A',
    '/..%2f..%2fetc/passwd',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/..%5c..%5cx',
    '/nothing',
  ])('for %s is answered 4xx with problem details', async (path) => {
    const answer = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d .*application\/problem\+json/s);
    expect(answer).not.toMatch(/node_modules|at \w+ \(/);
  });

  test.each([
    ['PATCH', '/posts', 'GET, POST, HEAD'],
    ['DELETE', '/users', 'POST'],
    ['GET', '/users', 'POST'],
    ['POST', '/posts/1', 'GET, DELETE, HEAD'],
    ['GET', '/posts/1/like', 'PUT, DELETE'],
    ['PUT', '/session', 'GET, POST, DELETE, HEAD'],
    ['POST', '/notifications', 'GET, HEAD'],
    ['GET', '/notifications/read', 'PUT'],
    ['POST', '/analytics/pageviews', 'GET, HEAD'],
    ['POST', '/embed.js', 'GET, HEAD'],
    ['POST', '/feed', 'GET, HEAD'],
    ['DELETE', '/healthz', 'GET, HEAD'],
    ['POST', '/metrics', 'GET, HEAD'],
  ])('%s %s is answered 405 with Allow', async (method, path, allow) => {
    const answer = await ann.send(method, path);
    expect(answer).toMatchObject({ status: 405, body: { code: 'method/not-allowed' } });
    expect(answer.headers.get('Allow')).toBe(allow);
  });
});

describe('another site', () => {
  const body = { text: 'forged' };
  test.each([
    ['cross-site', { 'Sec-Fetch-Site': 'cross-site' }],
    ['of another subdomain', { 'Sec-Fetch-Site': 'same-site' }],
    ['with an origin of its own', { Origin: 'https://evil.example' }],
    ['with an opaque origin', { Origin: 'null' }],
    ['with the right host on another port', { Origin: 'http://127.0.0.1:1' }],
  ])('cannot post for a user: %s', async (_, headers) => {
    expect(await ann.send('POST', '/posts', body, headers)).toMatchObject({
      status: 403,
      body: { code: 'request/cross-site' },
    });
    expect((await ann.send('DELETE', '/session', undefined, headers)).status).toBe(403);
  });

  test("is not this app's own page, nor a program without a browser", async () => {
    const own = [
      { 'Sec-Fetch-Site': 'same-origin' },
      { Origin: server.url },
      { 'Sec-Fetch-Site': 'none' },
      {},
    ];
    for (const headers of own)
      expect((await ann.send('POST', '/posts', { text: 'own' }, headers)).status).toBe(201);
  });
});

describe('pages', () => {
  test('are served at their paths, never from a cache unasked, under a strict policy', async () => {
    const answer = await server.person().get('/feed');
    expect(answer).toMatchObject({ status: 200, text: expect.stringContaining('Feed') });
    expect(answer.headers.get('Cache-Control')).toBe('private, no-cache');
    expect(answer.headers.get('ETag')).toBeTruthy();
    const policy = answer.headers.get('Content-Security-Policy');
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff');
    expect(answer.headers.get('X-Powered-By')).toBeNull();
    expect((await server.person().get('/')).text).toContain('Home');
  });

  test('have assets cached forever, and other files that are revalidated', async () => {
    const asset = await server.person().get('/assets/feed-abc123.js');
    expect(asset.headers.get('Cache-Control')).toBe('public, max-age=31536000, immutable');
    const icon = await server.person().get('/favicon.svg');
    expect(icon).toMatchObject({ status: 200 });
    expect(icon.headers.get('Cache-Control')).toBe('no-cache');
    expect((await server.person().get('/assets/missing.js')).body).toMatchObject({ code: 'route/not-found' });
  });

  test('that are not built get a 503 that says what to do', async () => {
    expect(await server.person().get('/analytics')).toMatchObject({
      status: 503,
      body: { code: 'pages/not-built' },
    });
  });

  test('that do not exist are a page for people, and a problem for programs', async () => {
    const browser = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };
    const ask = (path: string, headers = browser): Promise<Answer> =>
      server.person().send('GET', path, undefined, headers);
    const page = await ask('/nowhere');
    expect(page).toMatchObject({ status: 404, text: expect.stringContaining('Nothing here') });
    expect(page.headers.get('Content-Type')).toMatch('text/html');
    expect(page.headers.get('Cache-Control')).toBe('no-store');
    for (const accept of ['*/*', 'application/json', 'image/avif,image/*,*/*;q=0.8']) {
      expect(await ask('/nowhere', { Accept: accept })).toMatchObject({
        status: 404,
        body: { code: 'route/not-found' },
      });
    }
    const posted = await server.person().send('POST', '/nowhere', {}, browser);
    expect(posted).toMatchObject({ status: 404, body: { code: 'route/not-found' } });
  });

  test('recognize a browser, and start no session', async () => {
    const person = server.person();
    const first = await person.get('/feed');
    expect(first.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^tidings_visitor=.*HttpOnly; SameSite=Lax$/),
    ]);
    expect((await person.get('/feed')).headers.getSetCookie()).toEqual([]);
  });
});

describe('too much', () => {
  test.each([
    ['posting', { POSTS_PER_MINUTE: '2' }, 'POST', '/posts', { text: 'x' }],
    ['liking', { CHANGES_PER_MINUTE: '2' }, 'PUT', '/posts/1/like', undefined],
    ['signing in', { SIGN_IN_PER_MINUTE: '3' }, 'POST', '/session', { name: 'ann', password: 'wrong' }],
    ['signing up', { SIGN_IN_PER_MINUTE: '3' }, 'POST', '/users', { name: '', password: '' }],
  ])('%s is answered 429 with Retry-After', async (_, variables, method, path, body) => {
    const limited = await startServer(variables);
    const person = await limited.signedUp('ann');
    for (let i = 0; i < 2; i += 1) expect((await person.send(method, path, body)).status).not.toBe(429);
    const refused = await person.send(method, path, body);
    expect(refused).toMatchObject({ status: 429, body: { code: 'limit/exceeded', status: 429 } });
    expect(Number(refused.headers.get('Retry-After'))).toBeGreaterThan(0);
    // It limits no other user, unless it is by address.
    const others = createPerson(limited.url);
    expect((await others.get('/posts')).status).toBe(200);
    await limited.close();
  });

  test('posting is counted by user, not by address', async () => {
    const limited = await startServer({ POSTS_PER_MINUTE: '1' });
    const [one, two] = [await limited.signedUp('one'), await limited.signedUp('two')];
    await one.post('x');
    expect((await one.send('POST', '/posts', { text: 'x' })).status).toBe(429);
    expect((await two.send('POST', '/posts', { text: 'x' })).status).toBe(201);
    await limited.close();
  });
});
