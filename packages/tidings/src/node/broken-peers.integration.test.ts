import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { createGate, turn, until } from '../../test/http/deadline.ts';
import { startHub, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { type Running, certificate, listen, serve } from '../../test/http/server.ts';
import type { Hub, HubOptions } from '../index.ts';
import { type NodeHandlerOptions, sse } from './index.ts';

const unhandled = vi.fn();

beforeEach(() => {
  process.on('unhandledRejection', unhandled);
  process.on('uncaughtExceptionMonitor', unhandled);
});

afterEach(() => {
  process.off('unhandledRejection', unhandled);
  process.off('uncaughtExceptionMonitor', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

async function expectUnharmed(hub: Hub, url: string): Promise<void> {
  await until('no connections', () => hub.connections().length === 0);
  const { frames, cut } = await ask(`${url}/?topic=a`);
  await frames.nextEvent();
  const { cursor } = await hub.publish('a', 'still here');
  expect(await frames.nextEvent()).toMatchObject({ id: cursor, data: '"still here"' });
  cut();
  await until('no connections', () => hub.connections().length === 0);
}

/** A raw peer that has received its welcome. */
async function subscribe(
  port: number,
  options: { readonly allowHalfOpen?: boolean } = {},
): Promise<RawClient> {
  const peer = await RawClient.connect(port, options);
  peer.read().get('/?topic=a');
  await peer.frames.nextEvent();
  return peer;
}

const sockets = [
  ['', {}],
  [' on a hijacked socket', { hijack: true }],
] as const;

describe.each(sockets)('A peer%s that goes away', (_name, options) => {
  test('by resetting the connection is forgotten', async () => {
    const { hub, url, port } = await startNode(options);
    const peers = await Promise.all([subscribe(port), subscribe(port), subscribe(port)]);
    for (const peer of peers) peer.socket.resetAndDestroy();
    await hub.publish('a', 'into the void');
    await expectUnharmed(hub, url);
  });

  test('by resetting in the middle of a transfer is forgotten', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await subscribe(port);
    peer.stopReading();
    for (let i = 0; i < 50; i += 1) await hub.publish('a', 'x'.repeat(100_000));
    peer.socket.resetAndDestroy();
    await hub.publish('a', 'x'.repeat(100_000));
    await expectUnharmed(hub, url);
  });

  test('by closing only its own side is forgotten, because it won’t read on', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await subscribe(port, { allowHalfOpen: true });
    peer.socket.end();
    await peer.closed();
    await expectUnharmed(hub, url);
  });

  test('by closing its side while it takes nothing is forgotten after the stall time', async () => {
    const { hub, url, port } = await startNode(options, { stallTimeout: 1000 });
    const peer = await subscribe(port, { allowHalfOpen: true });
    peer.stopReading();
    for (let i = 0; i < 100; i += 1) await hub.publish('a', 'x'.repeat(100_000));
    await until('peer behind', () => hub.connections()[0]?.phase === 'behind');
    peer.socket.end();
    await expectUnharmed(hub, url);
  });

  test('right after its request leaves nothing behind', async () => {
    const { hub, url, port } = await startNode(options);
    for (let i = 0; i < 20; i += 1) {
      const peer = await RawClient.connect(port);
      peer.get('/?topic=a');
      if (i % 2 === 0) peer.socket.destroySoon();
      else peer.socket.resetAndDestroy();
    }
    await until('all asked', () => hub.stats().connected >= 10);
    await expectUnharmed(hub, url);
  });
});

describe.each(sockets)('A peer%s that speaks HTTP oddly', (_name, options) => {
  test('in version 1.0 gets a stream without chunks', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    peer.read().send('GET /?topic=a HTTP/1.0\r\n\r\n');
    const { type } = await peer.frames.nextEvent();
    expect(type).toBe('tidings:welcome');
    expect(peer.head).not.toMatch(/transfer-encoding/i);
    await hub.publish('a', 1);
    expect(await peer.frames.nextEvent()).toMatchObject({ data: '1' });
    hub.disconnect(() => true);
    expect(await peer.frames.nextEvent()).toMatchObject({ type: 'tidings:goodbye' });
    await peer.closed();
    await expectUnharmed(hub, url);
  });

  test('that sends no HTTP at all is answered 400', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    peer.read().send('\x16\x03\x01\x00\xa5\x01\x00\x00 hello? \r\n\r\n');
    await peer.closed();
    expect(peer.text).toMatch(/^HTTP\/1\.1 400 /);
    expect(hub.stats().connected).toBe(0);
    await expectUnharmed(hub, url);
  });

  test('that sends garbage into a stream loses the stream, and nobody else does', async () => {
    const { hub, url, port } = await startNode(options);
    const other = await subscribe(port);
    const peer = await subscribe(port);
    peer.send('\x00\xff garbage \r\n\r\n');
    await peer.closed();
    await until('one connection', () => hub.connections().length === 1);
    await hub.publish('a', 'on');
    expect(await other.frames.nextEvent()).toMatchObject({ data: '"on"' });
    other.socket.destroy();
    await expectUnharmed(hub, url);
  });

  test('that announces a body and never sends it still gets its stream', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    peer.read().get('/?topic=a', { 'content-length': '1000000' });
    await peer.frames.nextEvent();
    peer.send('a part of it');
    await hub.publish('a', 1);
    expect(await peer.frames.nextEvent()).toMatchObject({ data: '1' });
    peer.socket.destroy();
    await expectUnharmed(hub, url);
  });

  test.each([
    ['PUT', 405],
    ['POST', 413],
  ])('that sends an endless body with %s is answered %i and hung up on', async (method, status) => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    const head = 'Host: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked';
    peer.read().send(`${method} /?topic=a HTTP/1.1\r\n${head}\r\n\r\n`);
    const timer = setInterval(() => peer.send(`10000\r\n${'x'.repeat(0x10000)}\r\n`), 1);
    await peer.closed();
    clearInterval(timer);
    expect(peer.head).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(peer.head).toMatch(/^connection: close$/im);
    await expectUnharmed(hub, url);
  });

  test('that was refused before the end of a short body can send its next request on the same socket', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    const head = 'Host: x\r\nContent-Type: text/plain\r\nContent-Length: 1000';
    peer.read().send(`POST / HTTP/1.1\r\n${head}\r\n\r\n`);
    await until('refusal', () => peer.text.includes('request/unsupported-media-type'));
    peer.send('x'.repeat(1000)).get('/');
    await until('next answer', () => peer.text.includes('topic/missing'));
    peer.socket.destroy();
    await expectUnharmed(hub, url);
  });

  test('that speaks plain text to a TLS port is hung up on', async () => {
    const hub = startHub();
    const handle = sse(hub, options);
    const server = https.createServer(await certificate(), (req, res) => handle(req, res));
    const { url, port } = await listen(server, 'https');
    const peer = await RawClient.connect(port);
    await peer.read().get('/?topic=a').closed();
    expect(hub.stats().connected).toBe(0);
    await expectUnharmed(hub, url);
  });

  test('that sends more headers than a server takes is answered 431', async () => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    peer.read().get(`/?topic=${'a'.repeat(100_000)}`);
    await peer.closed();
    expect(peer.text).toMatch(/^HTTP\/1\.1 431 /);
    await expectUnharmed(hub, url);
  });
});

/** A hub, and at `/slow` a response that holds up streams behind it until `finish` is called. */
async function startBehind(
  options: NodeHandlerOptions<IncomingMessage> = {},
  hubOptions: HubOptions = {},
): Promise<Running & { readonly hub: Hub; finish: () => void }> {
  const hub = startHub(hubOptions);
  const events = sse(hub, options);
  const slow = createGate();
  const running = await serve((req, res) => {
    if (req.url === '/slow') void slow.passed.then(() => res.end('done'));
    else events(req, res);
  });
  return { ...running, hub, finish: slow.open };
}

describe('Requests sent one behind another', () => {
  test('are refused behind a stream, and answered when it is over', async () => {
    const { hub, port } = await startNode();
    const peer = await RawClient.connect(port);
    peer.read().get('/?topic=a').get('/?topic=b').get('/?topic=c');
    await peer.frames.nextEvent();
    hub.disconnect(() => true);
    await until('last answer', () => peer.text.split('limit/connections').length === 3);
    expect(peer.text.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 429', 'HTTP/1.1 429']);
    expect(peer.text).toContain('"per":"socket"');
    expect(hub.stats().connected).toBe(1);
  });

  test.each(sockets)('may have more headers than Node reads at once%s', async (_name, options) => {
    const { hub, url, port } = await startNode(options);
    const peer = await RawClient.connect(port);
    // In one piece: Node lets promises settle while it reads the second one's headers.
    const many = Array.from({ length: 40 }, (_, i) => `x-${i}: ${i}\r\n`);
    const first = 'GET /?topic=a HTTP/1.1\r\nHost: x\r\n\r\n';
    peer.read().send(`${first}GET /?topic=b HTTP/1.1\r\nHost: x\r\n${many.join('')}\r\n`);
    await peer.frames.nextEvent();
    hub.disconnect(() => true);
    await until('answer to the second', () => peer.text.includes('limit/connections'));
    await expectUnharmed(hub, url);
  });

  test('get a stream behind another answer once that is over, but only one', async () => {
    const { hub, port, finish } = await startBehind();
    const peer = await RawClient.connect(port);
    peer.read().get('/slow').get('/?topic=b').get('/?topic=c');
    await until('connection', () => hub.connections().length === 1);
    finish();
    await until('welcome', () => peer.text.includes('tidings:welcome'));
    await hub.publish('b', 'to the second');
    await until('event', () => peer.text.includes('to the second'));
    hub.disconnect(() => true);
    await until('last answer', () => peer.text.includes('limit/connections'));
    expect(hub.stats().connected).toBe(1);
  });

  test('end with the peer, even if their turn never came', async () => {
    const { hub, url, port } = await startBehind();
    const peer = await RawClient.connect(port);
    peer.read().get('/slow').get('/?topic=b');
    await until('connection', () => hub.connections().length === 1);
    peer.socket.destroy();
    await expectUnharmed(hub, url);
  });

  test('end with the peer while they are being authorized', async () => {
    const asked = createGate();
    const decided = createGate();
    const onConnect = vi.fn();
    const { hub, port, sockets } = await startBehind({
      authorize: async () => {
        asked.open();
        await decided.passed;
        return {};
      },
      onConnect: () => void onConnect(),
    });
    const peer = await RawClient.connect(port);
    peer.read().get('/slow').get('/?topic=b');
    await asked.passed;
    peer.socket.destroy();
    await until('closed socket', () => sockets.size === 0);
    decided.open();
    await turn();
    await until('no connections', () => hub.connections().length === 0);
    expect(onConnect).not.toHaveBeenCalled();
  });

  test('are dropped after the stall time, along with the socket, if too much is waiting for them', async () => {
    const { hub, url, port } = await startBehind({}, { stallTimeout: 1000 });
    const peer = await RawClient.connect(port);
    peer.read().get('/slow').get('/?topic=a');
    await until('live', () => hub.stats().live === 1);
    for (let i = 0; i < 50; i += 1) {
      await hub.publish('a', 'x'.repeat(10_000));
      await turn();
    }
    await peer.closed();
    expect(hub.stats()).toMatchObject({ stalled: 1 });
    expect(hub.stats().bytes).toBeLessThan(100_000);
    await expectUnharmed(hub, url);
  });

  test('may be many, and leave nothing behind', async () => {
    const warnings = vi.fn();
    process.on('warning', warnings);
    const { hub, url, port } = await startNode();
    const peer = await RawClient.connect(port);
    peer.read();
    for (let i = 0; i < 50; i += 1) peer.get('/?topic=a');
    await peer.frames.nextEvent();
    const other = await ask(`${url}/?topic=b`);
    await other.frames.nextEvent();
    expect(hub.stats().connected).toBe(2);
    other.cut();
    peer.socket.destroy();
    await expectUnharmed(hub, url);
    process.off('warning', warnings);
    expect(warnings).not.toHaveBeenCalled();
  });

  test('that arrive on a hijacked socket end the stream, because they could not be answered', async () => {
    const { hub, url, port } = await startNode({ hijack: true });
    const peer = await subscribe(port);
    peer.get('/?topic=b');
    await peer.closed();
    await expectUnharmed(hub, url);
  });

  test('keep a socket from being hijacked, and are answered in their turn', async () => {
    const { hub, port } = await startNode({ hijack: true });
    const peer = await RawClient.connect(port);
    peer.read().send('GET /?topic=a HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await peer.frames.nextEvent();
    await hub.publish('a', 1);
    expect(await peer.frames.nextEvent()).toMatchObject({ data: '1' });
    hub.disconnect(() => true);
    await until('last answer', () => peer.text.includes('limit/connections'));
  });
});
