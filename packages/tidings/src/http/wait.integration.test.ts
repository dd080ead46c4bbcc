import { describe, expect, test } from 'vitest';
import { type Reply, ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { startHub, startNode } from '../../test/http/hub.ts';
import { stacks } from '../../test/http/stacks.ts';
import { createHub, memoryLog } from '../index.ts';
import { gzip } from '../node/gzip.ts';
import { waitOf } from './wait.ts';

async function whole(reply: Promise<Reply>): Promise<Reply['frames']> {
  const { status, frames } = await reply;
  expect(status).toBe(200);
  await frames.end();
  expect([frames.error, frames.rest]).toEqual([undefined, '']);
  expect(frames.all.at(-1)?.text).toMatch(
    /^retry: 250\n(id: .*\n)?event: tidings:goodbye\ndata: {"reason":"wait","retry":250}$/,
  );
  return frames;
}

const data = (frames: Reply['frames']): unknown[] =>
  frames.events.map((event) => JSON.parse(event.data ?? ''));

test('The time to wait is in whole seconds, at most a minute; anything else asks for a stream', () => {
  const waits = ['25', '0', '60', '61', '1000000', '', '-1', '1.5', 'yes'].map((wait) =>
    waitOf(new URLSearchParams({ wait })),
  );
  expect(waits).toEqual([25_000, 0, 60_000, 60_000, 60_000, undefined, undefined, undefined, undefined]);
  expect(waitOf(new URLSearchParams())).toBeUndefined();
});

describe.each(stacks.filter(({ name }) => /^(node:http|node:http2|Express|Fastify|Koa|Hono)$/.test(name)))(
  'On $name, a request that waits',
  ({ start, ask: request }) => {
    test('gets the events after its cursor, and ends', async () => {
      const hub = startHub();
      const { url } = await start(hub);
      const cursor = hub.cursor();
      await hub.publish('a', 1);
      await hub.publish('b', 'not asked for');
      await hub.publish('a', 2);
      const frames = await whole(request(`${url}/events?topic=a&wait=25&last_event_id=${cursor}`));
      expect(data(frames)).toEqual([1, 2]);
      expect(JSON.parse(frames.all[0]?.data ?? '')).toMatchObject({ resumed: true, gaps: [] });
      expect(frames.events.at(-1)?.id).toBe(hub.cursor());
      await until('no connections', () => hub.connections().length === 0);
    });

    test('waits for the next event if there is none', async () => {
      const hub = startHub();
      const { url } = await start(hub);
      const reply = whole(request(`${url}/events?topic=a&wait=25`));
      await until('live', () => hub.stats().live === 1);
      await Promise.all([hub.publish('a', 1), hub.publish('a', 2)]);
      expect(data(await reply)).toEqual([1, 2]);
    });

    test('ends empty after its time, without heartbeats', async () => {
      const hub = startHub({ heartbeat: 50 });
      const { url } = await start(hub);
      const before = performance.now();
      const frames = await whole(request(`${url}/events?topic=a&wait=1`));
      expect(performance.now() - before).toBeGreaterThan(900);
      expect(frames.all.map(({ type }) => type)).toEqual(['tidings:welcome', 'tidings:goodbye']);
    });
  },
);

describe('A request that waits', () => {
  test('0 seconds brings the events there are, and does not wait for more', async () => {
    const { hub, url } = await startNode();
    await hub.publish('a', 1);
    expect(data(await whole(ask(`${url}/?topic=a&wait=0&last_event_id=earliest`)))).toEqual([1]);
    expect(data(await whole(ask(`${url}/?topic=a&wait=0`)))).toEqual([]);
  });

  test('0 seconds is nobody’s presence, a longer one is', async () => {
    const { hub, url } = await startNode({}, { presence: [{ match: 'room', grace: 60_000 }] });
    for (let i = 0; i < 3; i += 1) await whole(ask(`${url}/?topic=room&wait=0`));
    expect(hub.presence('room').count).toBe(0);
    await whole(ask(`${url}/?topic=room&wait=1`));
    expect(hub.presence('room').count).toBe(1);
  });

  test('ends with the cursor of the head, even if what came last was for others', async () => {
    const { hub, url } = await startNode();
    const cursor = hub.cursor();
    await hub.publish('b', 'not asked for');
    const { all } = await whole(ask(`${url}/?topic=a&wait=0&last_event_id=${cursor}`));
    expect(all.at(-1)?.id).toBe(hub.cursor());
  });

  test('gets everything over many answers, each of bounded size', async () => {
    const { hub, url } = await startNode();
    for (let n = 0; n < 300; n += 1) await hub.publish('a', `${n} ${'x'.repeat(20_000)}`);
    let cursor = 'earliest';
    const received: number[] = [];
    let answers = 0;
    while (received.length < 300) {
      const frames = await whole(ask(`${url}/?topic=a&wait=5&last_event_id=${cursor}`));
      expect(frames.text.length).toBeLessThan(2_000_000);
      received.push(...data(frames).map((text) => Number.parseInt(String(text), 10)));
      cursor = frames.all.findLast(({ id }) => id !== undefined)?.id ?? '';
      answers += 1;
    }
    expect(received).toEqual(Array.from({ length: 300 }, (_, n) => n));
    expect(answers).toBeGreaterThan(3);
  });

  test('gets a whole snapshot, however large, and the cursor after it', async () => {
    const hub = createHub({ log: memoryLog({ topics: [{ match: 'load', state: true }] }) });
    const { url } = await stacks[0]!.start(hub);
    for (let n = 0; n < 100; n += 1) await hub.publish('load', 'x'.repeat(20_000), { key: `k${n}` });
    const frames = await whole(ask(`${url}/events?topic=load&wait=5`));
    expect(frames.events).toHaveLength(100);
    expect(frames.all.findLast(({ id }) => id !== undefined)?.id).toBe(hub.cursor());
    await hub.close({ within: 0 });
  });

  test('is compressed like any other, as one whole', async () => {
    const { hub, url } = await startNode({}, { compression: gzip() });
    await hub.publish('a', 1);
    const headers = { 'accept-encoding': 'gzip' };
    const reply = await ask(`${url}/?topic=a&wait=5&last_event_id=earliest`, { headers });
    expect(reply.headers['content-encoding']).toBe('gzip');
    await reply.frames.end();
    expect(reply.frames.error).toBeUndefined();
    expect(data(reply.frames)).toEqual([1]);
  });

  test('gets a goodbye like any other when the hub closes', async () => {
    const { hub, url } = await startNode();
    const { frames } = await ask(`${url}/?topic=a&wait=60`);
    await frames.nextEvent();
    await hub.close();
    await frames.end();
    expect(frames.all.at(-1)?.data).toContain('"drain"');
  });
});
