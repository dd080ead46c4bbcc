import { describe, expect, test } from 'vitest';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { ask } from '../../test/http/client.ts';
import { expectProblem, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';

describe('A request’s topics', () => {
  test('may not be empty', async () => {
    const { url } = await startNode();
    for (const path of ['/', '/?', '/?topics=a', '/?last_event_id=e.1']) {
      await expectProblem(await ask(url + path), 400, 'topic/missing');
    }
  });

  test.each([
    ['topics', '?topic=, once for each topic'],
    ['patterns', '?pattern=, once for each pattern'],
    ['topic[]', '?topic=, once for each topic'],
  ])('get the right parameter suggested after "%s"', async (name, advice) => {
    const { url } = await startNode();
    const problem = await expectProblem(
      await ask(`${url}/?${encodeURIComponent(name)}=a`),
      400,
      'topic/missing',
    );
    expect(problem['detail']).toBe(`There is no ?${name}=. Write ${advice}.`);
  });

  test('get a pattern suggested if one looks like it and is refused', async () => {
    const { url } = await startNode({ authorize: () => ({ topics: [{ pattern: 'room/:id' }] }) });
    const problem = await expectProblem(await ask(`${url}/?topic=a/*`), 403, 'auth/forbidden');
    expect(problem['detail']).toMatch(/"a\/\*" was asked for as a topic: is it a pattern\?$/);
  });

  test('are limited together with its patterns', async () => {
    const { url } = await startNode({}, { limits: { topicsPerConnection: 3 } });
    expect((await ask(`${url}/?topic=a&topic=b&pattern=c`)).status).toBe(200);
    const problem = await expectProblem(
      await ask(`${url}/?topic=a&topic=b&pattern=c&pattern=d`),
      400,
      'limit/topics',
    );
    expect(problem).toMatchObject({ topics: 4, maxTopics: 3 });
  });

  test('may include a limited number of patterns', async () => {
    const { url } = await startNode({}, { limits: { patternsPerConnection: 2 } });
    expect((await ask(`${url}/?topic=a&topic=b&topic=c&pattern=d&pattern=e`)).status).toBe(200);
    const problem = await expectProblem(
      await ask(`${url}/?pattern=c&pattern=d&pattern=e`),
      400,
      'limit/topics',
    );
    expect(problem).toMatchObject({ patterns: 3, maxPatterns: 2 });
  });

  test('have a bounded total length, patterns included', async () => {
    const { url } = await startNode({}, { limits: { matcherLengthPerConnection: 10 } });
    expect((await ask(`${url}/?topic=aaaaa&pattern=bbbb*`)).status).toBe(200);
    const problem = await expectProblem(await ask(`${url}/?topic=aaaaa&pattern=bbbbb*`), 400, 'limit/topics');
    expect(problem).toMatchObject({ length: 11, maxLength: 10 });
  });

  test('have a bounded length each', async () => {
    const { url } = await startNode({}, { limits: { topicLength: 10 } });
    expect((await ask(`${url}/?topic=${'é'.repeat(10)}`)).status).toBe(200);
    const problem = await expectProblem(await ask(`${url}/?topic=${'a'.repeat(11)}`), 400, 'topic/too-long');
    expect(problem).toMatchObject({ length: 11, maxLength: 10 });
  });

  test.each([
    ['an empty topic', ''],
    ['CR', 'a%0Db'],
    ['LF', 'a%0Ab'],
    ['CRLF and a field of the stream', 'a%0D%0Adata:%20forged'],
    ['NUL', 'a%00b'],
    ['DEL', 'a%7Fb'],
  ])('are refused with %s', async (_what, topic) => {
    const { url } = await startNode();
    await expectProblem(await ask(`${url}/?topic=${topic}`), 400, 'topic/invalid');
  });

  test('are percent-decoded, however odd', async () => {
    const { hub, url } = await startNode();
    const { frames } = await ask(
      `${url}/?topic=a%26b%3Dc&topic=%C3%A9+x&topic=%FF%ED%A0%80&topic=100%&topic=a%2Fb`,
    );
    await frames.nextEvent();
    expect(hub.connections()[0]?.topics).toEqual(['a&b=c', 'é x', '\uFFFD\uFFFD\uFFFD\uFFFD', '100%', 'a/b']);
  });

  test.each([
    ['a regular expression', '(a%2B)%2B$'],
    ['a named regular expression', ':id(%5Cd%2B)'],
    ['a group', '{a}?'],
    ['a modifier', ':id%2B'],
    ['a name beside text', 'a:id'],
    ['three wildcards', '*a*b*'],
    ['an escape of nothing', 'a%5C'],
    ['nothing', ''],
    ['too much', 'a'.repeat(1025)],
  ])('are refused with a pattern of %s', async (_what, pattern) => {
    const { url } = await startNode();
    await expectProblem(await ask(`${url}/?pattern=${pattern}`), 400, 'topic/invalid-pattern');
  });

  test.each([
    ['wildcards around a letter', '*a*'],
    ['many names', `${Array.from({ length: 150 }, (_, i) => `:n${i}`).join('/')}/b`],
    ['wildcards around a long text', `*${'a'.repeat(500)}*`],
    ['many segments and wildcards', `${'a/'.repeat(300)}*/b*`],
  ])('include no pattern that is slow for any topic: %s', async (_what, pattern) => {
    const { hub, url } = await startNode();
    const { frames } = await ask(`${url}/?pattern=${pattern}&topic=end`);
    await frames.nextEvent();
    const before = cpuTime();
    for (const topic of [`${'a'.repeat(1023)}c`, `${'a/'.repeat(511)}c`, '/'.repeat(1024)])
      await hub.publish(topic, 0);
    await hub.publish('end', 0);
    await frames.until('event', () => frames.all.some(({ id }) => id?.endsWith('.4')));
    expect(cpuTime() - before).toBeLessThan(2000);
  });

  test('may come from the app instead, for each request', async () => {
    const { hub, url } = await startNode({ topics: (req) => Promise.resolve([`room/${req.url?.slice(1)}`]) });
    await ask(`${url}/7`);
    expect(hub.connections()[0]?.topics).toEqual(['room/7']);
  });

  test('may be null, for nothing ever, which is answered 204', async () => {
    const { url } = await startNode({ topics: () => null, cors: { origin: '*' } });
    const reply = await ask(`${url}/?topic=a`);
    expect(reply.status).toBe(204);
    expect(reply.headers['content-type']).toBeUndefined();
    expect(reply.headers['access-control-allow-origin']).toBe('*');
    await reply.frames.end();
    expect(reply.frames.text).toBe('');
  });
});

describe('The form of a request', () => {
  test.each(['PUT', 'PATCH', 'DELETE', 'QUERY'])('%s is answered 405', async (method) => {
    const { url } = await startNode();
    const reply = await ask(`${url}/?topic=a`, { method });
    expect(reply.headers.allow).toBe('GET, HEAD, POST, OPTIONS');
    await expectProblem(reply, 405, 'request/method-not-allowed');
  });

  test('OPTIONS lists the allowed methods, even without CORS', async () => {
    const { url } = await startNode();
    const reply = await ask(url, { method: 'OPTIONS' });
    expect(reply.status).toBe(204);
    expect(reply.headers.allow).toBe('GET, HEAD, POST, OPTIONS');
  });

  test.each([
    'text/event-stream',
    'TEXT/Event-Stream',
    'text/event-stream; charset=utf-8',
    'text/event-stream;q=0.001',
    'text/html, text/event-stream;q=0.5',
    'text/*',
    '*/*',
    'application/json, */*;q=0.1',
    '*/*;q=0, text/event-stream',
    'text/*;q=0, text/event-stream;q=1',
    '',
  ])('Accept "%s" is served', async (accept) => {
    const { url } = await startNode();
    expect((await ask(`${url}/?topic=a`, { headers: { accept } })).status).toBe(200);
  });

  test.each([
    'application/json',
    'text/html, application/xhtml+xml',
    'text/event-stream;q=0',
    'text/event-stream; q=0.000',
    'text/event-stream;q=0, */*',
    'text/event-stream;q=0, text/*;q=0.5',
    'text/*;q=0, */*;q=1',
    '*/*;q=0',
    'text/event-streams',
    'event-stream',
  ])('Accept "%s" is answered 406', async (accept) => {
    const { url } = await startNode();
    await expectProblem(await ask(`${url}/?topic=a`, { headers: { accept } }), 406, 'request/not-acceptable');
  });

  test('a stream has these headers and no others', async () => {
    const { url } = await startNode();
    const { headers } = await ask(`${url}/?topic=a`, { headers: { connection: 'close' } });
    expect({ ...headers, date: undefined }).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      date: undefined,
      connection: 'close',
      'transfer-encoding': 'chunked',
    });
  });

  test('an offer to upgrade is declined by serving the stream', async () => {
    const { url } = await startNode();
    const headers = {
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABkAAQAoAAA',
    };
    const { status, frames } = await ask(`${url}/?topic=a`, { headers });
    expect(status).toBe(200);
    expect((await frames.nextEvent()).type).toBe('tidings:welcome');
  });

  test('a request line in absolute form is understood', async () => {
    const { port } = await startNode();
    const peer = await RawClient.connect(port);
    peer.read().get(`http://localhost:${port}/?topic=a`);
    await peer.frames.nextEvent();
    expect(peer.head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  });
});
