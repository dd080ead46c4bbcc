import http2 from 'node:http2';
import express from 'express';
import { describe, expect, test, vi } from 'vitest';
import { type AskOptions, type Reply, INSECURE, ask } from '../../test/http/client.ts';
import { createGate, turn, until, within } from '../../test/http/deadline.ts';
import { expectProblem, startHub, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { certificate, listen, serve } from '../../test/http/server.ts';
import type { Hub } from '../index.ts';
import { sse as fetchSse } from '../fetch/index.ts';
import { sse as expressSse } from '../node/express.ts';
import { sse } from '../node/index.ts';

interface Credentials {
  readonly connection: string;
  readonly secret: string;
}

async function subscribe(url: string, options?: AskOptions): Promise<Reply & { who: Credentials }> {
  const reply = await ask(url, options);
  const { connection, secret } = JSON.parse((await reply.frames.nextEvent()).data) as Credentials;
  return { ...reply, who: { connection, secret } };
}

function topicsOf(hub: Hub): readonly unknown[] {
  return hub.connections()[0]?.topics ?? [];
}

describe('Changes of one connection', () => {
  test('that arrive at the same time are all made', async () => {
    const gates = [createGate(), createGate()];
    const { hub, url } = await startNode({
      authorize: async ({ headers }) => {
        await gates[Number(headers['x-gate'])]?.passed;
        return {};
      },
    });
    const { who } = await subscribe(`${url}/?topic=a`);
    const post = (gate: number, change: object) =>
      ask(url, { method: 'POST', headers: { 'x-gate': String(gate) }, json: { ...who, ...change } });
    const replies = [post(0, { add: ['b'] }), post(1, { add: ['c'], drop: ['a'] })];
    await turn();
    gates[1]?.open();
    expect((await replies[1])?.status).toBe(200);
    expect(topicsOf(hub)).toEqual(['c']);
    gates[0]?.open();
    const last = await replies[0];
    expect(last?.status).toBe(200);
    expect(topicsOf(hub)).toEqual(['c', 'b']);
    expect(await last?.json()).toMatchObject({ topics: expect.arrayContaining(['b', 'c']) });
  });

  test('have to go to the handler that opened it: no other one checked its topics and its expiry', async () => {
    const hub = startHub();
    const strict = sse(hub, { authorize: () => ({ topics: ['a'], expiresAt: Date.now() + 60_000 }) });
    const open = sse(hub);
    const { url } = await serve((req, res) => (req.url?.startsWith('/open') ? open : strict)(req, res));
    const { who } = await subscribe(`${url}/strict?topic=a`);
    const renewed = await ask(`${url}/open`, { method: 'POST', json: { ...who, add: ['b'] } });
    await expectProblem(renewed, 404, 'connection/unknown');
    expect(topicsOf(hub)).toEqual(['a']);
    expect((await ask(`${url}/strict`, { method: 'POST', json: who })).status).toBe(200);
  });

  test('are limited to the topics that one connection may have', async () => {
    const { hub, url } = await startNode({}, { limits: { topicsPerConnection: 3 } });
    const { who } = await subscribe(`${url}/?topic=a&topic=b`);
    const reply = await ask(url, { method: 'POST', json: { ...who, add: ['c', 'd'] } });
    await expectProblem(reply, 400, 'limit/topics');
    expect(topicsOf(hub)).toEqual(['a', 'b']);
    expect((await ask(url, { method: 'POST', json: { ...who, add: ['a', 'b', 'c'] } })).status).toBe(200);
  });

  test('are refused once it has ended, also if that happens while authorize is asked', async () => {
    const { hub, url } = await startNode({
      authorize: ({ method }) => {
        if (method === 'POST') hub.disconnect(() => true);
        return {};
      },
    });
    const { who } = await subscribe(`${url}/?topic=a`);
    const json = { ...who, add: ['b'] };
    await expectProblem(await ask(url, { method: 'POST', json }), 404, 'connection/unknown');
    await until('no connections', () => hub.connections().length === 0);
    await expectProblem(await ask(url, { method: 'POST', json }), 404, 'connection/unknown');
    expect(hub.stats()).toMatchObject({ topics: 0, live: 0 });
  });

  test('can take back its right to private events', async () => {
    let topics = ['user/ann', 'news'];
    const { hub, url } = await startNode({ authorize: () => ({ topics }) });
    const { who, frames } = await subscribe(`${url}/?topic=user/ann&topic=news`);
    await hub.publish('user/ann', 'before', { private: true });
    expect((await frames.nextEvent()).data).toBe('"before"');
    topics = ['news'];
    expect((await ask(url, { method: 'POST', json: who })).status).toBe(403);
    expect((await ask(url, { method: 'POST', json: { ...who, drop: ['user/ann'] } })).status).toBe(200);
    await hub.publish(['user/ann', 'other'], 'after', { private: true });
    await hub.publish('news', 'end');
    expect((await frames.nextEvent()).type).toBe('tidings:subscribed');
    expect((await frames.nextEvent()).data).toBe('"end"');
  });
});

describe('The body of a change', () => {
  test.each([
    ['nothing', ''],
    ['an array', '[]'],
    ['a number', '7'],
    ['deeply nested', `${'['.repeat(100_000)}${']'.repeat(100_000)}`],
    ['topics that are lists', '{"connection":"x","secret":"y","add":[["a"]]}'],
    ['topics that are null', '{"connection":"x","secret":"y","drop":[null]}'],
    ['a secret that is an object', '{"connection":"x","secret":{}}'],
    ['a polluted prototype', '{"__proto__":{"connection":"x","secret":"y"}}'],
  ])('is refused as %s', async (_what, body) => {
    const { port } = await startNode();
    const peer = await RawClient.connect(port);
    peer
      .read()
      .send(
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    await until('answer', () => peer.text.includes('request/invalid-body'));
    expect(peer.head).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('may have been read by middleware', async () => {
    const hub = startHub();
    const { url } = await serve(express().use(express.json()).use(expressSse(hub)));
    const { who } = await subscribe(`${url}/?topic=a`);
    expect((await ask(url, { method: 'POST', json: { ...who, add: ['b'] } })).status).toBe(200);
    expect(topicsOf(hub)).toEqual(['a', 'b']);
  });

  test('that something has read and thrown away is the app’s failure, and no bad JSON', async () => {
    const handle = sse(startHub());
    const { url } = await serve((req, res) => {
      req.resume().on('end', () => handle(req, res));
    });
    await expectProblem(await ask(url, { method: 'POST', json: {} }), 500, 'request/body-already-read');
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' };
    const request = new Request(url, init);
    await request.text();
    const response = await fetchSse(startHub())(request);
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ code: 'request/body-already-read' });
  });

  test('that middleware has parsed as something else is refused, not waited for', async () => {
    const { url } = await serve(
      express()
        .use(express.text({ type: '*/*' }))
        .use(expressSse(startHub())),
    );
    await expectProblem(await ask(url, { method: 'POST', json: {} }), 400, 'request/invalid-body');
  });

  test('that breaks off is not a failure of the app', async () => {
    const onError = vi.fn();
    const { hub, port, sockets } = await startNode({ onError });
    const peer = await RawClient.connect(port);
    peer.send(
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"connection":',
    );
    await until('request', () => sockets.size === 1);
    await turn();
    peer.socket.resetAndDestroy();
    await until('closed socket', () => sockets.size === 0);
    await turn();
    expect(onError).not.toHaveBeenCalled();
    expect(hub.connections()).toEqual([]);
  });

  test('without end over HTTP/2 is answered 413, and the stream is over', async () => {
    const handle = sse(startHub());
    const closed = createGate();
    const server = http2.createSecureServer(await certificate(), (req, res) => handle(req, res));
    server.on('stream', (stream) => stream.on('close', () => closed.open()));
    const { url } = await listen(server, 'https');
    const session = http2.connect(url, INSECURE);
    const stream = session.request({
      ':method': 'POST',
      ':path': '/',
      'content-type': 'application/json',
    });
    stream.on('error', () => {});
    const send = (): void => void (stream.writable && stream.write('x'.repeat(16_384), send));
    send();
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
    expect(await within('answer', status)).toBe(413);
    await within('end of the stream', closed.passed);
    session.destroy();
  });

  test.each([
    ['too large', 'x'.repeat(300_000), 'application/json', 413],
    ['not read at all', 'x'.repeat(30_000), 'text/plain', 415],
  ])('that is %s leaves no stream behind over HTTP/2', async (_what, body, type, expected) => {
    const handle = sse(startHub());
    const closed = createGate();
    const server = http2.createSecureServer(await certificate(), (req, res) => handle(req, res));
    server.on('stream', (stream) => stream.on('close', () => closed.open()));
    const { url, sockets } = await listen(server, 'https');
    const session = http2.connect(url, INSECURE);
    const stream = session.request({ ':method': 'POST', ':path': '/', 'content-type': type });
    stream.on('error', () => {});
    stream.end(body);
    const status = new Promise((resolve) => stream.on('response', (headers) => resolve(headers[':status'])));
    expect(await within('answer', status)).toBe(expected);
    await within('end of the stream at the server', closed.passed);
    session.destroy();
    await until('closed socket', () => sockets.size === 0);
  });
});
