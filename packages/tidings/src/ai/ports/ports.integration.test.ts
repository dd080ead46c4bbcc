// The ports with the packages that they are for: `assistant-stream` and `@tanstack/ai`.
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { serve } from '@hono/node-server';
import {
  type StreamChunk,
  type StreamDurability,
  resumeServerSentEventsResponse,
  toServerSentEventsResponse,
} from '@tanstack/ai';
import { ChatClient, fetchServerSentEvents } from '@tanstack/ai-client';
import {
  type ResumableStreamStore,
  createResumableAssistantStreamResponse,
  createResumableStreamContext,
  createResumeAssistantStreamResponse,
} from 'assistant-stream/resumable';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { DEADLINE } from '../../../../../scripts/deadline.ts';
import { createHub, type EventLog } from '../../../test/internals.ts';
import { lmdbLog } from '../../logs/lmdb/index.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { type PortOptions, assistantUiStore, tanstackDurability } from '../index.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
const until = <T>(check: () => T | Promise<T>): Promise<T> =>
  vi.waitFor(check, { timeout: DEADLINE, interval: 10 });

type Hub = ReturnType<typeof createHub>;

function startHub(log: EventLog = memoryLog()): Hub {
  const hub = createHub({ log, onError: () => {} });
  closers.push(() => hub.close({ within: 0 }));
  return hub;
}

async function lmdb(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'ports-'));
  closers.push(() => rm(path, { recursive: true, force: true }));
  return path;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const never = (): AbortSignal => new AbortController().signal;

async function textOf(stream: ReadableStream<Uint8Array> | null): Promise<string> {
  return stream === null ? 'null' : new Response(stream).text();
}

/** A stream that a test feeds. */
function fed(): {
  readonly stream: ReadableStream<Uint8Array>;
  push(text: string): void;
  close(): void;
} {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stream = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
  return {
    stream,
    push: (text) => controller?.enqueue(bytes(text)),
    close: () => controller?.close(),
  };
}

describe('the store for assistant-ui', () => {
  const open = (hub: Hub, options?: PortOptions): ResumableStreamStore => assistantUiStore(hub, options);

  test('one of several servers produces a stream, and all read it, whenever they come', async () => {
    const hub = startHub();
    const contexts = [0, 1].map(() => createResumableStreamContext({ store: open(hub) }));
    const source = fed();
    let made = 0;
    const make = (): ReadableStream<Uint8Array> => {
      made += 1;
      return source.stream;
    };
    const streams = await Promise.all(contexts.map((context) => context.run('s1', make)));
    source.push('The tide ');
    const late = await contexts[1]?.resume('s1');
    source.push('comes in \u{1f30a}.');
    await until(async () => expect(await contexts[0]?.status('s1')).toBe('streaming'));
    source.close();
    const texts = await Promise.all([...streams, late ?? null].map(textOf));
    expect(texts).toEqual(Array(3).fill('The tide comes in \u{1f30a}.'));
    expect(made).toBe(1);
    expect(await contexts[1]?.status('s1')).toBe('done');
    expect(await textOf((await contexts[1]?.resume('s1')) ?? null)).toBe('The tide comes in \u{1f30a}.');
    expect(await contexts[0]?.resume('other')).toBeNull();
    await contexts[0]?.delete('s1');
    expect(await contexts[1]?.resume('s1')).toBeNull();
  });

  test('assistant-stream’s own responses go through it', async () => {
    const context = createResumableStreamContext({ store: open(startHub()) });
    const respond = (): Promise<Response> =>
      createResumableAssistantStreamResponse({
        context,
        streamId: 'answer',
        callback: (controller) => {
          for (const word of ['The ', 'tide ', 'turns.']) controller.appendText(word);
        },
      });
    const first = await (await respond()).text();
    expect(first).toContain('turns.');
    const again = await createResumeAssistantStreamResponse({ context, streamId: 'answer' });
    expect(await again.text()).toBe(first);
    expect((await createResumeAssistantStreamResponse({ context, streamId: 'none' })).status).toBe(404);
  });

  test('reads on after a cursor, and fails as the stream failed', async () => {
    const hub = startHub();
    const store = open(hub);
    await store.acquire('s');
    for (const text of ['a', 'b', 'c']) await store.append('s', bytes(text));
    const cursors: string[] = [];
    for await (const { cursor } of store.read('s', '', never())) if (cursors.push(cursor) === 2) break;
    await store.finalize('s', 'error', 'the model failed');
    const rest: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const { chunk } of store.read('s', cursors[1] ?? '', never()))
        rest.push(new TextDecoder().decode(chunk));
    };
    await expect(reading()).rejects.toThrow('the model failed');
    expect(rest).toEqual(['c']);
    expect(await store.status('s')).toBe('error');
    expect(await store.acquire('s')).toBe('consumer');
  });

  test('a producer that was superseded changes nothing of the new stream', async () => {
    const hub = startHub();
    const store = open(hub);
    const acquire = async (): Promise<{ readonly token: string }> => {
      const acquired = await store.acquireLease?.('s');
      if (acquired?.role !== 'producer') throw new Error('It is not the producer.');
      return acquired.lease;
    };
    const old = await acquire();
    await store.append('s', bytes('old'), old);
    await store.delete('s');
    const newer = await acquire();
    await expect(store.append('s', bytes('late'), old)).rejects.toMatchObject({ code: 'event/conflict' });
    expect(await store.finalize('s', 'done', undefined, old)).toBe(false);
    await store.append('s', bytes('new'), newer);
    expect(await store.finalize('s', 'done', undefined, newer)).toBe(true);
    const context = createResumableStreamContext({ store });
    expect(await textOf(await context.resume('s'))).toBe('new');
  });

  test('nobody hangs when the process that produces a stream dies, and the stream can be produced anew', async () => {
    const path = await lmdb();
    const first = createHub({ log: lmdbLog({ path, durability: 'relaxed' }), onError: () => {} });
    const store = open(first, { lease: 4000 });
    await store.acquire('s');
    await store.append('s', bytes('half '));
    await first.close({ within: 0 });
    const next = open(startHub(lmdbLog({ path, durability: 'relaxed' })), { lease: 4000 });
    const read: string[] = [];
    const reading = (async () => {
      for await (const { chunk } of next.read('s', '', never())) read.push(new TextDecoder().decode(chunk));
    })();
    await expect(reading).rejects.toMatchObject({ code: 'run/lost' });
    expect(read.join('')).toBe('half ');
    await until(async () => expect(await next.acquire('s')).toBe('producer'));
    await next.append('s', bytes('whole'));
    await next.finalize('s', 'done');
    expect(await textOf(await createResumableStreamContext({ store: next }).resume('s'))).toBe('whole');
  });

  test('a stream outlives its lease for as long as its producer is there, and its readers may leave', async () => {
    const clock = createManualClock();
    const hub = createHub({ log: memoryLog({ now: clock.now }), clock, onError: () => {} });
    const store = open(hub, { lease: 1000, clock });
    /** Lets time pass, in steps that leave the hub its turns. */
    const pass = async (milliseconds: number): Promise<void> => {
      for (let passed = 0; passed < milliseconds; passed += 50) {
        clock.advance(50);
        for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await store.acquire('s');
    const leaving = new AbortController();
    const reading = (async () => {
      for await (const _ of store.read('s', '', leaving.signal)) void _;
      return 'left';
    })();
    await pass(5000);
    const status = store.status('s');
    await pass(500);
    expect(await status).toBe('streaming');
    leaving.abort();
    expect(await reading).toBe('left');
    await store.finalize('s', 'done');
    await hub.close({ within: 0 });
  });

  test('nothing of a stream is left in the log once it can’t be read any more', async () => {
    const clock = createManualClock();
    const log = memoryLog({ now: clock.now });
    const hub = createHub({ log, clock, onError: () => {} });
    closers.push(() => hub.close({ within: 0 }));
    const store = open(hub, { keep: 60_000, clock });
    const pass = async (milliseconds: number): Promise<void> => {
      for (let passed = 0; passed < milliseconds; passed += 1000) {
        clock.advance(1000);
        for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    /** How many items a new reader of the log would get. */
    const left = async (): Promise<number> => {
      const matchers = createMatcherSet([{ pattern: 'tidings/runs/*' }]);
      const limit = { events: 10_000, length: 1_000_000 };
      const page = await log.read({ after: 0, wants: () => true, matchers, limit, snapshot: true });
      return page.entries.filter(({ type }) => type === 'chunks' || type === 'stream').length;
    };
    await store.acquire('s');
    for (let i = 0; i < 1200; i += 1) await store.append('s', bytes(String(i)));
    await pass(10_000);
    await store.finalize('s', 'done');
    await pass(50_000);
    expect(await left()).toBe(1201);
    await pass(20_000);
    expect(await left()).toBe(0);
  });

  test('a stream can’t be written for longer than its beginning stays', async () => {
    const clock = createManualClock();
    const hub = createHub({ log: memoryLog({ now: clock.now }), clock, onError: () => {} });
    closers.push(() => hub.close({ within: 0 }));
    const store = open(hub, { keep: 60_000, clock, lease: 3_000_000 });
    await store.acquire('s');
    for (let hours = 0; hours < 2; hours += 1) {
      clock.advance(1_900_000);
      for (let i = 0; i < 20; i += 1) await new Promise((resolve) => setImmediate(resolve));
    }
    await expect(store.append('s', bytes('late'))).rejects.toMatchObject({ code: 'run/too-long' });
  });
});

describe('in a scope of their own', () => {
  test('streams can’t be read, ended or deleted by whoever knows their name', async () => {
    const hub = startHub();
    const [ann, bob, nobody] = [
      assistantUiStore(hub, { scope: 'ann' }),
      assistantUiStore(hub, { scope: 'bob' }),
      assistantUiStore(hub),
    ];
    await ann.acquire('s');
    await ann.append('s', bytes('for Ann'));
    for (const other of [bob, nobody]) {
      for (const name of ['s', 'ann/s', '/ann/s', '../ann/s', 'ann%2Fs'])
        expect(await other.status(name), name).toBe('missing');
      expect(await other.finalize('s', 'done')).toBe(false);
      await other.delete('s');
      await expect(other.append('s', bytes('from Bob'))).rejects.toMatchObject({ code: 'event/conflict' });
    }
    // The same name is another stream, whose producer is another one.
    expect(await bob.acquire('s')).toBe('producer');
    await bob.append('s', bytes('for Bob'));
    await bob.finalize('s', 'done');
    await ann.finalize('s', 'done');
    const textFrom = async (store: ResumableStreamStore): Promise<string> =>
      textOf(await createResumableStreamContext({ store }).resume('s'));
    expect([await textFrom(ann), await textFrom(bob)]).toEqual(['for Ann', 'for Bob']);
  });

  test('runs of TanStack AI can’t be joined by a request of somebody else', async () => {
    const hub = startHub();
    const request = new Request('http://x/', { headers: { 'x-run-id': 'r' } });
    const of = (scope: string): StreamDurability => tanstackDurability(hub, { scope })(request);
    const [chunk] = events([]) as [StreamChunk];
    const own = of('ann');
    const [offset = ''] = await own.append([chunk]);
    expect(await of('bob').snapshot()).toEqual([]);
    for (const from of ['-1', offset]) {
      const reading = async (): Promise<void> => {
        for await (const each of of('bob').read(from, never())) void each;
      };
      await expect(reading()).rejects.toMatchObject({ code: 'run/lost' });
    }
    expect(await of('ann').snapshot()).toHaveLength(1);
    await own.close();
  });

  test.each([undefined, '', 7, '\ud800'])('the scope %j is refused', (scope) => {
    for (const open of [assistantUiStore, tanstackDurability])
      expect(() => open(startHub(), { scope } as never)).toThrow(/`scope`/);
  });
});

/** An answer as TanStack AI's events. */
function events(words: readonly string[]): StreamChunk[] {
  const common = { timestamp: 0, model: 'tide' };
  return [
    { type: 'RUN_STARTED', runId: 'r', threadId: 't', ...common },
    { type: 'TEXT_MESSAGE_START', messageId: 'm', role: 'assistant', ...common },
    ...words.map((delta) => ({ type: 'TEXT_MESSAGE_CONTENT', messageId: 'm', delta, ...common })),
    { type: 'TEXT_MESSAGE_END', messageId: 'm', ...common },
    { type: 'RUN_FINISHED', runId: 'r', threadId: 't', finishReason: 'stop', ...common },
  ] as unknown as StreamChunk[];
}

const WORDS = Array.from({ length: 60 }, (_, i) => `word ${i}, `);

interface App {
  readonly url: string;
  readonly produced: () => number;
  cut(): void;
}

/** A server as TanStack AI's documentation has it: POST produces, GET resumes. */
async function startApp(hub: Hub): Promise<App> {
  const durabilityOf = tanstackDurability(hub);
  let produced = 0;
  async function* produce(): AsyncGenerator<StreamChunk> {
    produced += 1;
    for (const chunk of events(WORDS)) {
      yield chunk;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const sockets = new Set<Socket>();
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    createServer,
    fetch: (request) => {
      const adapter: StreamDurability = durabilityOf(request);
      return request.method === 'POST'
        ? toServerSentEventsResponse(produce(), { durability: { adapter, batch: 4 } })
        : resumeServerSentEventsResponse({ adapter });
    },
  }) as Server;
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  if (!server.listening) await once(server, 'listening');
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`,
    produced: () => produced,
    cut() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

describe('the durability for TanStack AI', () => {
  test('its client goes on after the network was cut, and the answer is produced once', async () => {
    const app = await startApp(startHub());
    const client = new ChatClient({ connection: fetchServerSentEvents(app.url) });
    const textNow = (): string =>
      client
        .getMessages()
        .filter(({ role }) => role === 'assistant')
        .flatMap(({ parts }) => parts.map((part) => (part.type === 'text' ? part.content : '')))
        .join('');
    const sending = client.sendMessage('Why the tide?');
    for (const length of [20, 120]) {
      await until(() => expect(textNow().length).toBeGreaterThan(length));
      app.cut();
    }
    await sending;
    await until(() => expect(textNow()).toBe(WORDS.join('')));
    expect(app.produced()).toBe(1);
  });

  test('a request that names the run joins it from the beginning, live and after its end', async () => {
    const hub = startHub();
    const app = await startApp(hub);
    const post = fetch(app.url, { method: 'POST', headers: { 'x-run-id': 'r1' }, body: '{}' });
    await until(async () =>
      expect(await tanstackDurability(hub)({ runId: 'r1' }).snapshot()).not.toEqual([]),
    );
    const join = async (): Promise<string[]> => {
      const text = await (await fetch(`${app.url}?runId=r1&offset=-1`)).text();
      return Array.from(text.matchAll(/"delta":"(.*?)"/g), ([, delta]) => delta ?? '');
    };
    const live = join();
    await (await post).text();
    expect([await live, await join()]).toEqual([WORDS, WORDS]);
    expect(app.produced()).toBe(1);
  });

  test('refuses a second producer, foreign offsets and runs that nobody began', async () => {
    const hub = startHub();
    const durabilityOf = tanstackDurability(hub);
    const [first, second] = [durabilityOf({ runId: 'r' }), durabilityOf({ runId: 'r' })];
    const [chunk] = events([]) as [StreamChunk];
    const [offset] = await first.append([chunk]);
    await expect(second.append([chunk])).rejects.toMatchObject({ code: 'event/conflict' });
    // It doesn't end a stream that it didn't begin.
    await second.close();
    expect(await first.append([chunk])).toHaveLength(1);
    expect((await second.snapshot()).map((each) => each.offset)).toEqual([offset, 'r/2']);
    expect(await durabilityOf({ runId: 'none' }).snapshot()).toEqual([]);
    const reads = (runId: string, from: string): Promise<unknown> =>
      (async () => {
        for await (const each of durabilityOf({ runId }).read(from, never())) void each;
      })();
    await expect(reads('none', '-1')).rejects.toMatchObject({ code: 'run/lost' });
    await expect(reads('r', 'other/1')).rejects.toMatchObject({ code: 'hub/invalid-option' });
    await first.close();
    expect(await reads('r', offset ?? '')).toBeUndefined();
    expect(() => tanstackDurability(hub, { keeep: 1 } as never)).toThrow(/`keep`/);
  });
});
