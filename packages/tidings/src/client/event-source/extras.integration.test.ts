import { once } from 'node:events';
import { addAbortSignal, PassThrough, Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { serveExchanges } from '../../../test/client/exchanges.ts';
import { createGate, until, within } from '../../../test/http/deadline.ts';
import { EventSource } from './event-source.ts';
import type { EventSourceErrorEvent, EventSourceOptions, EventSourceRequest } from './types.ts';

function open(url: string, options?: EventSourceOptions): EventSource {
  const source = new EventSource(url, options);
  onTestFinished(() => source.close());
  return source;
}

async function next(source: EventSource, type = 'message'): Promise<MessageEvent<string>> {
  const [event] = (await within(type, once(source, type))) as [MessageEvent<string>];
  return event;
}

function nextError(source: EventSource): Promise<EventSourceErrorEvent> {
  return next(source, 'error');
}

const stream = (body: unknown): { status: number; headers: Headers; body: unknown } => ({
  status: 200,
  headers: new Headers({ 'content-type': 'text/event-stream' }),
  body,
});

describe('headers', () => {
  it('are sent with each request, along with the standard’s', async () => {
    const server = await serveExchanges();
    const source = open(server.url, { headers: { 'X-Tenant': 'a', authorization: 'Bearer 1' } });
    const exchange = await server.next();
    expect(exchange.headers).toMatchObject({
      'x-tenant': 'a',
      authorization: 'Bearer 1',
      accept: 'text/event-stream',
    });
    exchange.stream('retry: 1\nid: 7\n\n');
    exchange.response.end();
    await nextError(source);
    expect((await server.next()).headers).toMatchObject({ 'x-tenant': 'a', 'last-event-id': '7' });
  });

  it('may say where to begin, until the stream sends an id', async () => {
    const server = await serveExchanges();
    open(server.url, { headers: [['Last-Event-ID', '3']] });
    const first = await server.next();
    expect(first.headers['last-event-id']).toBe('3');
    first.stream('retry: 1\nid: 4\n\n');
    first.response.end();
    expect((await server.next()).headers['last-event-id']).toBe('4');
  });

  it('are made anew for each request if they are a function', async () => {
    const server = await serveExchanges();
    let calls = 0;
    open(server.url, {
      headers: async () => {
        calls += 1;
        return { authorization: `Bearer ${calls}` };
      },
    });
    const first = await server.next();
    first.stream('retry: 1\n\n');
    first.response.end();
    expect(first.headers.authorization).toBe('Bearer 1');
    expect((await server.next()).headers.authorization).toBe('Bearer 2');
  });

  it('that cannot be made fail the attempt, and another one follows', async () => {
    const reason = new Error('no token');
    const source = open('http://localhost:1/', { headers: () => Promise.reject(reason) });
    const { error } = await nextError(source);
    expect(error).toMatchObject({ code: 'client/network', cause: reason });
    expect(source.readyState).toBe(EventSource.CONNECTING);
  });

  it('come from the user and password of the URL, too', async () => {
    const server = await serveExchanges();
    const url = new URL(server.url);
    url.username = 'jürgen';
    url.password = 'a:%b';
    const source = open(url.href);
    const { headers } = await server.next();
    expect(Buffer.from(headers.authorization?.replace('Basic ', '') ?? '', 'base64').toString()).toBe(
      'jürgen:a:%b',
    );
    expect(source.url).toBe(url.href);
  });

  it('follow a redirect to another origin, but for the credentials', async () => {
    const [first, other] = [await serveExchanges(), await serveExchanges()];
    open(first.url, { headers: { authorization: 'Bearer secret', 'x-app': '7' } });
    const asked = await first.next();
    expect(asked.headers.authorization).toBe('Bearer secret');
    asked.answer(302, { location: other.url });
    (await other.next()).answer(200, { 'content-type': 'text/event-stream' }, 'retry: 1\n\n');
    const again = await other.next();
    expect([again.headers.authorization, again.headers['x-app']]).toEqual([undefined, '7']);
    expect(first.count).toBe(1);
  });

  it('that HTTP does not allow throw at once', () => {
    expect(() => new EventSource('http://localhost:1/', { headers: { 'a b': 'c' } })).toThrow(TypeError);
  });
});

it('a request with another method goes to its own URL again, whatever a redirect made of it', async () => {
  const server = await serveExchanges();
  open(server.url, { method: 'POST', body: 'x' });
  (await server.next()).answer(303, { location: '/result' });
  const result = await server.next();
  expect([result.method, result.url.pathname]).toEqual(['GET', '/result']);
  result.answer(200, { 'content-type': 'text/event-stream' }, 'retry: 1\n\n');
  const again = await server.next();
  expect([again.method, again.url.pathname]).toEqual(['POST', '/']);
});

it('a request may have another method and a body, made anew each time', async () => {
  const server = await serveExchanges();
  let calls = 0;
  open(server.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: () => JSON.stringify({ call: (calls += 1) }),
  });
  const first = await server.next();
  expect([first.method, await first.json()]).toEqual(['POST', { call: 1 }]);
  first.stream('retry: 1\n\n');
  first.response.end();
  expect(await (await server.next()).json()).toEqual({ call: 2 });
});

it('an id that no header can carry isn’t sent, and the source goes on', async () => {
  const server = await serveExchanges();
  open(server.url);
  const first = await server.next();
  first.stream('retry: 1\nid: a\u0001b\ndata: 1\n\n');
  first.response.end();
  expect((await server.next()).headers).not.toHaveProperty('last-event-id');
});

describe('another fetch', () => {
  it('gets options that can be spread into the call of yet another fetch', async () => {
    const server = await serveExchanges();
    const source = open(server.url, {
      withCredentials: true,
      fetch: (url, request) => fetch(url, { ...request, headers: { ...request.headers, 'x-added': '1' } }),
    });
    const exchange = await server.next();
    expect(exchange.headers).toMatchObject({ 'x-added': '1', accept: 'text/event-stream' });
    exchange.stream('data: 1\n\n');
    expect((await next(source)).data).toBe('1');
  });

  it('gets `credentials` that say whether other origins receive cookies', async () => {
    const requests: EventSourceRequest[] = [];
    const fetch = (_url: string, request: EventSourceRequest): Promise<never> => {
      requests.push(request);
      return Promise.reject(new Error('not here'));
    };
    await nextError(open('http://localhost:1/', { fetch, withCredentials: true }));
    await nextError(open('http://localhost:1/', { fetch }));
    expect(requests.map((request) => request.credentials)).toEqual(['include', undefined]);
  });

  it('may answer with a Node stream, of bytes or of text', async () => {
    for (const body of [Readable.from([Buffer.from('data: é\n\n')]), Readable.from(['data: é', '\n\n'])]) {
      const source = open('http://localhost:1/', { fetch: async () => stream(body) });
      const { data, origin } = await next(source);
      expect([data, origin]).toEqual(['é', 'http://localhost:1']);
      source.close();
    }
  });

  it('may answer without a body, which counts as a stream that ends', async () => {
    for (const body of [null, undefined]) {
      const source = open('http://localhost:1/', { fetch: async () => stream(body) });
      const events: string[] = [];
      source.onopen = () => events.push('open');
      expect((await nextError(source)).error).toBeUndefined();
      expect([events, source.readyState]).toEqual([['open'], EventSource.CONNECTING]);
      source.close();
    }
  });

  it('may answer with an unreadable body, which counts as a failed connection', async () => {
    const locked = new Response('data: 1\n\n').body;
    locked?.getReader();
    for (const body of [locked, 5, {}, Readable.from([7])]) {
      const source = open('http://localhost:1/', { fetch: async () => stream(body) });
      expect((await nextError(source)).error).toMatchObject({ code: 'client/network' });
      expect(source.readyState).toBe(EventSource.CONNECTING);
      source.close();
    }
  });

  it('may throw at once', async () => {
    const source = open('http://localhost:1/', {
      fetch: () => {
        throw new Error('at once');
      },
    });
    expect(source.readyState).toBe(EventSource.CONNECTING);
    expect((await nextError(source)).error?.cause).toMatchObject({ message: 'at once' });
  });

  it.each([undefined, null, 7, {}, { status: 200 }, { ...stream(''), url: 'http://' }])(
    'may answer with %j, which counts as a failed connection',
    async (answer) => {
      const source = open('http://localhost:1/', { fetch: async () => answer as never });
      expect((await nextError(source)).error).toMatchObject({ code: 'client/network' });
      expect(source.readyState).toBe(EventSource.CONNECTING);
    },
  );

  it('may give the URL of its answer without the origin', async () => {
    const urls: string[] = [];
    const source = open('http://localhost:1/old', {
      async fetch(url) {
        urls.push(url);
        return { ...stream(Readable.from(['retry: 0\ndata: 1\n\n'])), url: '/new', redirected: true };
      },
    });
    expect((await next(source)).origin).toBe('http://localhost:1');
    await next(source);
    expect(urls.slice(0, 2)).toEqual(['http://localhost:1/old', 'http://localhost:1/new']);
  });

  it('that was aborted closes the source', async () => {
    const fetch = (): Promise<never> => Promise.reject(new DOMException('stopped', 'AbortError'));
    const source = open('http://localhost:1/', { fetch });
    await nextError(source);
    expect(source.readyState).toBe(EventSource.CLOSED);
  });

  it('that ignores its signal has its body cancelled by close()', async () => {
    const cancelled = createGate();
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('data: 1\n\n')),
      cancel: () => cancelled.open(),
    });
    const source = open('http://localhost:1/', { fetch: async () => stream(body) });
    await next(source);
    source.close();
    await within('cancelled body', cancelled.passed);
  });

  it('that ignores its signal has its Node stream destroyed, and one that fails by its signal throws nothing', async () => {
    for (const fails of [false, true]) {
      const body = new PassThrough();
      const source = open('http://localhost:1/', {
        async fetch(_url, { signal }) {
          if (fails) addAbortSignal(signal, body);
          return stream(body);
        },
      });
      // Before anything is read of it.
      source.onopen = () => source.close();
      await within('end', new Promise((resolve) => body.once('close', resolve)));
      expect(source.readyState).toBe(EventSource.CLOSED);
    }
  });

  it('may answer with a body that can’t be cancelled', async () => {
    const reads = [{ done: false, value: new TextEncoder().encode('data: 1\n\n') }];
    const body = {
      getReader: () => ({
        read: () => Promise.resolve(reads.shift() ?? new Promise(() => {})),
        cancel() {
          throw new Error('no');
        },
      }),
    };
    const source = open('http://localhost:1/', { fetch: async () => stream(body) });
    await next(source);
    source.close();
    expect(source.readyState).toBe(EventSource.CLOSED);
  });

  it('that is not a function is refused', () => {
    expect(() => new EventSource('http://localhost:1/', { fetch: 'fetch' as never })).toThrow(TypeError);
  });
});

describe('an error event', () => {
  it('says why the source is closed', async () => {
    const server = await serveExchanges();
    const refused = open(server.url);
    (await server.next()).answer(503, { 'content-type': 'text/plain' });
    expect((await nextError(refused)).error).toMatchObject({ code: 'client/http-status', status: 503 });
    const page = open(server.url);
    (await server.next()).answer(200, { 'content-type': 'text/html' }, '<p>');
    expect((await nextError(page)).error).toMatchObject({
      code: 'client/content-type',
      details: { contentType: 'text/html' },
    });
  });

  it('gives no reason for a stream that just ended', async () => {
    const server = await serveExchanges();
    const source = open(server.url);
    const exchange = await server.next();
    exchange.stream();
    exchange.response.end();
    expect((await nextError(source)).error).toBeUndefined();
  });
});

it('a response that comes after the source was closed is discarded', async () => {
  const server = await serveExchanges();
  const source = open(server.url);
  const events: string[] = [];
  for (const type of ['open', 'message', 'error']) source.addEventListener(type, () => events.push(type));
  const exchange = await server.next();
  source.close();
  await within('end of the request', exchange.gone);
  expect(events).toEqual([]);
});

it('a thousand streams that end leave nothing behind in the source', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error): number => warnings.push(warning);
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  let signals = 0;
  let aborted = 0;
  const source = open('http://localhost:1/', {
    fetch: async (_url, { signal }) => {
      signals += 1;
      signal.addEventListener('abort', () => (aborted += 1));
      return new Response('retry: 0\n\n', { headers: { 'content-type': 'text/event-stream' } });
    },
  });
  await until('1,000 requests', () => signals >= 1_000);
  source.close();
  expect([signals - aborted, warnings]).toEqual([0, []]);
});

describe('the wait for the next attempt', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  /** How long the source waits before each of these answers but the first. */
  async function waitsBetween(...answers: (() => Promise<Response>)[]): Promise<number[]> {
    const timer = vi.spyOn(globalThis, 'setTimeout');
    const waits: number[] = [];
    let requests = 0;
    const source = open('http://localhost:1/', {
      fetch: () => {
        requests += 1;
        return answers[requests - 1]?.() ?? Promise.reject(new Error('no more'));
      },
    });
    while (requests < answers.length) {
      await once(source, 'error');
      waits.push(Math.round(Number(timer.mock.lastCall?.[1])));
      vi.advanceTimersToNextTimer();
      await new Promise((resolve) => setImmediate(resolve));
    }
    source.close();
    return waits;
  }

  const fail = (): Promise<Response> => Promise.reject(new Error('unreachable'));
  const end = (text: string) => (): Promise<Response> =>
    Promise.resolve(new Response(text, { headers: { 'content-type': 'text/event-stream' } }));

  it('is the reconnection time after a stream, whatever its length', async () => {
    expect(await waitsBetween(end(''), end('retry: 70\n'), end(''), end('retry: 0\n'), end(''))).toEqual([
      3_000, 70, 70, 0,
    ]);
  });

  it('grows while no connection succeeds, and starts over once one has', async () => {
    expect(await waitsBetween(fail, fail, fail, fail, fail, end(''), end(''))).toEqual([
      6_000, 12_000, 24_000, 33_000, 33_000, 3_000,
    ]);
  });

  it('is never longer than timers can wait', async () => {
    for (const digits of ['99999999999999', '9'.repeat(400)])
      expect(await waitsBetween(end(`retry: ${digits}\n`), end(''))).toEqual([2 ** 31 - 1]);
  });
});
