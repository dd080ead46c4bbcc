import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { serveExchanges } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { listen } from '../../test/http/server.ts';
import { until } from '../../test/http/deadline.ts';

const problem = (detail: string, code: string) =>
  [{ 'content-type': 'application/problem+json; charset=utf-8' }, JSON.stringify({ detail, code })] as const;

describe('a server that says no', () => {
  it('with 204 closes the client for good, without an error', async () => {
    const server = await serveExchanges();
    const { client, clock, errors, hasStatus } = observe(server.url);
    const iterated = client[Symbol.asyncIterator]().next();
    (await server.next()).answer(204);
    await hasStatus('closed');
    expect(await iterated).toEqual({ done: true, value: undefined });
    expect([errors, clock.timers]).toEqual([[], 0]);
  });

  it.each([
    [401, 'auth/unauthorized'],
    [403, 'auth/forbidden'],
    [404, 'client/http-status'],
  ])('with %i fails the client with the code %s and the words of the server', async (status, code) => {
    const server = await serveExchanges();
    const observed = observe(server.url);
    const iterated = observed.client[Symbol.asyncIterator]().next();
    (await server.next()).answer(status, ...problem('Not for you.', 'app/no'));
    await expect(iterated).rejects.toMatchObject({ code, status, details: { code: 'app/no' } });
    expect(observed.client.status).toBe('failed');
    expect(observed.errors).toEqual([code]);
    expect(observed.lastError?.message).toMatch(/The server says: Not for you\.$/);
    expect(observed.clock.timers).toBe(0);
  });

  it('with a page of HTML fails the client', async () => {
    const server = await serveExchanges();
    const { errors, hasStatus } = observe(server.url);
    const exchange = await server.next();
    exchange.answer(200, { 'content-type': 'text/html' }, '<h1>Sign in</h1>');
    await hasStatus('failed');
    expect(errors).toEqual(['client/content-type']);
    await exchange.gone;
  });
});

describe('a server that says later', () => {
  it.each([429, 503])(
    'with %i and Retry-After in seconds is left alone for that long, plus jitter',
    async (status) => {
      const server = await serveExchanges();
      const { clock, errors, hasStatus } = observe(server.url);
      (await server.next()).answer(status, { 'retry-after': '30' });
      await hasStatus('waiting');
      expect(errors).toEqual(['client/http-status, again in 30500']);
      clock.advance(30_499);
      expect(server.count).toBe(1);
      clock.advance(1);
      (await server.next()).stream('data: 1\n\n');
      await hasStatus('open');
    },
  );

  it('with a date is left alone until then, plus jitter', async () => {
    const server = await serveExchanges();
    const { clock, errors, hasStatus } = observe(server.url);
    // The server's clock is an hour ahead.
    const at = (later: number): string => new Date(clock.now() + 3_600_000 + later).toUTCString();
    (await server.next()).answer(503, { date: at(0), 'retry-after': at(60_000) });
    await hasStatus('waiting');
    expect(errors).toEqual(['client/http-status, again in 60500']);
  });

  it('without a time is tried again as after a drop', async () => {
    const server = await serveExchanges();
    const { clock, errors, hasStatus } = observe(server.url);
    for (const [status, wait] of [
      [500, 500],
      [429, 1_000],
      [502, 2_000],
    ] as const) {
      (await server.next()).answer(status, {}, 'some text');
      await hasStatus('waiting');
      expect(errors.at(-1)).toBe(`client/http-status, again in ${wait}`);
      clock.advance(wait);
    }
    await server.next();
  });

  it('but never ends its explanation is not listened to for long', async () => {
    const server = await serveExchanges();
    const { client, clock } = observe(server.url);
    const exchange = await server.next();
    exchange.response.writeHead(503, { 'content-type': 'application/json' }).flushHeaders();
    // In steps, because nothing shows when the client begins to wait for the explanation.
    await until('given up', () => {
      clock.advance(20);
      return client.status === 'waiting';
    });
    await exchange.gone;
  });
});

describe('an unreachable server', () => {
  it('is tried again and again, but no more often than the app asked for', async () => {
    const { url, server } = await listen(createServer((socket) => socket.destroy()));
    let connections = 0;
    server.on('connection', () => (connections += 1));
    const { client, clock, errors, hasStatus } = observe(url, { retry: { base: 100, attempts: 2 } });
    const iterated = client[Symbol.asyncIterator]().next();
    for (const wait of [50, 100]) {
      await hasStatus('waiting');
      clock.advance(wait);
    }
    await expect(iterated).rejects.toMatchObject({ code: 'client/attempts-exhausted' });
    expect(errors).toEqual([
      'client/network, again in 50',
      'client/network, again in 100',
      'client/attempts-exhausted',
    ]);
    expect([client.status, connections, clock.timers]).toEqual(['failed', 3, 0]);
  });
});

describe('headers from a function', () => {
  it('are made for each connection, and again when making them failed', async () => {
    const server = await serveExchanges();
    let calls = 0;
    const headers = async (): Promise<HeadersInit> => {
      calls += 1;
      if (calls === 1) throw new Error('no token yet');
      return { authorization: `Bearer ${calls}` };
    };
    const { clock, errors, hasStatus } = observe(server.url, { headers });
    await hasStatus('waiting');
    expect(errors).toEqual(['client/headers-failed, again in 500']);
    clock.advance(500);
    const second = await server.next();
    expect(second.headers.authorization).toBe('Bearer 2');
    second.cut();
    await hasStatus('waiting');
    clock.advance(1_000);
    expect((await server.next()).headers.authorization).toBe('Bearer 3');
  });
});
