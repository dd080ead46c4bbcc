import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { turn, until, within } from '../../test/http/deadline.ts';
import { startHub } from '../../test/http/hub.ts';
import { serve } from '../../test/http/server.ts';
import { type Handle, handleOf, writeToHandle } from './handle.ts';
import { sse } from './index.ts';

/** The server's side of a connection, its handle, and the port for the peer. */
async function accept(connect: (port: number) => void): Promise<{ socket: Socket; handle: Handle }> {
  const server = net.createServer();
  onTestFinished(() => void server.close());
  await within('listening server', new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  connect((server.address() as AddressInfo).port);
  const socket = await within('connection', accepted);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  const handle = handleOf(socket);
  if (handle === undefined) throw new Error('A socket of TCP has no handle that can be written to.');
  return { socket, handle };
}

function connectPeer() {
  let peer = new net.Socket();
  onTestFinished(() => void peer.destroy());
  const accepted = accept((port) => {
    peer = net.connect(port, '127.0.0.1').pause();
    peer.on('error', () => undefined);
  });
  return accepted.then((server) => ({ ...server, peer }));
}

/** Writes until the kernel takes no more. @returns how many bytes. */
function fill(handle: Handle, written: (failed: boolean) => void): number {
  const chunk = Buffer.alloc(65_536);
  for (let bytes = chunk.length; ; bytes += chunk.length) {
    const result = writeToHandle(handle, chunk, { written });
    if (result === 'pending') return bytes;
    expect(result).toBe('sent');
  }
}

describe('Bytes written to a handle', () => {
  test('are sent, after bytes written to its socket before', async () => {
    const { socket, handle, peer } = await connectPeer();
    socket.write('one, ');
    expect(writeToHandle(handle, Buffer.from('two, '), { written: vi.fn() })).toBe('sent');
    socket.write('three');
    let text = '';
    peer
      .setEncoding('utf8')
      .on('data', (part: string) => (text += part))
      .resume();
    await until('all', () => text === 'one, two, three');
  });

  test('are pending while the peer does not read, then sent, before bytes written to the socket later', async () => {
    const { socket, handle, peer } = await connectPeer();
    const written = vi.fn();
    const bytes = fill(handle, written);
    socket.write('end');
    await turn();
    expect(written).not.toHaveBeenCalled();
    let received = 0;
    let last = '';
    peer.on('data', (part: Buffer) => {
      received += part.length;
      last = (last + part.toString('latin1')).slice(-4);
    });
    peer.resume();
    await until('all', () => received === bytes + 3);
    expect(last).toBe('\0end');
    expect(written.mock.calls).toEqual([[false]]);
  });

  test('fail if the peer goes while they are pending', async () => {
    const { handle, peer } = await connectPeer();
    const written = vi.fn();
    fill(handle, written);
    peer.resetAndDestroy();
    await until('word of it', () => written.mock.calls.length > 0);
    expect(written.mock.calls).toEqual([[true]]);
  });

  test('fail once the socket is destroyed', async () => {
    const { socket, handle } = await connectPeer();
    socket.destroy();
    expect(writeToHandle(handle, Buffer.from('late'), { written: vi.fn() })).toBe('failed');
    await turn();
    expect(writeToHandle(handle, Buffer.from('later'), { written: vi.fn() })).toBe('failed');
  });

  test('fail once the socket is destroyed, even behind pending ones', async () => {
    const { socket, handle } = await connectPeer();
    fill(handle, vi.fn());
    socket.destroy();
    expect(writeToHandle(handle, Buffer.from('late'), { written: vi.fn() })).toBe('failed');
    await turn();
    expect(writeToHandle(handle, Buffer.from('later'), { written: vi.fn() })).toBe('failed');
  });

  // Bytes that the kernel refuses it may accept a moment later, when Node retries before it returns.
  test('arrive complete and in order at peers that stop reading for a while, and at peers that read meanwhile', async () => {
    const peer = startPeers();
    const servers = await Promise.all(Array.from({ length: 20 }, () => accept((port) => peer.connect(port))));
    const digests = servers.map(({ socket, handle }) => {
      const sent = createHash('sha256');
      let left = 800;
      const writeOn = (): void => {
        while (left > 0) {
          const chunk = Buffer.alloc(40_000 + (left % 7) * 5000, left % 256);
          left -= 1;
          sent.update(chunk);
          const result = writeToHandle(handle, chunk, { written: writeOn });
          if (result === 'pending') return;
          expect(result).toBe('sent');
        }
        socket.end();
      };
      writeOn();
      return () => sent.digest('hex');
    });
    peer.read();
    const received = await within('end', peer.digests(servers.length));
    expect(received.toSorted()).toEqual(digests.map((digest) => digest()).toSorted());
  });
});

/** In another thread: they read while this one writes. */
function startPeers() {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads');
     const sockets = [];
     parentPort.on('message', (port) => {
       if (port === 'read') return sockets.forEach((socket) => socket.resume());
       const hash = require('node:crypto').createHash('sha256');
       sockets.push(require('node:net').connect(port, '127.0.0.1').pause()
         .on('data', (part) => hash.update(part))
         .on('end', () => parentPort.postMessage(hash.digest('hex'))));
     });`,
    { eval: true },
  );
  onTestFinished(() => void worker.terminate());
  const received: string[] = [];
  return {
    connect: (port: number) => worker.postMessage(port),
    read: () => worker.postMessage('read'),
    digests: (count: number) =>
      new Promise<readonly string[]>((resolve, reject) => {
        worker.once('error', reject).on('message', (digest: string) => {
          if (received.push(digest) === count) resolve(received);
        });
      }),
  };
}

test('A socket whose `write` is wrapped gets its bytes through the wrapper', async () => {
  const hub = startHub();
  const handle = sse(hub);
  const wrapped: string[] = [];
  const { url } = await serve((req, res) => {
    const { socket } = req;
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
    Object.assign(socket, {
      write: (...args: unknown[]) => {
        wrapped.push(String(args[0]));
        return write(...args);
      },
    });
    handle(req, res);
  });
  const { frames } = await ask(`${url}/?topic=a`);
  await frames.nextEvent();
  await hub.publish('a', 'seen');
  await frames.nextEvent();
  expect(wrapped.join('')).toContain('data: "seen"');
});

test.each([false, true])('A Unix socket serves streams as TCP does (hijack: %s)', async (hijack) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidings-socket-'));
  const socketPath = join(folder, 'http.sock');
  const hub = startHub();
  const handle = sse(hub, { hijack });
  const server = http.createServer((req, res) => handle(req, res)).listen(socketPath);
  onTestFinished(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });
  await within('listening server', new Promise((resolve) => server.once('listening', resolve)));
  let text = '';
  const ended = new Promise<void>((resolve) => {
    http.get({ socketPath, path: '/?topic=a' }, (res) => {
      res.setEncoding('utf8').on('data', (part: string) => (text += part));
      res.on('end', resolve);
    });
  });
  await until('welcome', () => text.includes('tidings:welcome'));
  await hub.publish('a', 'over a file');
  await until('event', () => text.includes('data: "over a file"'));
  hub.disconnect(() => true);
  await within('end', ended);
  expect(text).toContain('tidings:goodbye');
  await until('no connections', () => hub.connections().length === 0);
});
