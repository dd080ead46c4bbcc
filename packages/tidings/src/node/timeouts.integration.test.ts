import http from 'node:http';
import http2 from 'node:http2';
import { expect, test, vi } from 'vitest';
import { ask, askHttp2 } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import type { Frame, Frames } from '../../test/http/frames.ts';
import { startHub } from '../../test/http/hub.ts';
import { certificate, listen } from '../../test/http/server.ts';
import { sse } from './index.ts';

/** Longer than the timeouts of the servers below. */
const HEARTBEAT = 3000;

async function beats(frames: Frames, count: number): Promise<readonly Frame[]> {
  await frames.nextEvent();
  const all = [];
  for (let i = 0; i < count; i += 1) all.push(await frames.next());
  return all;
}

test("A server's socket timeout is for requests; a stream outlives it", async () => {
  const handle = sse(startHub({ heartbeat: HEARTBEAT }));
  const server = http.createServer((req, res) => handle(req, res)).setTimeout(2000);
  const { url } = await listen(server);
  const { frames } = await ask(`${url}/?topic=a`);
  expect(await beats(frames, 2)).toHaveLength(2);
});

test('A session timeout of HTTP/2 is for idle sessions; a stream outlives it', async () => {
  const handle = sse(startHub({ heartbeat: HEARTBEAT }));
  const server = http2
    .createSecureServer(await certificate(), (req, res) => handle(req, res))
    .setTimeout(2000);
  const { url } = await listen(server, 'https');
  const { frames } = await askHttp2(`${url}/?topic=a`);
  expect(await beats(frames, 2)).toHaveLength(2);
});

test('A stream outlives the time within which a request has to arrive', async () => {
  const handle = sse(startHub({ heartbeat: HEARTBEAT }));
  const limits = {
    requestTimeout: 2000,
    headersTimeout: 2000,
    keepAliveTimeout: 2000,
    connectionsCheckingInterval: 20,
  };
  const { url } = await listen(http.createServer(limits, (req, res) => handle(req, res)));
  const { frames } = await ask(`${url}/?topic=a`);
  expect(await beats(frames, 2)).toHaveLength(2);
});

test('A timeout that the app sets on a stream fires only if nothing is written to it', async () => {
  const hub = startHub({ heartbeat: 100 });
  const handle = sse(hub);
  const { url, sockets } = await listen(http.createServer((req, res) => handle(req, res)));
  const { frames } = await ask(`${url}/?topic=a`);
  await frames.nextEvent();
  const start = performance.now();
  for (const socket of sockets) socket.setTimeout(4000);
  while (performance.now() < start + 4500) await frames.next();
  expect(hub.connections()).toHaveLength(1);
});

test('A timeout that the app sets on a stream of HTTP/2, or its session, begins anew with each write', async () => {
  const hub = startHub();
  const handle = sse(hub);
  const timed: { setTimeout(milliseconds: number): unknown }[] = [];
  const server = http2.createSecureServer(await certificate(), (req, res) => {
    if (req.stream.session !== undefined) timed.push(req.stream, req.stream.session);
    handle(req, res);
  });
  const { url } = await listen(server, 'https');
  const { frames } = await askHttp2(`${url}/?topic=a`);
  await frames.nextEvent();
  const restarts = timed.map((each) => {
    each.setTimeout(60_000);
    return vi.spyOn(each, 'setTimeout');
  });
  expect(restarts).toHaveLength(2);
  // Found within a second, they start anew, since something may have been written meanwhile; then with each write.
  await until('both found', () => restarts.every(({ mock }) => mock.calls.length > 0));
  for (const restart of restarts) restart.mockClear();
  await hub.publish('a', 1);
  await frames.nextEvent();
  for (const restart of restarts) expect(restart).toHaveBeenCalledWith(60_000);
});
