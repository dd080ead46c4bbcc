import { describe, expect, it } from 'vitest';
import { type Exchange, serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';

const greeting = (cursor: string) => welcome({ secret: 's' }, cursor);
const JSON_TYPE = { 'content-type': 'application/json' };

function problem(exchange: Exchange, status: number, code: string): void {
  exchange.answer(status, { 'content-type': 'application/problem+json' }, JSON.stringify({ code }));
}

async function start() {
  const server = await serveExchanges();
  const observed = observe(`${server.url}/?x=1`, { topics: ['a'] });
  const stream = await server.next();
  stream.stream(greeting('e.1'));
  await until('opening', () => observed.openings.length > 0);
  return { server, stream, ...observed };
}

describe('a change', () => {
  it('is a POST of JSON to the URL without topics', async () => {
    const { server, client } = await start();
    const changed = client.subscribe('b', { pattern: 'c/*' });
    const request = await server.next();
    expect([request.method, request.url.search, request.headers['content-type']]).toEqual([
      'POST',
      '?x=1',
      'application/json',
    ]);
    expect(await request.json()).toEqual({
      connection: 'c1',
      secret: 's',
      add: ['b', { pattern: 'c/*' }],
      drop: [],
    });
    request.answer(200, JSON_TYPE, '{"cursor":"e.7","topics":["a","b"]}');
    expect(await changed).toBe('e.7');
  });

  it.each([
    ['a page', 200, '<h1>Sign in</h1>', 'client/content-type'],
    ['unexpected JSON', 200, '{}', 'client/content-type'],
    ['nothing', 204, '', 'client/http-status'],
    ['a failure', 500, '', 'client/http-status'],
    ['too many requests', 429, '', 'client/http-status'],
    ['a 404 that is not a hub’s', 404, '', 'client/http-status'],
  ])('that is answered with %s is rejected, and the stream goes on', async (_, status, body, code) => {
    const { server, client, errors } = await start();
    const changed = client.subscribe('b');
    (await server.next()).answer(status, { 'content-type': 'text/html' }, body);
    await expect(changed).rejects.toMatchObject({ code, status });
    expect([client.status, errors, server.count]).toEqual(['open', [], 2]);
  });
});

describe('a change that never reaches the server of the connection', () => {
  const ways: Record<string, (exchange: Exchange) => void> = {
    'because another server got it': (exchange) => problem(exchange, 404, 'connection/unknown'),
    'because it broke off': (exchange) => exchange.cut(),
    'because a gateway gave up': (exchange) => exchange.answer(504),
  };

  it.each(Object.entries(ways))('%s, is made by a new connection', async (_, miss) => {
    const { server, stream, client, clock, gaps, errors, statuses, hasMessages } = await start();
    stream.send('id: e.2\ndata: 2\n\n');
    await hasMessages(1);
    const changed = client.subscribe('b');
    miss(await server.next());
    await stream.gone;
    const second = await server.next();
    expect(second.url.search).toBe('?x=1&topic=a');
    expect(second.headers['last-event-id']).toBe('e.2');
    second.stream(greeting('e.2'));
    miss(await server.next());
    // Twice is enough: the new URL asks for the topics to be added, and thus for the values of states.
    const third = await server.next();
    expect(third.url.search).toBe('?x=1&topic=a&topic=b&last_event_id=e.2');
    third.stream(greeting('e.2'));
    expect(await changed).toBe('e.2');
    expect([errors, gaps, clock.timers]).toEqual([[], [], 1]);
    expect(statuses).toEqual(['connecting', 'open', 'connecting', 'open', 'connecting', 'open']);
  });

  it('because nothing ever answers, is made by a new connection after a while', async () => {
    const { server, stream, client, clock } = await start();
    const changed = client.subscribe('b');
    await server.next();
    await until('timers', () => clock.timers === 2);
    stream.send(': alive\n');
    clock.advance(15_000);
    const second = await server.next();
    second.stream(greeting('e.1'));
    (await server.next()).answer(200, JSON_TYPE, '{"cursor":"e.7"}');
    expect(await changed).toBe('e.7');
  });

  it('because the server does not support changes, is made by a new connection at once', async () => {
    const server = await serveExchanges();
    const { client, hasMessages } = observe(server.url, { topics: ['a'] });
    (await server.next()).stream('id: 1\ndata: plain\n\n');
    await hasMessages(1);
    const changed = client.subscribe('b');
    const second = await server.next();
    expect([second.method, second.url.search]).toEqual(['GET', '?topic=a&topic=b']);
    expect(second.headers['last-event-id']).toBe('1');
    second.stream('id: 2\ndata: plain\n\n');
    expect(await changed).toBe('2');
  });

  it('gives no event twice to an iterator that is behind', async () => {
    const { server, stream, client } = await start();
    const iterator = client[Symbol.asyncIterator]();
    const next = async () => (await iterator.next()).value?.data;
    const first = next();
    stream.send('id: e.2\ndata: 2\n\nid: e.3\ndata: 3\n\nid: e.4\ndata: 4\n\n');
    expect(await first).toBe('2');
    await turn();
    const changed = client.subscribe('b');
    problem(await server.next(), 404, 'connection/unknown');
    const second = await server.next();
    // The third was offered to the iterator, which hasn't taken it.
    expect(second.headers['last-event-id']).toBe('e.3');
    expect(client.cursor).toBe('e.2');
    second.stream(`${greeting('e.3')}id: e.4\ndata: 4\n\n`);
    (await server.next()).answer(200, JSON_TYPE, '{"cursor":"e.4"}');
    expect(await changed).toBe('e.4');
    expect([await next(), await next()]).toEqual(['3', '4']);
    await until('cursor', () => client.cursor === 'e.4');
  });
});

describe('topics that have to be added to a new connection', () => {
  async function cutOff() {
    const scene = await start();
    const changed = scene.client.subscribe('b');
    (await scene.server.next()).answer(200, JSON_TYPE, '{"cursor":"e.7"}');
    await changed;
    scene.stream.cut();
    await scene.hasStatus('waiting');
    scene.clock.advance(1_000);
    (await scene.server.next()).stream(greeting('e.8'));
    return { ...scene, request: await scene.server.next() };
  }

  it('fail the client if the server now refuses them', async () => {
    const { request, client, errors, hasStatus } = await cutOff();
    expect(await request.json()).toEqual({ connection: 'c1', secret: 's', add: ['b'] });
    problem(request, 403, 'auth/forbidden');
    await hasStatus('failed');
    expect(errors.at(-1)).toBe('auth/forbidden');
    expect(client.status).toBe('failed');
  });

  it('are tried again later if the server cannot add them now', async () => {
    const { server, request, clock, errors, gaps, hasStatus } = await cutOff();
    request.answer(503, { 'retry-after': '5' });
    await hasStatus('waiting');
    expect(errors.at(-1)).toBe('client/http-status, again in 6000');
    clock.advance(6_000);
    (await server.next()).stream(greeting('e.8'));
    (await server.next()).answer(200, JSON_TYPE, '{"cursor":"e.9"}');
    await until('gap', () => gaps.length > 0);
    expect(gaps).toEqual([{ topics: ['b'], reason: 'unknown-cursor' }]);
  });
});
