import { describe, expect, test } from 'vitest';
import { createPatternSyntax } from '../src/http/index.ts';
import type { Format } from '../src/hub/delivery/format.ts';
import { parseStart } from '../src/protocol/cursor.ts';
import { startHub } from './fixture.ts';
import { type Hub, type OwnConnection, createMatcherSet, gatewayOf } from './internals.ts';
import { settle } from './peer.ts';

const encoder = new TextEncoder();

/** A protocol that writes a line for whatever happens. */
const lines: Format = {
  name: 'lines',
  welcome: (_welcome, _retry, cursor) => encoder.encode(`from ${cursor}\n`),
  events: (entries) => encoder.encode(entries.map(({ data }) => `${data}\n`).join('')),
  gap: ({ gaps }) => encoder.encode(`gap ${gaps[0]?.reason}\n`),
  subscribed: () => encoder.encode('subscribed\n'),
  expiring: () => encoder.encode('expiring\n'),
  goodbye: ({ reason }) => encoder.encode(`bye ${reason}\n`),
  alone: (frames) => encoder.encode(frames),
  heartbeat: (cursor) => encoder.encode(`at ${cursor}\n`),
};

interface Reader {
  readonly connection: OwnConnection;
  readonly text: () => string;
  open(): void;
}

function connect(
  hub: Hub,
  cursor?: string,
  { topics = ['a'], ...more }: { topics?: readonly string[]; otherwise?: 'earliest' } = {},
): Reader {
  const connection = gatewayOf(hub).admit({
    wanted: createMatcherSet(topics),
    granted: createMatcherSet([]),
    start: parseStart(cursor),
    reconnects: false,
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: undefined,
    protocol: 'test',
    format: lines,
    ...more,
  });
  let text = '';
  const take = (bytes: Uint8Array): void => void (text += new TextDecoder().decode(bytes));
  return {
    connection,
    text: () => text,
    open: () =>
      connection.open(
        {
          write(bytes) {
            take(bytes);
            return true;
          },
          end: take,
          destroy: () => {},
        },
        '',
      ),
  };
}

describe('a stream of another protocol', () => {
  test('is written in its own format: what was missed, what is live, heartbeats and the goodbye', async () => {
    const { hub, clock, publish } = startHub();
    await publish('a', 1, 2);
    const reader = connect(hub, 'e.1');
    reader.open();
    await settle();
    await publish('a', 3);
    clock.tick();
    clock.advance(16_000);
    await settle();
    reader.connection.end('evicted', 100);
    expect(reader.text()).toBe('from e.1\n2\n3\nat e.3\nbye evicted\n');
  });

  test('shares no output with a stream of the hub’s own protocol', async () => {
    const { hub, clock, follow, publish } = startHub();
    const reader = connect(hub);
    reader.open();
    const peer = await follow();
    await publish('a', 1);
    clock.tick();
    peer.receive();
    expect(reader.text()).toBe('from e.0\n1\n');
    expect(peer.events.at(-1)?.data).toBe('1');
  });

  test('gets no snapshot of state topics if its format has none', async () => {
    const { hub, clock } = startHub({ topics: [{ match: 'a', state: true }] });
    await hub.publish('a', 1, { key: 'k' });
    const reader = connect(hub);
    reader.open();
    await settle();
    await hub.publish('a', 2, { key: 'k' });
    clock.tick();
    expect(reader.text()).toBe('from e.1\n2\n');
  });

  test('can be told where it begins before it opens, and misses nothing in between', async () => {
    const { hub, publish } = startHub();
    await publish('a', 1, 2);
    const reader = connect(hub, 'e.1');
    expect(await reader.connection.locate()).toEqual({ cursor: 'e.1', resumed: true, gaps: [] });
    await publish('a', 3);
    reader.open();
    await settle();
    expect(reader.text()).toBe('from e.1\n2\n3\n');
  });

  test('learns of a gap before it opens', async () => {
    const { hub, publish } = startHub({ retention: { events: 2 } });
    await publish('a', 1, 2, 3, 4);
    const { resumed, gaps } = await connect(hub, 'e.1').connection.locate();
    expect(resumed).toBe(false);
    expect(gaps).toEqual([{ topics: ['a'], reason: 'trimmed' }]);
  });

  test.each([
    ['of another log', 'f.3', 'epoch'],
    ['that is none', 'whatever', 'unknown-cursor'],
    ['ahead of the log', 'e.9', 'unknown-cursor'],
  ])('may begin with the oldest event for a cursor %s', async (_, cursor, reason) => {
    const { hub, publish } = startHub();
    await publish('a', 1, 2);
    const reader = connect(hub, cursor, { otherwise: 'earliest' });
    const { gaps, resumed } = await reader.connection.locate();
    expect(gaps).toEqual([{ topics: ['a'], reason }]);
    expect(resumed).toBe(false);
    reader.open();
    await settle();
    expect(reader.text()).toBe('from e.0\n1\n2\n');
  });
});

describe('an event’s tag', () => {
  test('finds the earliest event that has it', async () => {
    const { hub } = startHub();
    await hub.publish('a', 1);
    const { cursor } = await hub.publish('b', 2, { tags: { id: 'x' } });
    await hub.publish('a', 3, { tags: { id: 'x' } });
    expect(await gatewayOf(hub).find('id', 'x')).toBe(cursor);
    expect(await gatewayOf(hub).find('id', 'y')).toBeUndefined();
    expect(await gatewayOf(hub).find('other', 'x')).toBeUndefined();
    expect(await gatewayOf(hub).find('id', '\n')).toBeUndefined();
  });

  test('finds nothing once retention took the event, or a later one that has it', async () => {
    const { hub, publish } = startHub({ retention: { events: 3 } });
    await hub.publish('a', 1, { tags: { id: 'x' } });
    await hub.publish('a', 2);
    const { cursor } = await hub.publish('a', 3, { tags: { id: 'x' } });
    await publish('a', 4);
    expect(await gatewayOf(hub).find('id', 'x')).toBe(cursor);
    await publish('a', 5, 6, 7);
    expect(await gatewayOf(hub).find('id', 'x')).toBeUndefined();
  });

  test('is not on the wire, and is not among the topics that readers in this process get', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    const items = hub.subscribe('a');
    await items.next();
    const next = items.next();
    await hub.publish(['a', 'b'], 1, { tags: { id: 'hidden' } });
    clock.tick();
    peer.receive();
    expect(peer.events.at(-1)?.data).toBe('1');
    expect(peer.wire).not.toContain('hidden');
    expect((await next).value).toMatchObject({ topics: ['a', 'b'], tags: { id: 'hidden' } });
    await items.return?.();
  });

  test('doesn’t make two events one', async () => {
    const { hub } = startHub();
    await hub.publish('a', 1, { tags: { id: 'x' } });
    expect((await hub.publish('a', 1, { tags: { id: 'x' } })).duplicate).toBe(false);
  });
});

describe('a pattern in another syntax, on a connection', () => {
  test('brings live and missed events, and is named in gaps', async () => {
    const syntax = createPatternSyntax({
      name: 'ends',
      subjectOf: (topic) => ({ text: topic }),
      compile: (text) => ({ beginning: '', matches: (subject) => subject.text.endsWith(text) }),
    });
    const pattern = syntax.pattern('/news');
    const { clock, publish, follow } = startHub({ retention: { events: 3 } });
    await publish('x/news', 1, 2, 3, 4);
    await publish('x/other', 5);
    const peer = await follow({ topics: [pattern] }, 'e.1');
    await publish('y/news', 6);
    clock.tick();
    peer.receive();
    expect(peer.events.slice(1).map(({ data }) => data)).toEqual(['3', '4', '6']);
    expect(JSON.parse(peer.events[0]?.data ?? '')).toMatchObject({
      gaps: [{ topics: [{ pattern: '/news', syntax: 'ends' }], reason: 'trimmed' }],
    });
  });
});
