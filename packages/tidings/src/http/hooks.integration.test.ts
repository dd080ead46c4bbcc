import http, { type ServerResponse } from 'node:http';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, test, vi } from 'vitest';
import { sse as expressSse } from '../node/express.ts';
import { sse as fastifySse } from '../node/fastify.ts';
import { ask } from '../../test/http/client.ts';
import { createGate, until } from '../../test/http/deadline.ts';
import { expectProblem, startHub, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { serve } from '../../test/http/server.ts';
import { TidingsError, unauthorized } from '../index.ts';
import { type NodeRequest, createNodeHandler, sse } from '../node/index.ts';

describe('onConnect', () => {
  test('is called before the connection’s first byte, and its function once at the end', async () => {
    const onEnd = vi.fn();
    const onConnect = vi.fn(() => onEnd);
    const { hub, url } = await startNode({ topics: ['a'], authorize: () => ({ subject: 'ann' }), onConnect });
    const { frames, cut } = await ask(url, { headers: { 'user-agent': 'test' } });
    const { connection: id } = JSON.parse((await frames.nextEvent()).data) as { connection: string };
    expect(onConnect).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({
        id,
        subject: 'ann',
        remote: '127.0.0.1',
        userAgent: 'test',
        phase: 'opening',
      }),
      expect.anything(),
    );
    expect(onEnd).not.toHaveBeenCalled();
    cut();
    await until('end', () => onEnd.mock.calls.length > 0);
    await hub.publish('a', 1);
    expect(onEnd).toHaveBeenCalledExactlyOnceWith({
      reason: 'left',
      delivered: 0,
      bytes: expect.any(Number),
      duration: expect.any(Number),
    });
  });

  test('is not called for attempts that are refused, which are counted by code', async () => {
    const onConnect = vi.fn();
    const { hub, url } = await startNode({
      topics: ['a'],
      onConnect,
      authorize: ({ url: path }) => {
        throw path === '/mine'
          ? new TidingsError('mine/own' as never, 'No.', { status: 403 })
          : unauthorized();
      },
    });
    await expectProblem(await ask(url), 401, 'auth/unauthorized');
    await expectProblem(await ask(url, { headers: { accept: 'text/html' } }), 406, 'request/not-acceptable');
    expect((await ask(`${url}/mine`)).status).toBe(403);
    expect(onConnect).not.toHaveBeenCalled();
    expect(hub.stats().refused).toEqual({ 'auth/unauthorized': 1, 'request/not-acceptable': 1, other: 1 });
  });

  test('learns of the end, however it comes', async () => {
    const ended: string[] = [];
    const { hub, url } = await startNode({
      topics: ['a'],
      onConnect: (_connection, req) => () => ended.push(req.url ?? ''),
    });
    await ask(`${url}/evicted`);
    await until('live', () => hub.stats().live === 1);
    hub.disconnect(() => true);
    await until('first end', () => ended.length === 1);
    await ask(`${url}/drained`);
    await hub.close();
    expect(ended).toEqual(['/evicted', '/drained']);
  });

  test('may end the other connections of the same user', async () => {
    const { hub, url } = await startNode({
      topics: ['a'],
      authorize: () => ({ subject: 'ann' }),
      onConnect: ({ id, subject }) =>
        void hub.disconnect((other) => other.subject === subject && other.id !== id),
    });
    const first = await ask(url);
    await first.frames.nextEvent();
    await ask(url);
    expect(await first.frames.nextEvent()).toMatchObject({ type: 'tidings:goodbye' });
    await until('one connection', () => hub.connections().length === 1);
  });

  test('that ends its own connection gets it answered 503, not left hanging', async () => {
    const { hub, url } = await startNode({ topics: ['a'], onConnect: () => void hub.disconnect(() => true) });
    const reply = await ask(url);
    expect(reply.headers['retry-after']).toMatch(/^\d+$/);
    await expectProblem(reply, 503, 'hub/unavailable');
    expect(hub.connections()).toEqual([]);
  });

  test('that ends it a moment later gets it cut off, not left hanging', async () => {
    const { hub, url } = await startNode({
      topics: ['a'],
      onConnect: () => queueMicrotask(() => void hub.disconnect(() => true)),
    });
    await expect(ask(url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(hub.connections()).toEqual([]);
  });

  test('whose function fails at the end is reported, and does not keep the connection', async () => {
    const onError = vi.fn();
    const failure = new Error('counter gone');
    const { hub, url } = await startNode(
      {
        topics: ['a'],
        onConnect: () => () => {
          throw failure;
        },
      },
      { onError },
    );
    (await ask(url)).cut();
    await until('no connections', () => hub.connections().length === 0);
    expect(onError).toHaveBeenCalledExactlyOnceWith(failure);
  });
});

describe('A mistake of the app', () => {
  test.each([
    ['a greeting of a reserved type', { greeting: () => ({ type: 'tidings:welcome', data: 1 }) }],
    ['a greeting that JSON can’t represent', { greeting: () => ({ data: () => {} }) }],
    ['a greeting that would forge a field', { greeting: () => ({ type: 'a\ndata: b', data: 1 }) }],
    ['invalid topics', { topics: () => [''] }],
    ['an invalid grant', { authorize: () => ({ topics: ['\n'] }) }],
    ['CORS that fails', { cors: { origin: () => Boolean(JSON.parse('{')) } }],
  ])('such as %s leads to an answer, and leaves nothing behind', async (_what, options) => {
    const { hub, url } = await startNode({ topics: ['a'], onError: () => {}, ...options });
    const reply = await ask(url, { headers: { origin: 'https://app.example' } });
    expect([400, 500]).toContain(reply.status);
    await reply.frames.end();
    expect(hub.connections()).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['an async `cors.origin`', { cors: { origin: async () => false } }, 'cors.origin'],
    ['an async `greeting`', { greeting: async () => ({ data: 1 }) }, 'greeting'],
    ['an async `onConnect`', { onConnect: async () => {} }, 'onConnect'],
    ['an async `address`', { address: async () => '192.0.2.1' }, 'address'],
    ['an `onConnect` that returns a useless value', { onConnect: () => 5 }, 'onConnect'],
    ['a `greeting` without data', { greeting: () => ({ type: 'x' }) }, 'greeting'],
    ['a `greeting` with a misspelt name', { greeting: () => ({ data: 1, event: 'x' }) }, 'greeting().event'],
    ['`topics` that return a string', { topics: () => 'news' }, 'topics'],
    [
      'an `authorize` that narrows topics without naming them',
      { authorize: () => ({ private: [] }) },
      'authorize().private',
    ],
    ['an `authorize` with a misspelt name', { authorize: () => ({ expireAt: 1 }) }, 'authorize().expireAt'],
    [
      'an `authorize` whose subject is a number',
      { authorize: () => ({ subject: 7 }) },
      'authorize().subject',
    ],
    ['an `address` that is a list', { address: () => ['192.0.2.1'] }, 'address'],
  ])(
    'such as %s is answered 500, reported to the app, and lets nobody in',
    async (_what, options, option) => {
      const onError = vi.fn();
      const { hub, url } = await startNode({ topics: ['a'], onError, ...options });
      const reply = await ask(url, { headers: { origin: 'https://app.example' } });
      await expectProblem(reply, 500, 'request/handler-failed');
      expect(reply.headers['access-control-allow-origin']).toBeUndefined();
      expect(onError).toHaveBeenCalledExactlyOnceWith(
        expect.objectContaining({ code: 'hub/invalid-option', details: { option } }),
        expect.anything(),
      );
      expect(hub.connections()).toEqual([]);
    },
  );

  test.each(['end', 'destroy'] as const)(
    'such as calling `res.%s` in the middle of a stream ends that stream alone',
    async (call) => {
      const hub = startHub();
      const handle = sse(hub);
      const responses: ServerResponse[] = [];
      const { url } = await serve((req, res) => {
        responses.push(res);
        handle(req, res);
      });
      await ask(`${url}/?topic=a`);
      const other = await ask(`${url}/?topic=a`);
      await until('both live', () => hub.stats().live === 2);
      responses[0]?.[call]();
      await hub.publish('a', 1);
      await until('one connection', () => hub.connections().length === 1);
      await hub.publish('a', 2);
      await other.frames.until('both events', () => other.frames.events.length === 2);
    },
  );

  test('such as answering while `authorize` is still running: the first answer stands, and nothing is left behind', async () => {
    const hub = startHub();
    const decided = createGate();
    const handled = createGate();
    const authorize = (): Promise<object> => decided.passed.then(() => ({}));
    const handle = createNodeHandler<NodeRequest>(hub, { topics: ['a'], authorize });
    const { url } = await serve((req, res) => {
      handle(req, req, res).then(handled.open, handled.fail);
      res.writeHead(504);
      res.write('Too slow');
    });
    const { status } = await ask(url);
    expect(status).toBe(504);
    decided.open();
    await handled.passed;
    expect(hub.connections()).toEqual([]);
  });
});

describe('A native EventSource, which gives up for good on a 500', () => {
  const headers = { accept: 'text/event-stream' };

  test('is asked to come back when the app has failed, and the app gets the error', async () => {
    const failure = new Error('database gone');
    const onError = vi.fn();
    const { hub, url } = await startNode({
      topics: ['a'],
      authorize: () => Promise.reject(failure),
      onError,
    });
    const { status, frames } = await ask(url, { headers });
    await frames.end();
    expect(status).toBe(200);
    expect(frames.text).toMatch(/^: request\/handler-failed: .*\nretry: \d+\n\n$/);
    expect(frames.all[0]?.retry).toBeGreaterThanOrEqual(5000);
    expect(onError).toHaveBeenCalledExactlyOnceWith(failure, expect.anything());
    expect(hub.connections()).toEqual([]);
  });

  test('is asked so behind a framework, too, and the hub reports the error', async () => {
    const failure = new Error('database gone');
    const onError = vi.fn();
    const handler = expressSse(startHub({ onError }), {
      topics: ['a'],
      authorize: () => Promise.reject(failure),
    });
    const { url } = await serve(express().use(handler));
    const { status, frames } = await ask(url, { headers });
    await frames.end();
    expect([status, frames.all[0]?.retry]).toEqual([200, expect.any(Number)]);
    expect(onError).toHaveBeenCalledExactlyOnceWith(failure);
  });

  test('is refused with the error’s own status if it has one', async () => {
    const failure = Object.assign(new Error('who?'), { status: 401 });
    const onError = vi.fn();
    const handler = expressSse(startHub({ onError }), {
      topics: ['a'],
      authorize: () => Promise.reject(failure),
    });
    const { url } = await serve(express().set('env', 'test').use(handler));
    expect((await ask(url, { headers })).status).toBe(401);
    expect(onError).not.toHaveBeenCalled();
  });
});

test('An app may end the response by itself, and nothing comes after that', async () => {
  const hub = startHub();
  const responses: ServerResponse[] = [];
  const handle = sse(hub, { topics: ['a'] });
  const { port } = await serve((req, res) => {
    responses.push(res);
    handle(req, res);
  });
  const peer = await RawClient.connect(port);
  peer.read().get('/');
  await peer.frames.nextEvent();
  await hub.publish('a', 'before');
  expect(await peer.frames.nextEvent()).toMatchObject({ data: '"before"' });
  // With the socket full the end is delayed, and the hub learns that there is room before it learns of the end.
  peer.stopReading();
  for (let n = 0; n < 200; n += 1) await hub.publish('a', 'x'.repeat(50_000));
  await until('behind', () => hub.stats().behind === 1);
  responses[0]?.end();
  await hub.publish('a', 'after');
  peer.read();
  await until('no connection', () => hub.connections().length === 0);
  // The socket serves the next request.
  peer.send('HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  await peer.closed();
  expect(peer.text).not.toContain('after');
  expect(peer.text).toMatch(/\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*$/);
});

test('On a hijacked socket the request is over when the stream begins, and only onConnect learns of the stream’s end', async () => {
  const hub = startHub();
  const onEnd = vi.fn();
  const onResponseClose = vi.fn();
  const handle = sse(hub, { topics: ['a'], hijack: true, onConnect: () => onEnd });
  const { url, server } = await serve((req, res) => {
    res.on('close', onResponseClose);
    handle(req, res);
  });
  const { frames, cut } = await ask(url);
  await frames.nextEvent();
  expect(onResponseClose).toHaveBeenCalledOnce();
  // `server.close` doesn't wait for the stream, which goes on.
  await new Promise((resolve) => server.close(resolve));
  await hub.publish('a', 1);
  expect(await frames.nextEvent()).toMatchObject({ data: '1' });
  expect(onEnd).not.toHaveBeenCalled();
  cut();
  await until('end', () => onEnd.mock.calls.length === 1);
});

test('A socket about to be hijacked is not announced as keep-alive: no request is lost with it', async () => {
  const { url, hub } = await startNode({ topics: ['a'], hijack: true });
  const { headers, frames } = await ask(url);
  expect(headers.connection).toBe('close');
  await frames.nextEvent();
  hub.disconnect(() => true);
  await frames.end();
  expect(frames.error).toBeUndefined();
});

test('A response that has already begun is the app’s failure, and is reported to it', async () => {
  const hub = startHub();
  const onError = vi.fn();
  const handle = sse(hub, { topics: ['a'], onError });
  const { url } = await serve((req, res) => {
    res.flushHeaders();
    handle(req, res);
    res.end();
  });
  await (await ask(url)).frames.end();
  expect(onError).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ code: 'request/already-answered' }),
    expect.anything(),
  );
  expect(hub.stats().connected).toBe(0);
});

test('A request that never came over a socket, as `app.inject()` makes it, fails with the advice to listen', async () => {
  const app = fastify();
  await app.register(fastifySse(startHub()), { prefix: '/events' });
  for (const method of ['GET', 'POST'] as const) {
    const reply = await app.inject({ method, url: '/events?topic=a' });
    expect(reply.statusCode).toBe(500);
    expect(reply.json()).toMatchObject({
      code: 'request/no-socket',
      message: expect.stringContaining('test with a server that listens'),
    });
  }
  await app.close();
});

test('A request without any socket fails in the same way, also where the socket is to be taken over', async () => {
  const req = new http.IncomingMessage(null as never);
  req.method = 'GET';
  const handler = createNodeHandler(startHub(), { hijack: true });
  const refused = { code: 'request/no-socket' };
  await expect(handler({}, req, new http.ServerResponse(req))).rejects.toMatchObject(refused);
});
