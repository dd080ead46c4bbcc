import { describe, expect, test, vi } from 'vitest';
import { createGate, turn, until } from '../../test/http/deadline.ts';
import { Frames } from '../../test/http/frames.ts';
import { startHub } from '../../test/http/hub.ts';
import { memoryLog, unauthorized } from '../index.ts';
import { sse } from './index.ts';

const URL_A = 'https://app.example/events?topic=a';

/** Reads a response bit by bit. */
function reader(response: Response): {
  frames: Frames;
  pull: () => Promise<void>;
  cancel: () => Promise<void>;
} {
  const frames = new Frames();
  const body = response.body?.getReader();
  return {
    frames,
    pull: async () => {
      const chunk = await body?.read();
      if (chunk?.value === undefined) frames.finish();
      else frames.feed(chunk.value);
    },
    cancel: async () => body?.cancel(),
  };
}

describe('A response', () => {
  test('has the headers and the bytes of a stream', async () => {
    const hub = startHub({ log: memoryLog({ epoch: 'e' }), retry: 1, heartbeat: 15_000 });
    const response = await sse(hub, { greeting: () => ({ data: 'hi' }) })(new Request(URL_A));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
    });
    const { frames, pull } = reader(response);
    await pull();
    await hub.publish('a', 1);
    await pull();
    const { data: welcome } = await frames.nextEvent();
    expect(JSON.parse(welcome)).toMatchObject({
      connection: hub.connections()[0]?.id,
      resumed: false,
      gaps: [],
    });
    expect(frames.text).toBe(
      `retry: 1\nid: e.0\nevent: tidings:welcome\ndata: ${welcome}\n\n` +
        'data: "hi"\n\nid: e.1\ndata: 1\n\n',
    );
  });

  test('keeps the headers that make it a stream, in whatever case the app writes them', async () => {
    const headers = {
      'Cache-Control': 'public',
      'content-type': 'text/plain',
      'X-Accel-Buffering': 'yes',
      'X-App': '1',
    };
    const response = await sse(startHub(), { headers })(new Request(URL_A));
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store, no-transform',
      'x-accel-buffering': 'no',
      'x-app': '1',
    });
    await response.body?.cancel();
  });

  test('without a stream has no body where HTTP allows none', async () => {
    const handle = sse(startHub());
    const head = await handle(new Request(URL_A, { method: 'HEAD' }));
    const refused = await handle(new Request('https://app.example/', { method: 'HEAD' }));
    const options = await handle(new Request(URL_A, { method: 'OPTIONS' }));
    expect([head.status, head.body, refused.status, refused.body, options.status, options.body]).toEqual([
      200,
      null,
      400,
      null,
      204,
      null,
    ]);
  });

  test('that the app refuses is a problem document', async () => {
    const handle = sse(startHub(), { authorize: () => Promise.reject(unauthorized()) });
    const response = await handle(new Request(URL_A));
    expect(response.status).toBe(401);
    expect(response.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
    expect(await response.json()).toMatchObject({ code: 'auth/unauthorized' });
  });

  test('isn’t made from the app’s own failures: those go to the framework', async () => {
    const hub = startHub();
    const failure = new Error('database gone');
    await expect(sse(hub, { topics: () => Promise.reject(failure) })(new Request(URL_A))).rejects.toBe(
      failure,
    );
    await expect(sse(hub, { authorize: () => Promise.reject(failure) })(new Request(URL_A))).rejects.toBe(
      failure,
    );
    const onConnect = (): never => {
      throw failure;
    };
    await expect(sse(hub, { onConnect })(new Request(URL_A))).rejects.toBe(failure);
    expect(hub.connections()).toEqual([]);
  });

  test('knows no address unless the app gives one', async () => {
    const hub = startHub({ limits: { connectionsPerAddress: 1 } });
    const anonymous = sse(hub);
    expect((await anonymous(new Request(URL_A))).status).toBe(200);
    expect((await anonymous(new Request(URL_A))).status).toBe(200);
    const known = sse(hub, { address: (request) => request.headers.get('x-forwarded-for') ?? undefined });
    const from = (address: string) => new Request(URL_A, { headers: { 'x-forwarded-for': address } });
    expect((await known(from('1'))).status).toBe(200);
    expect((await known(from('1'))).status).toBe(429);
    expect((await known(from('2'))).status).toBe(200);
  });
});

describe('A reader', () => {
  const data = 'x'.repeat(10_000);

  test('that does not read gets little, and everything once and in order when it reads', async () => {
    const hub = startHub();
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    await until('live', () => hub.stats().live === 1);
    for (let i = 0; i < 1000; i += 1) await hub.publish('a', data);
    await until('behind', () => hub.connections()[0]?.phase === 'behind');
    expect(hub.connections()[0]?.bytes).toBeLessThan(300_000);
    while (frames.events.length < 1000) await pull();
    expect(frames.events.map(({ id }) => Number(id?.split('.')[1]))).toEqual(
      Array.from({ length: 1000 }, (_, i) => i + 1),
    );
    await until('live', () => hub.stats().live === 1);
  });

  test('that reads slowly gets as much as it has room for', async () => {
    const hub = startHub();
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    for (let i = 0; i < 300; i += 1) await hub.publish('a', data);
    let most = 0;
    while (frames.events.length < 300) {
      await pull();
      most = Math.max(most, (hub.connections()[0]?.bytes ?? 0) - frames.text.length);
    }
    expect(most).toBeLessThan(300_000);
  });

  test('that cancels is forgotten', async () => {
    const hub = startHub();
    const onEnd = vi.fn();
    const { cancel } = reader(await sse(hub, { onConnect: () => onEnd })(new Request(URL_A)));
    await cancel();
    expect(hub.connections()).toEqual([]);
    expect(onEnd).toHaveBeenCalledOnce();
    await hub.publish('a', 1);
  });

  test('whose request is aborted is forgotten', async () => {
    const hub = startHub();
    const abort = new AbortController();
    const onEnd = vi.fn();
    const handle = sse(hub, { onConnect: () => onEnd });
    const { frames, pull } = reader(await handle(new Request(URL_A, { signal: abort.signal })));
    abort.abort();
    expect(hub.connections()).toEqual([]);
    expect(onEnd).toHaveBeenCalledOnce();
    await hub.publish('a', 1);
    while (!frames.over) await pull();
    expect(frames.events).toEqual([]);
  });

  test.each(['before the request', 'during authorize', 'in onConnect', 'at once afterwards'])(
    'whose request is aborted %s leaves nothing behind',
    async (when) => {
      const hub = startHub();
      const abort = new AbortController();
      const asked = createGate();
      const decided = createGate();
      if (when === 'before the request') abort.abort();
      const handle = sse(hub, {
        authorize: async () => {
          asked.open();
          if (when === 'during authorize') await decided.passed;
          return {};
        },
        onConnect: () => {
          if (when === 'in onConnect') abort.abort();
          if (when === 'at once afterwards') queueMicrotask(() => abort.abort());
        },
      });
      const response = handle(new Request(URL_A, { signal: abort.signal })).catch(() => undefined);
      await asked.passed;
      if (when === 'during authorize') abort.abort();
      decided.open();
      await response;
      await turn();
      expect(hub.connections()).toEqual([]);
    },
  );

  test('gets the goodbye before the end', async () => {
    const hub = startHub();
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    await pull();
    hub.disconnect(() => true);
    while (!frames.over) await pull();
    expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
    await until('no connections', () => hub.connections().length === 0);
  });

  test('keeps a closing hub waiting until it has taken everything sent to it', async () => {
    const hub = startHub();
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    await until('live', () => hub.stats().live === 1);
    for (let n = 1; n <= 3; n += 1) await hub.publish('a', n);
    let isClosed = false;
    const closed = hub.close().then(() => (isClosed = true));
    await turn();
    await pull();
    await turn();
    expect([isClosed, frames.over]).toEqual([false, false]);
    while (!frames.over) await pull();
    expect(frames.events.map(({ data }) => data)).toEqual(['1', '2', '3']);
    expect(frames.all.at(-1)?.type).toBe('tidings:goodbye');
    await closed;
  });

  test('that does not take the goodbye is dropped after the stall time', async () => {
    const hub = startHub({ stallTimeout: 50 });
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    await until('live', () => hub.stats().live === 1);
    hub.disconnect(() => true);
    expect(hub.connections()).toMatchObject([{ phase: 'ending' }]);
    await until('no connections', () => hub.connections().length === 0);
    await expect(async () => {
      while (!frames.over) await pull();
    }).rejects.toThrow();
  });

  test('that takes nothing is dropped after the stall time', async () => {
    const hub = startHub({ stallTimeout: 50 });
    const { frames, pull } = reader(await sse(hub)(new Request(URL_A)));
    for (let i = 0; i < 100; i += 1) await hub.publish('a', data);
    await until('no connections', () => hub.connections().length === 0);
    expect(hub.stats().stalled).toBe(1);
    await expect(async () => {
      while (!frames.over) await pull();
    }).rejects.toThrow();
  });
});
