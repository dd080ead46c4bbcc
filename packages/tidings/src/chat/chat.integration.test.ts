import { once } from 'node:events';
import { type Server, createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import express from 'express';
import { afterEach, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { type HandSource, handSource } from '../../test/ai-source.ts';
import { createHub } from '../../test/internals.ts';
import { createRuns, uiMessages } from '../ai/index.ts';
import { createChatTransport } from './index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: DEADLINE, interval: 10 });

interface Message {
  readonly id: string;
}

interface App {
  readonly api: string;
  readonly source: HandSource;
  readonly requests: string[];
  readonly produced: () => number;
  cut(): void;
}

async function start(): Promise<App> {
  const hub = createHub();
  const runs = createRuns(hub, { authorize: () => true, mergeWindow: 0, onError: () => {} });
  const source = handSource();
  const requests: string[] = [];
  let produced = 0;
  const app = express();
  app.use((req, _res, next) => {
    requests.push(`${req.method} ${req.path} ${req.get('last-event-id') ?? ''}`.trim());
    next();
  });
  app.post('/chat', express.json(), (req, res, next) => {
    const { id: chat, run } = req.body as { id: string; run: string };
    runs
      .start({ chat, id: run }, () => {
        produced += 1;
        return source;
      })
      .then((run) => run.pipe(req, res, uiMessages))
      .catch(next);
  });
  app.get('/chat/:chat/stream', runs.follow(uiMessages));
  app.post('/chat/:chat/stop', runs.stop());
  const server: Server = createServer(app).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  closers.push(async () => {
    await runs.close({ within: 0 });
    await hub.close({ within: 0 });
    server.closeAllConnections();
    server.close();
  });
  return {
    api: `http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`,
    source,
    requests,
    produced: () => produced,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Reads a stream in the background. */
function read(stream: ReadableStream<unknown> | null): { readonly chunks: unknown[]; end: unknown } {
  const seen = { chunks: [] as unknown[], end: undefined as unknown };
  void (async () => {
    const reader = (stream as ReadableStream<unknown>).getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        seen.chunks.push(value);
      }
      seen.end = 'done';
    } catch (error) {
      seen.end = error;
    }
  })();
  return seen;
}

function send(api: string, abortSignal?: AbortSignal): Promise<ReadableStream<unknown>> {
  return createChatTransport<Message>({ api }).sendMessages({
    trigger: 'submit-message',
    chatId: 'c',
    messageId: undefined,
    messages: [{ id: 'u1' }],
    abortSignal,
  });
}

test('an answer that is cut off again and again arrives whole, each chunk once', async () => {
  const app = await start();
  const seen = read(await send(app.api));
  for (let i = 0; i < 20; i += 1) {
    app.source.push({ type: 'data-n', data: i });
    if (i % 3 === 0) app.cut();
    if (i % 2 === 0) await until(() => expect(seen.chunks.length).toBeGreaterThan(i));
  }
  app.source.finish();
  await until(() => expect(seen.end).toBe('done'));
  const numbers = seen.chunks.flatMap((chunk) =>
    (chunk as { type: string }).type === 'data-n' ? [(chunk as { data: number }).data] : [],
  );
  expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i));
  expect(app.produced()).toBe(1);
  expect(app.requests.filter((line) => line.startsWith('GET')).length).toBeGreaterThan(3);
});

test('an answer that is cut off before its first chunk is asked for by the same name, and produced once', async () => {
  const app = await start();
  const seen = read(await send(app.api));
  app.cut();
  await until(() => expect(app.requests.length).toBeGreaterThan(1));
  app.source.push({ type: 'data-n', data: 1 });
  app.source.finish();
  await until(() => expect(seen.end).toBe('done'));
  expect(app.requests).toEqual(['POST /chat', 'POST /chat']);
  expect(app.produced()).toBe(1);
});

test('aborting stops the model', async () => {
  const app = await start();
  const controller = new AbortController();
  const seen = read(await send(app.api, controller.signal));
  app.source.push({ type: 'data-n', data: 1 });
  await until(() => expect(seen.chunks.length).toBeGreaterThan(1));
  controller.abort();
  await until(() => expect(app.source.isLeft).toBe(true));
  await until(() => expect(seen.end).toBe('done'));
});

test('aborting stops the model also before the server has answered', async () => {
  const app = await start();
  const controller = new AbortController();
  const fetch: typeof globalThis.fetch = async (...args) => {
    const response = await globalThis.fetch(...args);
    // A slow network: the server has the question, and the page has nothing yet.
    if ((args[0] as string) === app.api)
      await new Promise((_, reject) => {
        args[1]?.signal?.addEventListener('abort', () => reject(new DOMException('Aborted.', 'AbortError')));
      });
    return response;
  };
  const sending = createChatTransport<Message>({ api: app.api, fetch }).sendMessages({
    trigger: 'submit-message',
    chatId: 'c',
    messageId: undefined,
    messages: [{ id: 'u1' }],
    abortSignal: controller.signal,
  });
  sending.catch(() => {});
  await until(() => expect(app.produced()).toBe(1));
  controller.abort();
  await expect(sending).rejects.toMatchObject({ name: 'AbortError' });
  await until(() => expect(app.source.isLeft).toBe(true));
});

test('works on pages without a secure context, which have no crypto.randomUUID', async () => {
  const app = await start();
  // The server in this process needs it.
  const { randomUUID } = crypto;
  const bodies: { run: string }[] = [];
  const fetch: typeof globalThis.fetch = (...args) => {
    Object.defineProperty(crypto, 'randomUUID', { value: randomUUID, configurable: true, writable: true });
    bodies.push(JSON.parse(args[1]?.body as string) as { run: string });
    return globalThis.fetch(...args);
  };
  const transport = createChatTransport<Message>({ api: app.api, fetch });
  Object.defineProperty(crypto, 'randomUUID', { value: undefined, configurable: true, writable: true });
  closers.push(() =>
    Object.defineProperty(crypto, 'randomUUID', { value: randomUUID, configurable: true, writable: true }),
  );
  await transport.sendMessages({
    trigger: 'submit-message',
    chatId: 'c',
    messageId: undefined,
    messages: [{ id: 'u1' }],
    abortSignal: undefined,
  });
  expect(bodies[0]?.run).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('leaving a chat closes its streams and stops nothing; the page can come back', async () => {
  const app = await start();
  const transport = createChatTransport<Message>({ api: app.api });
  const stream = await transport.sendMessages({
    trigger: 'submit-message',
    chatId: 'c',
    messageId: undefined,
    messages: [{ id: 'u1' }],
    abortSignal: undefined,
  });
  const sent = read(stream);
  const resumed = read(await transport.reconnectToStream({ chatId: 'c' }));
  app.source.push({ type: 'data-n', data: 1 });
  await until(() => expect([sent.chunks.length, resumed.chunks.length]).toEqual([2, 2]));
  transport.leave('c');
  await until(() => expect([sent.end, resumed.end]).toEqual(['done', 'done']));
  const again = read(await transport.reconnectToStream({ chatId: 'c' }));
  app.source.push({ type: 'data-n', data: 2 });
  app.source.finish();
  await until(() => expect(again.end).toBe('done'));
  expect(again.chunks.filter((chunk) => (chunk as { type: string }).type === 'data-n')).toHaveLength(2);
  expect(app.requests.filter((line) => line.includes('stop'))).toEqual([]);
});

test('a resumed stream that is aborted stops the model too, but not if it was resumed anew meanwhile', async () => {
  const app = await start();
  await send(app.api);
  app.source.push({ type: 'data-n', data: 1 });
  const transport = createChatTransport<Message>({ api: app.api });
  const first = new AbortController();
  const second = new AbortController();
  read(await transport.reconnectToStream({ chatId: 'c', abortSignal: first.signal }));
  first.abort();
  const again = read(await transport.reconnectToStream({ chatId: 'c', abortSignal: second.signal }));
  await until(() => expect(again.chunks.length).toBeGreaterThan(1));
  app.source.push({ type: 'data-n', data: 2 });
  await until(() => expect(again.chunks.at(-1)).toEqual({ type: 'data-n', data: 2 }));
  expect(app.requests.some((line) => line.includes('/stop'))).toBe(false);
  second.abort();
  await until(() => expect(app.source.isLeft).toBe(true));
});

test('there is nothing to resume: null; an answer that went is an error', async () => {
  const app = await start();
  const transport = createChatTransport<Message>({ api: app.api });
  expect(await transport.reconnectToStream({ chatId: 'c' })).toBeNull();
  const lost = createChatTransport<Message>({
    api: app.api,
    fetch: (...args) =>
      (args[0] as string).endsWith('/stream')
        ? Promise.resolve(new Response(null, { status: 204 }))
        : fetch(...args),
  });
  const seen = read(
    await lost.sendMessages({
      trigger: 'submit-message',
      chatId: 'c',
      messageId: undefined,
      messages: [{ id: 'u' }],
      abortSignal: undefined,
    }),
  );
  app.source.push({ type: 'data-n', data: 1 });
  await until(() => expect(seen.chunks.length).toBeGreaterThan(0));
  app.cut();
  await until(() =>
    expect(seen.end).toMatchObject({ code: 'client/http-status', message: 'The answer is no longer there.' }),
  );
});

test('a stream that is silent for too long is opened again', async () => {
  const app = await start();
  const transport = createChatTransport<Message>({ api: app.api, silence: 500 });
  const seen = read(
    await transport.sendMessages({
      trigger: 'submit-message',
      chatId: 'c',
      messageId: undefined,
      messages: [{ id: 'u' }],
      abortSignal: undefined,
    }),
  );
  app.source.push({ type: 'data-n', data: 1 });
  await until(() => expect(app.requests.filter((line) => line.startsWith('GET')).length).toBeGreaterThan(1));
  app.source.finish();
  await until(() => expect(seen.end).toBe('done'));
  expect(seen.chunks.filter((chunk) => (chunk as { type: string }).type === 'data-n')).toHaveLength(1);
});

test('unknown options are refused', () => {
  expect(() => createChatTransport({ apii: '/x' } as never)).toThrow(/Did you mean `api`/);
});
