import http2 from 'node:http2';
import { expect, test, vi } from 'vitest';
import { INSECURE } from '../../test/http/client.ts';
import { createGate, turn, until, within } from '../../test/http/deadline.ts';
import { Frames } from '../../test/http/frames.ts';
import { startHub } from '../../test/http/hub.ts';
import { certificate, listen } from '../../test/http/server.ts';
import { type NodeRequest, createNodeHandler, sse } from './index.ts';

async function startHttp2(handle: ReturnType<typeof sse>): Promise<http2.ClientHttp2Session> {
  const server = http2.createSecureServer(await certificate(), (req, res) => handle(req, res));
  const { url } = await listen(server, 'https');
  return http2.connect(url, INSECURE);
}

test('Hundreds of streams share a session, and each gets its own events', async () => {
  const hub = startHub();
  const session = await startHttp2(sse(hub));
  const streams = Array.from({ length: 300 }, (_, n) => {
    const frames = new Frames();
    session.request({ ':path': `/?topic=${n}&topic=all` }).on('data', (bytes: Buffer) => frames.feed(bytes));
    return frames;
  });
  await until('all live', () => hub.stats().live === 300);
  await hub.publish('7', 'to the seventh');
  await hub.publish('all', 'to all');
  await Promise.all(
    streams.map((frames) => frames.until('event', () => frames.events.at(-1)?.data === '"to all"')),
  );
  expect(streams.map((frames) => frames.events.length)).toEqual(streams.map((_, n) => (n === 7 ? 2 : 1)));
  session.close();
  await hub.close();
  await Promise.all(
    streams.map((frames) => frames.until('goodbye', () => frames.all.at(-1)?.type === 'tidings:goodbye')),
  );
});

test('A stream that is not read for a while gets many small events once and in order when it is', async () => {
  const hub = startHub();
  const session = await startHttp2(sse(hub));
  const frames = new Frames();
  const stream = session.request({ ':path': '/?topic=a' }).on('data', (bytes: Buffer) => frames.feed(bytes));
  await until('live', () => hub.stats().live === 1);
  stream.pause();
  // More than its window and the bytes that may wait.
  const numbers = Array.from({ length: 800 }, (_, n) => n);
  for (const n of numbers) {
    await hub.publish('a', `${n} ${'x'.repeat(500)}`, { raw: true });
    await turn();
  }
  await until('behind', () => hub.stats().behind === 1);
  stream.resume();
  await frames.until('all', () => frames.events.length === numbers.length);
  expect(frames.events.map(({ data }) => Number.parseInt(data ?? '', 10))).toEqual(numbers);
  await until('live again', () => hub.stats().live === 1);
  session.destroy();
});

test('Streams that are reset as fast as they are opened leave nothing behind', async () => {
  const hub = startHub();
  const handled = vi.fn();
  const handle = createNodeHandler<NodeRequest>(hub, {});
  const session = await startHttp2((req, res) => {
    handle(req, req, res).then(handled, handled);
  });
  let failed: Error | undefined;
  // Node ends a session that resets too many streams.
  session.on('error', (error) => (failed = error));
  for (let round = 0; round < 20 && !session.closed; round += 1) {
    const streams = Array.from({ length: 20 }, () => session.request({ ':path': '/?topic=a' }));
    const over = streams.map(
      (stream) => new Promise((resolve) => stream.on('error', () => {}).on('close', resolve)),
    );
    for (const [n, stream] of streams.entries()) {
      if (n % 2 === 0) stream.close(http2.constants.NGHTTP2_CANCEL);
      else stream.once('data', () => stream.close(http2.constants.NGHTTP2_CANCEL));
    }
    await within('end of the streams', Promise.all(over));
  }
  await until('no connections', () => hub.connections().length === 0);
  expect(handled).toHaveBeenCalled();
  if (failed === undefined) session.destroy();
});

test('A stream of an HTTP/2 session can be cancelled while it is being authorized, and the session lives on', async () => {
  const hub = startHub();
  const asked = createGate();
  const decided = createGate();
  const handled = createGate();
  const onConnect = vi.fn();
  const handle = createNodeHandler<NodeRequest>(hub, {
    authorize: async ({ url }) => {
      if (url === '/?topic=slow') {
        asked.open();
        await decided.passed;
      }
      return {};
    },
    onConnect: ({ topics }) => onConnect(...topics),
  });
  const server = http2.createSecureServer(await certificate(), (req, res) => {
    const done = handle(req, req, res);
    if (req.url === '/?topic=slow') done.then(handled.open, handled.fail);
  });
  const { url } = await listen(server, 'https');
  const session = http2.connect(url, INSECURE);
  const cancelled = session.request({ ':path': '/?topic=slow' });
  const reset = createGate<number | undefined>();
  server.once('stream', (stream) => stream.on('close', () => reset.open(stream.rstCode)));
  await asked.passed;
  cancelled.close(http2.constants.NGHTTP2_CANCEL);
  expect(await within('reset', reset.passed)).toBe(http2.constants.NGHTTP2_CANCEL);
  decided.open();
  await handled.passed;
  const other = session.request({ ':path': '/?topic=other' });
  await within('first bytes', new Promise((resolve) => other.once('data', resolve)));
  expect(hub.connections()).toMatchObject([{ topics: ['other'] }]);
  expect(onConnect.mock.calls).toEqual([['other']]);
  session.destroy();
  await until('no connections', () => hub.connections().length === 0);
});

test('A session without a stream is let go when the hub is closed, and does not hold up the server', async () => {
  const hub = startHub();
  const server = http2.createSecureServer(await certificate(), sse(hub));
  const { url, sockets } = await listen(server, 'https');
  const session = http2.connect(url, INSECURE);
  const stream = session.request({ ':path': '/?topic=a' });
  await within('first bytes', new Promise((resolve) => stream.once('data', resolve)));
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until('no connections', () => hub.connections().length === 0);
  expect(sockets.size).toBe(1);
  await hub.close();
  await within('end of the server', new Promise((resolve) => server.close(resolve)));
  expect(session.closed).toBe(true);
});

test('What the app is still answering over a session is not cut off when the hub is closed', async () => {
  const hub = startHub();
  const handle = sse(hub);
  const asked = createGate<() => void>();
  const server = http2.createSecureServer(await certificate(), (req, res) => {
    if (req.url === '/slow') asked.open(() => res.end('whole'));
    else handle(req, res);
  });
  const { url } = await listen(server, 'https');
  const session = http2.connect(url, INSECURE);
  const stream = session.request({ ':path': '/?topic=a' });
  await within('first bytes', new Promise((resolve) => stream.once('data', resolve)));
  const slow = session.request({ ':path': '/slow' });
  const answer = new Promise<string>((resolve, reject) => {
    let text = '';
    slow
      .on('data', (bytes: Buffer) => (text += bytes.toString()))
      .on('end', () => resolve(text))
      .on('error', reject);
  });
  const finish = await within('request', asked.passed);
  await hub.close();
  finish();
  expect(await within('answer', answer)).toBe('whole');
  await within('end of the server', new Promise((resolve) => server.close(resolve)));
});
