import { createServer, type Socket } from 'node:net';
import { addAbortSignal, PassThrough, Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe, type Observed } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { listen, serve } from '../../test/http/server.ts';
import type { ClientOptions } from './options.ts';
import type { Fetch } from './web.ts';
import type { ManualClock } from '../testing/manual-clock.ts';

/** Servers, networks and replacements for `fetch` at their worst: the client neither hangs nor spins, and never throws. */

const unhandled: unknown[] = [];
const note = (reason: unknown): void => void unhandled.push(reason);

beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note).on('uncaughtException', note);
});

afterEach(async () => {
  await turn();
  process.off('unhandledRejection', note).off('uncaughtException', note);
  expect(unhandled).toEqual([]);
});

const EVENT = 'id: 1\ndata: 1\n\n';
const headersOf = (more: Record<string, string> = {}): Headers =>
  new Headers({ 'content-type': 'text/event-stream', ...more });
const respond = (body: unknown, headers = headersOf()) => Promise.resolve({ status: 200, headers, body });
const ended = ({ client }: Observed): boolean => client.status === 'waiting' || client.status === 'failed';

/** Lets time pass in steps, because nothing shows what the client waits for. */
function pass(clock: ManualClock, step: number): false {
  clock.advance(step);
  return false;
}

/** A server on a raw socket. */
async function serveSocket(handle: (socket: Socket) => void): Promise<string> {
  const { url } = await listen(
    createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => handle(socket));
    }),
  );
  return url;
}

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n';

describe('a fetch', () => {
  const bodies: Record<string, [() => unknown, string]> = {
    'without a body that can be read': [() => undefined, 'client/unreadable'],
    'with a body of another kind': [() => ({}), 'client/unreadable'],
    'with a body that somebody else reads': [
      () => {
        const stream = new ReadableStream();
        stream.getReader();
        return stream;
      },
      'client/unreadable',
    ],
    'with a body that breaks': [
      () => new ReadableStream({ start: (controller) => controller.error(new Error('broken')) }),
      'client/network, again in 500',
    ],
    'with a body that breaks and can’t be cancelled': [
      () => ({
        getReader: () => ({
          read: () => Promise.reject(new Error('broken')),
          cancel() {
            throw new Error('no');
          },
        }),
      }),
      'client/network, again in 500',
    ],
    'with chunks that are not bytes': [
      () => new ReadableStream({ start: (controller) => controller.enqueue({ not: 'bytes' }) }),
      'client/network, again in 500',
    ],
  };

  it.each(Object.entries(bodies))('%s is a failure of the client', async (_, [body, code]) => {
    const observed = observe('http://localhost', { fetch: () => respond(body()) });
    await until('end', () => ended(observed));
    expect(observed.errors).toEqual([code]);
  });

  const chunks: Record<string, () => unknown> = {
    'a Node stream': () => Readable.from([Buffer.from(EVENT)]),
    'a Node stream of text': () => Readable.from([EVENT]),
    'a web stream of text': () => Readable.toWeb(Readable.from([EVENT])),
    'a generator of buffers': async function* () {
      yield new TextEncoder().encode(EVENT).buffer;
    },
  };

  it.each(Object.entries(chunks))('with %s as its body is read', async (_, body) => {
    const observed = observe('http://localhost', {
      fetch: () => respond(typeof body === 'function' ? body() : body),
      once: true,
    });
    await observed.hasStatus('closed');
    expect([observed.messages, observed.errors]).toEqual([['1'], []]);
  });

  it.each<[string, () => never]>([
    [
      'throws',
      () => {
        throw new Error('no');
      },
    ],
    [
      'throws nothing',
      () => {
        // oxlint-disable-next-line typescript/only-throw-error
        throw undefined;
      },
    ],
    ['returns nothing', () => undefined as never],
    ['resolves to nothing', () => Promise.resolve(undefined) as never],
    ['resolves to something else', () => Promise.resolve({ ok: true }) as never],
  ])('that %s counts as a network failure', async (_, fetch) => {
    const observed = observe('http://localhost', { fetch });
    await observed.hasStatus('waiting');
    expect(observed.errors).toEqual(['client/network, again in 500']);
  });

  it('that never answers and ignores its signal is given up on, and its late body is cancelled', async () => {
    let answer: (response: unknown) => void = () => {};
    const late = new PassThrough();
    const { clock, errors, hasStatus, client } = observe('http://localhost', {
      fetch: () => new Promise((resolve) => (answer = resolve as never)),
    });
    await turn();
    clock.advance(60_000);
    await hasStatus('waiting');
    expect(errors).toEqual(['client/silent, again in 500']);
    answer({ status: 200, headers: headersOf(), body: late });
    await until('end of the body', () => late.destroyed);
    client.close();
    expect(clock.timers).toBe(0);
  });
});

describe('a fetch whose bodies fail when its signal aborts', () => {
  function fail(status: number, body: PassThrough): Fetch {
    return async (_url, { signal }: { signal: AbortSignal }) => {
      addAbortSignal(signal, body);
      const headers = status === 200 ? headersOf() : new Headers({ 'content-type': 'text/html' });
      return { status, headers, body };
    };
  }

  it.each([200, 204, 404, 503])('throws nothing when the client ends a request: %i', async (status) => {
    const body = new PassThrough();
    const { client } = observe('http://localhost', { fetch: fail(status, body) });
    await turn();
    client.close();
    await until('end of the body', () => body.destroyed);
  });
});

describe('a server', () => {
  it('that sends headers and then nothing is silent', async () => {
    const server = await serveExchanges();
    const { clock, errors, statuses, hasStatus } = observe(server.url);
    const exchange = await server.next();
    exchange.response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
    await until('watch over the body', () => errors.length > 0 || pass(clock, 5_000));
    await exchange.gone;
    await hasStatus('waiting');
    expect(errors).toEqual(['client/silent, again in 500']);
    expect(statuses).toEqual(['connecting', 'waiting']);
  });

  it.each([': hello\n', 'retry: 700\n', '\n'])('that sends only %j is open', async (text) => {
    const server = await serveExchanges();
    const { clock, errors, openings, hasStatus } = observe(server.url);
    (await server.next()).stream(text);
    await hasStatus('open');
    await until('opening', () => openings.length === 1);
    clock.advance(10_000_000);
    expect(errors).toEqual([]);
  });

  it('that stalls is given up on within the time that the app set', async () => {
    const server = await serveExchanges();
    const { clock, errors, hasMessages, comesBack } = observe(server.url, { timeouts: { read: 8_000 } });
    const exchange = await server.next();
    exchange.stream(EVENT);
    await hasMessages(1);
    await until('watch', () => clock.timers === 1);
    clock.advance(8_000);
    await exchange.gone;
    await comesBack();
    expect(errors).toEqual(['client/silent, again in 500']);
    expect((await server.next()).headers['last-event-id']).toBe('1');
  });

  it('that resets the connection in the middle of an event still delivers the event', async () => {
    let connections = 0;
    const url = await serveSocket((socket) => {
      connections += 1;
      const text = connections === 1 ? 'id: 1\ndata: half' : EVENT;
      socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n${text.length.toString(16)}\r\n${text}\r\n`);
      if (connections === 1) setImmediate(() => socket.resetAndDestroy());
    });
    const { messages, errors, comesBack, hasMessages } = observe(url);
    await comesBack();
    await hasMessages(1);
    expect([messages, errors.length]).toEqual([['1'], 1]);
  });

  it('that dribbles its headers is given up on', async () => {
    const url = await serveSocket((socket) => void socket.write('HTTP/1.1 200 OK\r\nx: '));
    const { clock, errors, hasStatus } = observe(url);
    await until('time limit', () => errors.length > 0 || pass(clock, 10_000));
    await hasStatus('waiting');
    expect(errors).toEqual(['client/silent, again in 500']);
  });

  it('that redirects in circles counts as a network failure', async () => {
    const { url } = await serve((_, response) => void response.writeHead(302, { location: '/again' }).end());
    const { errors, hasStatus } = observe(url);
    await hasStatus('waiting');
    expect(errors).toEqual(['client/network, again in 500']);
  });

  it('that answers with garbage counts as a network failure', async () => {
    const url = await serveSocket((socket) => void socket.end('\u0000\u0001 no HTTP at all\r\n\r\n'));
    const { errors, hasStatus } = observe(url);
    await hasStatus('waiting');
    expect(errors).toEqual(['client/network, again in 500']);
  });

  it('that streams garbage brings no events', async () => {
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7_919) % 251));
    const url = await serveSocket(
      (socket) => void socket.end(Buffer.concat([Buffer.from(`${HEAD}\r\n`), bytes])),
    );
    const { messages, hasStatus } = observe(url);
    await hasStatus('waiting');
    expect(messages).toEqual([]);
  });

  it('that never ends a line fails the client', async () => {
    const url = await serveSocket((socket) => {
      socket.write(`${HEAD}\r\n`);
      const more = (): void => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536)));
        if (!socket.destroyed) socket.once('drain', more);
      };
      more();
    });
    const { errors, hasStatus } = observe(url, { maxEventBytes: 1_000_000 });
    await hasStatus('failed');
    expect(errors).toEqual(['decode/event-too-large']);
  });

  it('that compresses is read', async () => {
    const url = await serveSocket((socket) => {
      socket.end(Buffer.concat([Buffer.from(`${HEAD}content-encoding: gzip\r\n\r\n`), gzipSync(EVENT)]));
    });
    const { messages, hasMessages } = observe(url);
    await hasMessages(1);
    expect(messages).toEqual(['1']);
  });

  it('that breaks off a chunked response counts as a network failure, and one that ends it does not', async () => {
    const chunk = `${EVENT.length.toString(16)}\r\n${EVENT}\r\n`;
    for (const [end, failures] of [
      ['', 1],
      ['0\r\n\r\n', 0],
    ] as const) {
      const url = await serveSocket(
        (socket) => void socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\n${chunk}${end}`),
      );
      const { errors, hasStatus } = observe(url);
      await hasStatus('waiting');
      expect(errors).toHaveLength(failures);
    }
  });

  it('whose refusal never ends is hung up on', async () => {
    const server = await serveExchanges();
    const { clock, errors, hasStatus } = observe(server.url);
    const exchange = await server.next();
    exchange.response.writeHead(403, { 'content-type': 'application/json' });
    const timer = setInterval(() => exchange.response.write(' '), 5);
    await until('given up', () => errors.length > 0 || pass(clock, 20));
    await hasStatus('failed');
    await exchange.gone;
    clearInterval(timer);
    expect(errors).toEqual(['auth/forbidden']);
  });
});

describe('a hub', () => {
  it('whose refusal of a change never ends is hung up on', async () => {
    const server = await serveExchanges();
    const { client, openings } = observe(server.url, { topics: ['a'] });
    (await server.next()).stream(welcome({ secret: 's' }));
    await until('opening', () => openings.length > 0);
    const refused = client.subscribe('b');
    const change = await server.next();
    change.response.writeHead(403, { 'content-type': 'text/html' });
    const timer = setInterval(() => change.response.write('<p>no</p>'), 5);
    await expect(refused).rejects.toMatchObject({ code: 'auth/forbidden' });
    await change.gone;
    clearInterval(timer);
  });

  it.each([undefined, null, 7, {}])('is never asked for %j, which is not a topic', async (topic) => {
    const server = await serveExchanges();
    const { client, openings } = observe(server.url, { topics: ['a'] });
    (await server.next()).stream(welcome({ secret: 's' }));
    await until('opening', () => openings.length > 0);
    await expect(client.subscribe(topic as never)).rejects.toMatchObject({ code: 'topic/invalid' });
    const changed = client.subscribe('b');
    (await server.next()).answer(200, {}, '{"cursor":"a.1"}');
    expect(await changed).toBe('a.1');
  });

  it('behind a redirect gets changes at the URL that the stream came from', async () => {
    const { url } = await serve((request, response) => {
      if (request.url?.startsWith('/old')) {
        response.writeHead(301, { location: request.url.replace('/old', '/new') }).end();
      } else if (request.method === 'POST') response.end('{"cursor":"a.1"}');
      else response.writeHead(200, { 'content-type': 'text/event-stream' }).write(welcome({ secret: 's' }));
    });
    const { client, openings } = observe(`${url}/old?x=1`, { topics: ['a'] });
    await until('opening', () => openings.length > 0);
    expect(openings[0]?.response.url).toBe(`${url}/new?x=1&topic=a`);
    expect(await client.subscribe('b')).toBe('a.1');
  });
});

describe('a server that sends one frame and ends', () => {
  const answers: Record<string, [ClientOptions, (nth: number) => string]> = {
    'when it is asked for streams': [{}, () => EVENT],
    'when it is polled': [{ longPoll: 'always' }, (nth) => `id: ${nth}\ndata: 1\n\n`],
    'when it is polled, and answers with nothing': [{ longPoll: 'always' }, () => ''],
  };

  it.each(Object.entries(answers))(
    'is asked no more often than a browser would %s, whatever the jitter',
    async (_, [options, answer]) => {
      for (const dice of [0, 0.5, 0.999]) {
        let requests = 0;
        const { clock, client, statuses } = observe('http://localhost', {
          ...options,
          random: () => dice,
          fetch() {
            requests += 1;
            return respond(Readable.from([answer(requests)]));
          },
        });
        for (let passed = 0; passed < 12_000; passed += 50) {
          // A request takes no time here, only a few turns of the event loop.
          for (let i = 0; i < 20 && client.status !== 'waiting'; i += 1) await turn();
          clock.advance(50);
        }
        // Browsers and the package `eventsource` wait three seconds: 0, 3, 6 and 9.
        expect(requests).toBeLessThanOrEqual(4);
        expect(requests).toBeGreaterThan(1);
        expect(statuses).toContain(options.longPoll === undefined ? 'open' : 'polling');
        client.close();
      }
    },
  );

  it('fails the client after more attempts than allowed', async () => {
    const { errors, client, comesBack } = observe('http://localhost', {
      retry: { attempts: 2 },
      fetch: () => respond(Readable.from([EVENT])),
    });
    await comesBack();
    await comesBack();
    await until('failure', () => client.status === 'failed');
    expect(errors).toEqual(['client/attempts-exhausted']);
  });
});

it(
  'a thousand reconnects leave nothing behind',
  async () => {
    const server = await serveExchanges();
    const controller = new AbortController();
    const { client, clock, comesBack } = observe(server.url, {
      signal: controller.signal,
      retry: { max: 0 },
      headers: async () => ({ authorization: 'x' }),
    });
    const used: number[] = [];
    for (let round = 0; round < 1_000; round += 1) {
      const exchange = await server.next();
      if (round % 2 === 0) {
        exchange.response
          .writeHead(200, { 'content-type': 'text/event-stream' })
          .end(`id: ${round}\ndata: x\n\n`);
      } else exchange.answer(503, { 'content-type': 'application/json' }, '{}');
      await comesBack();
      if (round % 250 === 249) {
        globalThis.gc?.();
        used.push(process.memoryUsage().heapUsed);
      }
    }
    expect(server.count).toBeGreaterThanOrEqual(1_000);
    client.close();
    expect(clock.timers).toBe(0);
    if (globalThis.gc !== undefined) expect((used.at(-1) ?? 0) - (used[1] ?? 0)).toBeLessThan(4_000_000);
  },
  5 * DEADLINE,
);
