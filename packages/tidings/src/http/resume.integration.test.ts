import { describe, expect, test } from 'vitest';
import { type AskOptions, type Reply, ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { type Hub, type Retention, memoryLog } from '../index.ts';

const start = (retention: Retention = {}) => startNode({}, { log: memoryLog({ epoch: 'now', retention }) });

async function publish(hub: Hub, topic: string, ...data: readonly unknown[]): Promise<void> {
  for (const each of data) await hub.publish(topic, each);
}

interface Begun {
  readonly cursor: string | undefined;
  readonly resumed: boolean;
  readonly gaps: readonly unknown[];
  /** Data of the events up to the one that says "end". */
  readonly events: readonly string[];
}

/** Connects, publishes "end" on topic `a` once there is nothing left to replay, and collects everything up to it. */
async function begin(hub: Hub, url: string, options: AskOptions = {}): Promise<Begun> {
  const { frames } = await ask(url, options);
  const { id: cursor, type, data } = await frames.nextEvent();
  expect(type).toBe('tidings:welcome');
  // A small log would trim what is still to be replayed.
  await until('a live connection', () => hub.stats().live === 1);
  await hub.publish('a', 'end');
  await frames.until('last event', () => frames.events.at(-1)?.data === '"end"');
  const { resumed, gaps } = JSON.parse(data) as Begun;
  return { cursor, resumed, gaps, events: frames.events.slice(0, -1).map((event) => event.data ?? '') };
}

describe('A connection begins', () => {
  test('at the head without a cursor', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2);
    expect(await begin(hub, `${url}/?topic=a`)).toEqual({
      cursor: 'now.2',
      resumed: false,
      gaps: [],
      events: [],
    });
  });

  test('right after the cursor of the Last-Event-ID header', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2, 3);
    const headers = { 'last-event-id': 'now.1' };
    const begun = await begin(hub, `${url}/?topic=a`, { headers });
    expect(begun).toEqual({ cursor: 'now.1', resumed: true, gaps: [], events: ['2', '3'] });
  });

  test('right after the cursor in the URL, which a page was rendered with', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1);
    const cursor = hub.cursor();
    await publish(hub, 'a', 2);
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=${cursor}`);
    expect(begun).toEqual({ cursor: 'now.1', resumed: true, gaps: [], events: ['2'] });
  });

  test('where the header says, if the URL says otherwise', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2, 3);
    const headers = { 'last-event-id': 'now.2' };
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=now.0`, { headers });
    expect(begun).toMatchObject({ cursor: 'now.2', resumed: true, events: ['3'] });
  });

  test('where the URL says, if the header is empty', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2);
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=now.1`, {
      headers: { 'last-event-id': '' },
    });
    expect(begun).toMatchObject({ cursor: 'now.1', resumed: true, events: ['2'] });
  });

  test('at the head with a cursor that stands there, exactly resumed', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1);
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=now.1`);
    expect(begun).toEqual({ cursor: 'now.1', resumed: true, gaps: [], events: [] });
  });

  test('before everything that is retained, if it asks for the earliest', async () => {
    const { hub, url } = await start({ events: 3 });
    await publish(hub, 'a', 1, 2, 3, 4, 5);
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=earliest`);
    expect(begun).toEqual({ cursor: 'now.2', resumed: false, gaps: [], events: ['3', '4', '5'] });
  });
});

describe('A cursor that can’t be resumed from leads to a gap, and never fails the request', () => {
  const both = '/?topic=a&pattern=b/:id';
  const topics = ['a', { pattern: 'b/:id' }];

  test.each([
    ['not a cursor', 'rubbish'],
    ['text that would forge a field', 'now.1%0d%0aevent:%20x'],
    ['a negative seq', 'now.-1'],
    ['a fraction', 'now.1.5'],
    ['leading zeros', 'now.01'],
    ['more than a safe integer', 'now.9007199254740993'],
    ['no epoch', '.1'],
    ['a very long text', 'x'.repeat(8000)],
    ['ahead of the log', 'now.4'],
  ])('%s: unknown-cursor', async (_what, cursor) => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2, 3);
    const begun = await begin(hub, `${url}${both}&last_event_id=${cursor}`);
    const gaps = [{ topics, reason: 'unknown-cursor' }];
    expect(begun).toEqual({ cursor: 'now.3', resumed: false, gaps, events: [] });
  });

  test('two of them at once: unknown-cursor', async () => {
    const { hub, port } = await start();
    await publish(hub, 'a', 1);
    const peer = await RawClient.connect(port);
    peer
      .read()
      .send('GET /?topic=a HTTP/1.1\r\nHost: x\r\nLast-Event-ID: now.0\r\nLast-Event-ID: now.1\r\n\r\n');
    const { data } = await peer.frames.nextEvent();
    expect(JSON.parse(data)).toMatchObject({ gaps: [{ topics: ['a'], reason: 'unknown-cursor' }] });
  });

  test('bytes that are not ASCII: unknown-cursor', async () => {
    const { port } = await start();
    const peer = await RawClient.connect(port);
    peer.socket.write(
      Buffer.from('GET /?topic=a HTTP/1.1\r\nHost: x\r\nLast-Event-ID: \xff\xfe\r\n\r\n', 'latin1'),
    );
    const { data } = await peer.read().frames.nextEvent();
    expect(JSON.parse(data)).toMatchObject({
      resumed: false,
      gaps: [{ topics: ['a'], reason: 'unknown-cursor' }],
    });
  });

  test('one of an earlier process: epoch', async () => {
    const { hub, url } = await start();
    await publish(hub, 'a', 1, 2);
    const begun = await begin(hub, `${url}${both}&last_event_id=before.1`);
    expect(begun).toEqual({
      cursor: 'now.2',
      resumed: false,
      gaps: [{ topics, reason: 'epoch' }],
      events: [],
    });
  });

  test('one that retention has passed: trimmed, only for the topics that lost events, then the remaining events', async () => {
    const { hub, url } = await start({ events: 3 });
    await publish(hub, 'a', 1);
    await publish(hub, 'b/1', 2);
    await publish(hub, 'c', 3);
    await publish(hub, 'b/2', 4);
    await publish(hub, 'a', 5, 6);
    const begun = await begin(hub, `${url}/?topic=a&topic=c&pattern=b/:id&last_event_id=now.1`);
    const gaps = [{ topics: ['c', { pattern: 'b/:id' }], reason: 'trimmed' }];
    expect(begun).toMatchObject({ cursor: 'now.1', resumed: false, gaps, events: ['4', '5', '6'] });
  });

  test('retention that took no event asked for makes no gap', async () => {
    const { hub, url } = await start({ events: 2 });
    await publish(hub, 'elsewhere', 1, 2, 3);
    await publish(hub, 'a', 4);
    const begun = await begin(hub, `${url}/?topic=a&last_event_id=now.0`);
    expect(begun).toMatchObject({ resumed: true, gaps: [], events: ['4'] });
  });
});

test('Over any number of cuts a subscriber gets each event once and in order', async () => {
  const { hub, url } = await start();
  const received: number[] = [];
  let cursor = hub.cursor();
  let published = 0;
  const publishSome = async (): Promise<void> => {
    for (let i = 0; i < 37; i += 1) {
      published += 1;
      await hub.publish(published % 3 === 0 ? 'b' : 'a', published);
    }
  };
  for (let round = 0; round < 10; round += 1) {
    await publishSome();
    const reply: Reply = await ask(`${url}/?topic=a&topic=b`, { headers: { 'last-event-id': cursor } });
    await reply.frames.nextEvent();
    const during = publishSome();
    // Read only a part, while more is being published.
    for (let i = 0; i < 20 + round * 5; i += 1) {
      const { data, id } = await reply.frames.nextEvent();
      received.push(Number(data));
      cursor = id ?? cursor;
    }
    reply.cut();
    await during;
  }
  const { frames } = await ask(`${url}/?topic=a&topic=b`, { headers: { 'last-event-id': cursor } });
  await frames.until('all events', () => received.length + frames.events.length === published);
  const all = [...received, ...frames.events.map(({ data }) => Number(data))];
  expect(all).toEqual(Array.from({ length: published }, (_, i) => i + 1));
});
