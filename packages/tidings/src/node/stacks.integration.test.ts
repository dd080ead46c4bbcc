import { describe, expect, test, vi } from 'vitest';
import { createGate, turn, until, within } from '../../test/http/deadline.ts';
import { startHub } from '../../test/http/hub.ts';
import { stacks } from '../../test/http/stacks.ts';
import { memoryLog, unauthorized } from '../index.ts';

/** The behaviour of a hub in every framework and server. */
describe.each(stacks)('On $name', ({ ask, start, protocol }) => {
  test('a stream has the headers that keep proxies, caches and compression off', async () => {
    const hub = startHub();
    const { url } = await start(hub, { headers: { 'X-App': 'yes' } });
    const reply = await ask(`${url}/events?topic=a`);
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-app': 'yes',
    });
    expect(reply.headers['content-encoding']).toBeUndefined();
    expect(reply.headers['content-length']).toBeUndefined();
    expect(hub.connections()).toMatchObject([{ protocol, topics: ['a'] }]);
  });

  test('the bytes are: welcome, greeting, then events as they are published', async () => {
    const hub = startHub({ log: memoryLog({ epoch: 'e' }), heartbeat: 15_000, retry: 1234 });
    const { url } = await start(hub, {
      greeting: () => [
        { type: 'state', data: { n: 1 } },
        { data: 'two\r\nlines', raw: true },
      ],
    });
    const { frames } = await ask(`${url}/events?topic=a&pattern=b/:id`);
    await until('live connection', () => hub.connections()[0]?.phase === 'live');
    const [connection] = hub.connections();
    await hub.publish('a', { price: '3 €' });
    await hub.publish('other', 'not asked for');
    await hub.publish(['x', 'b/7'], 'a\nb\rc', { type: 'tick', raw: true });
    await frames.until('events', () => frames.all.length === 5);
    const { data: welcome } = await frames.nextEvent();
    expect(JSON.parse(welcome)).toEqual({
      connection: connection?.id,
      secret: expect.any(String),
      resumed: false,
      gaps: [],
      heartbeat: 15_000,
    });
    expect(frames.text).toBe(
      `retry: 1234\nid: e.0\nevent: tidings:welcome\ndata: ${welcome}\n\n` +
        'event: state\ndata: {"n":1}\n\n' +
        'data: two\ndata: lines\n\n' +
        'id: e.1\ndata: {"price":"3 €"}\n\n' +
        'id: e.3\nevent: tick\ndata: a\ndata: b\ndata: c\n\n',
    );
  });

  test('no event is lost between a greeting’s state and the events that change it', async () => {
    const hub = startHub();
    let state = 1;
    const { url } = await start(hub, {
      greeting: () => {
        queueMicrotask(() => {
          state = 2;
          void hub.publish('a', state);
        });
        return { type: 'state', data: state };
      },
    });
    const { frames } = await ask(`${url}/events?topic=a`);
    expect((await frames.nextEvent()).type).toBe('tidings:welcome');
    expect(await frames.nextEvent()).toMatchObject({ type: 'state', data: '1' });
    expect(await frames.nextEvent()).toMatchObject({ type: 'message', data: '2' });
  });

  test('a quiet connection gets heartbeats with its cursor, and nothing else', async () => {
    const hub = startHub({ log: memoryLog({ epoch: 'e' }), heartbeat: 40 });
    const { url } = await start(hub);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    expect((await frames.next()).text).toBe('id: e.0');
    await hub.publish('elsewhere', 1);
    await frames.until('heartbeat of the new head', () => frames.all.some(({ text }) => text === 'id: e.1'));
  });

  test('a drain says goodbye, ends the stream in order and refuses new connections', async () => {
    const hub = startHub({ retry: 100 });
    const { url } = await start(hub);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    await hub.publish('a', 'last');
    const closed = hub.close();
    const refused = await ask(`${url}/events?topic=a`);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(await refused.json()).toMatchObject({ code: 'hub/unavailable', status: 503 });
    expect(await frames.nextEvent()).toMatchObject({ data: '"last"' });
    const { text, retry, data } = await frames.nextEvent();
    expect(text).toBe(`retry: ${retry}\nevent: tidings:goodbye\ndata: {"reason":"drain","retry":${retry}}`);
    expect(JSON.parse(data)).toMatchObject({ retry });
    await frames.end();
    expect(frames.error).toBeUndefined();
    expect(frames.rest).toBe('');
    await closed;
    expect(hub.connections()).toEqual([]);
  });

  test('closing the hub, then the server, ends both although a stream was open', async () => {
    const hub = startHub();
    const { url, server } = await start(hub);
    const { frames } = await ask(`${url}/events?topic=a`);
    await frames.nextEvent();
    await hub.close();
    await within('end of the server', new Promise((resolve) => server.close(resolve)));
    await frames.end();
    expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
  });

  test('a refusal is a problem document', async () => {
    const { url } = await start(startHub(), {
      authorize: () => {
        throw unauthorized('Who are you?');
      },
    });
    const reply = await ask(`${url}/events?topic=a`);
    expect(reply.status).toBe(401);
    expect(reply.headers).toMatchObject({
      'content-type': 'application/problem+json; charset=utf-8',
      'cache-control': 'no-store',
      'www-authenticate': 'Bearer',
    });
    expect(await reply.json()).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: 'Who are you?',
      code: 'auth/unauthorized',
    });
  });

  test('HEAD gets the headers of the stream, and no connection', async () => {
    const hub = startHub();
    const { url } = await start(hub);
    const reply = await ask(`${url}/events?topic=a`, { method: 'HEAD' });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    await reply.frames.end();
    expect(reply.frames.text).toBe('');
    expect(hub.stats().connected).toBe(0);
  });

  test('another method is answered 405 with what is allowed', async () => {
    const { url } = await start(startHub());
    const reply = await ask(`${url}/events?topic=a`, { method: 'PUT' });
    expect(reply.status).toBe(405);
    expect(reply.headers.allow).toBe('GET, HEAD, POST, OPTIONS');
    expect(await reply.json()).toMatchObject({ code: 'request/method-not-allowed' });
  });

  test('a POST changes the stream’s topics', async () => {
    const hub = startHub();
    const { url } = await start(hub);
    const { frames } = await ask(`${url}/events?topic=a`);
    const { connection, secret } = JSON.parse((await frames.nextEvent()).data) as Record<string, string>;
    const json = { connection, secret, add: ['b'], drop: ['a'] };
    const reply = await ask(`${url}/events`, { method: 'POST', json });
    expect(reply.status).toBe(200);
    expect(await reply.json()).toEqual({ cursor: hub.cursor(), topics: ['b'] });
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    expect(await frames.nextEvent()).toMatchObject({ type: 'tidings:subscribed', data: '{"topics":["b"]}' });
    expect(await frames.nextEvent()).toMatchObject({ type: 'message', data: '2' });
  });

  test('a preflight is answered with the permission', async () => {
    const { url } = await start(startHub(), { cors: { origin: 'https://app.example' } });
    const reply = await ask(`${url}/events`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example', 'access-control-request-method': 'GET' },
    });
    expect(reply.status).toBe(204);
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': 'https://app.example',
      'access-control-allow-methods': 'GET, HEAD, POST',
    });
  });

  test('a connection that is cut is forgotten, and resumes exactly where it was', async () => {
    const log = vi.spyOn(console, 'error');
    const hub = startHub({ log: memoryLog({ epoch: 'e' }) });
    const { url } = await start(hub);
    const first = await ask(`${url}/events?topic=a`);
    await first.frames.nextEvent();
    await hub.publish('a', 1);
    const { id } = await first.frames.nextEvent();
    first.cut();
    await until('no connections', () => hub.connections().length === 0);
    await hub.publish('a', 2);
    await hub.publish('b', 'not asked for');
    await hub.publish('a', 3);
    const second = await ask(`${url}/events?topic=a`, { headers: { 'last-event-id': id ?? '' } });
    expect(JSON.parse((await second.frames.nextEvent()).data)).toMatchObject({ resumed: true, gaps: [] });
    await hub.publish('a', 4);
    const rest = [
      await second.frames.nextEvent(),
      await second.frames.nextEvent(),
      await second.frames.nextEvent(),
    ];
    expect(rest.map(({ id: cursor, data }) => [cursor, data])).toEqual([
      ['e.2', '2'],
      ['e.4', '3'],
      ['e.5', '4'],
    ]);
    // A peer that left is nothing to report.
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });

  test('an error of the app’s own function goes to the app: 500, and nothing left behind', async () => {
    const hub = startHub();
    const onError = vi.fn();
    const failure = new Error('database gone');
    const { url } = await start(
      hub,
      {
        greeting: () => {
          throw failure;
        },
      },
      onError,
    );
    const reply = await ask(`${url}/events?topic=a`);
    expect(reply.status).toBe(500);
    await reply.frames.end();
    expect(reply.frames.text).not.toContain('database');
    expect(onError.mock.calls[0]?.[0]).toBe(failure);
    expect(hub.connections()).toEqual([]);
  });

  test.each(['grants', 'refuses', 'fails'] as const)(
    'a visitor that leaves during authorization leaves nothing behind, if authorize then %s',
    async (verdict) => {
      const hub = startHub();
      const asked = createGate();
      const decided = createGate();
      const onError = vi.fn();
      const onConnect = vi.fn();
      const { url, sockets } = await start(
        hub,
        {
          authorize: async () => {
            asked.open();
            await decided.passed;
            if (verdict === 'refuses') throw unauthorized();
            if (verdict === 'fails') throw new Error('database gone');
            return {};
          },
          onConnect,
        },
        onError,
      );
      const unhandled = vi.fn();
      process.on('unhandledRejection', unhandled);
      const leaving = new AbortController();
      const reply = ask(`${url}/events?topic=a`, { signal: leaving.signal });
      await asked.passed;
      leaving.abort();
      await expect(reply).rejects.toMatchObject({ name: 'AbortError' });
      await until('closed sockets', () => sockets.size === 0);
      decided.open();
      await turn();
      await until('no connections', () => hub.connections().length === 0);
      process.off('unhandledRejection', unhandled);
      expect(unhandled).not.toHaveBeenCalled();
      expect(onConnect).not.toHaveBeenCalled();
    },
  );
});
