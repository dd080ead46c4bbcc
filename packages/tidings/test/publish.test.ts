import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dataOf, startHub } from './fixture.ts';

describe('publishing', () => {
  test('answers with the cursor right after the event', async () => {
    const { hub, follow, publish } = startHub();
    expect(await hub.publish('a', 1)).toEqual({ cursor: 'e.1', seq: 1, duplicate: false });
    expect(await hub.publish('a', 2)).toEqual({ cursor: 'e.2', seq: 2, duplicate: false });
    expect(hub.cursor()).toBe('e.2');
    await publish('a', 3);
    expect(dataOf(await follow({}, 'e.2'))).toEqual(['3']);
    expect(dataOf(await follow({}, 'e.1'))).toEqual(['2', '3']);
  });

  test('sends JSON, or raw text if asked to', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    const from = peer.wire.length;
    await hub.publish('a', { text: 'two\nlines' }, { type: 'note' });
    await hub.publish('a', 'two\r\nlines\r', { raw: true });
    clock.tick();
    peer.receive();
    expect(peer.wire.slice(from)).toBe(
      'id: e.1\nevent: note\ndata: {"text":"two\\nlines"}\n\nid: e.2\ndata: two\ndata: lines\ndata: \n\n',
    );
  });

  test('refuses options and events that are no objects', async () => {
    const { hub } = startHub();
    const invalid = { code: 'event/invalid-option', status: 400 };
    for (const options of [null, 'private', 5, [], () => {}])
      await expect(hub.publish('a', 1, options as never)).rejects.toMatchObject(invalid);
    for (const event of [null, undefined, 'a'])
      await expect(hub.publishAll([event as never])).rejects.toMatchObject(invalid);
    expect(hub.cursor()).toBe('e.0');
  });

  test('takes options from a frozen object, one without a prototype, and one that inherits them', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    await hub.publish('a', 1, Object.freeze({ private: true }));
    await hub.publish('a', 2, Object.assign(Object.create(null) as object, { private: true }));
    await hub.publish('a', 3, Object.create({ private: true }) as object);
    await expect(hub.publish('a', 4, Object.create({ privat: true }) as object)).rejects.toThrow('privat');
    await expect(
      hub.publish('a', 5, JSON.parse('{"__proto__": {"private": true}}') as object),
    ).rejects.toMatchObject({ code: 'event/invalid-option' });
    clock.tick();
    peer.receive();
    expect([hub.cursor(), dataOf(peer)]).toEqual(['e.3', []]);
  });

  test('says which of several events is invalid, and appends none of them', async () => {
    const { hub } = startHub();
    const events = [
      { topics: 'a', data: 1 },
      { topics: 'a', data: 2, key: '' },
      { topics: '', data: 3 },
    ];
    await expect(hub.publishAll(events)).rejects.toMatchObject({
      code: 'event/invalid-key',
      status: 400,
      details: { key: '', index: 1 },
    });
    expect(hub.cursor()).toBe('e.0');
  });

  test('reaches each connection on any of the topics once', async () => {
    const { clock, follow, publish } = startHub();
    const peers = await Promise.all([
      follow({ topics: ['a', 'b', { pattern: '*' }] }),
      follow({ topics: ['b'] }),
      follow({ topics: ['c'] }),
    ]);
    await publish(['a', 'b'], 1);
    clock.tick();
    for (const peer of peers) peer.receive();
    expect(peers.map(dataOf)).toEqual([['1'], ['1'], []]);
  });

  test('keeps the order of the calls, even if they don’t wait for each other', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    await Promise.all(numbers.map((i) => hub.publish('a', i)));
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual(numbers.map(String));
  });

  test('an event with a known id answers with the first one’s cursor and sends nothing', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow({ topics: ['a', 'b'] });
    await hub.publish('a', 1, { id: 'once' });
    await hub.publish('a', 2);
    expect(await hub.publish('b', 'other data', { id: 'once' })).toEqual({
      cursor: 'e.1',
      seq: 1,
      duplicate: true,
    });
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual(['1', '2']);
  });

  test.each([
    ['topic/missing', [], 1, {}],
    ['topic/invalid', 'a\n', 1, {}],
    ['topic/invalid', 5, 1, {}],
    ['event/invalid-data', 'a', undefined, {}],
    ['event/invalid-data', 'a', 1, { raw: true }],
    ['event/invalid-type', 'a', 1, { type: 'a\r\nid: x' }],
    ['event/invalid-type', 'a', 1, { type: 'tidings:goodbye' }],
    ['event/invalid-id', 'a', 1, { id: '' }],
    ['event/invalid-key', 'a', 1, { key: 'a\0' }],
  ])('rejects with %s and appends nothing', async (code, topics, data, options) => {
    const { hub } = startHub();
    await expect(hub.publish(topics as string, data, options)).rejects.toMatchObject({ code, status: 400 });
    expect(hub.cursor()).toBe('e.0');
  });

  test('takes topics and data only from its arguments, not from the options', async () => {
    const { hub, clock, follow } = startHub();
    const peer = await follow();
    await hub.publish('a', 1, { topics: 'b', data: 2 } as object);
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual(['1']);
  });
});

describe('publishing several at once', () => {
  test('answers in their order and appends them side by side', async () => {
    const { hub } = startHub();
    const first = hub.publishAll([
      { topics: 'a', data: 1 },
      { topics: 'a', data: 2, id: 'x' },
    ]);
    const second = hub.publishAll([
      { topics: 'a', data: 3, id: 'x' },
      { topics: 'a', data: 4 },
    ]);
    expect(await first).toEqual([
      { cursor: 'e.1', seq: 1, duplicate: false },
      { cursor: 'e.2', seq: 2, duplicate: false },
    ]);
    expect(await second).toEqual([
      { cursor: 'e.2', seq: 2, duplicate: true },
      { cursor: 'e.3', seq: 3, duplicate: false },
    ]);
  });

  test('with an empty list appends nothing', async () => {
    const { hub, clock } = startHub();
    expect(await hub.publishAll([])).toEqual([]);
    clock.tick();
    expect(hub.stats()).toMatchObject({ published: 0, flushes: 0 });
  });

  test('appends none of them if one is invalid, in any position', async () => {
    const good = { topics: 'a', data: 1, id: 'good' };
    const bad = { topics: 'a\n', data: 1 };
    for (const events of [
      [bad, good],
      [good, bad],
      [good, bad, good],
    ]) {
      const { hub } = startHub();
      await expect(hub.publishAll(events)).rejects.toMatchObject({ code: 'topic/invalid' });
      expect(hub.cursor()).toBe('e.0');
      // Not even its id is taken.
      expect(await hub.publish('a', 1, { id: 'good' })).toEqual({ cursor: 'e.1', seq: 1, duplicate: false });
    }
  });
});

describe('a private event', () => {
  test('reaches only connections that were granted one of its topics by name, live and from the log', async () => {
    const { hub, clock, follow } = startHub();
    const granted = await follow({ topics: ['user/1'], granted: ['user/1'] });
    const byPattern = await follow({ topics: [{ pattern: '*' }], granted: [{ pattern: 'user/:id' }] });
    const stranger = await follow({ topics: ['user/1', { pattern: '*' }] });
    const other = await follow({ topics: ['user/1'], granted: ['user/2'] });
    const byOtherTopic = await follow({ topics: ['news'], granted: ['user/1'] });
    await hub.publish(['news', 'user/1'], 1, { private: true });
    await hub.publish(['news', 'user/1'], 2);
    clock.tick();
    const peers = [granted, byPattern, stranger, other, byOtherTopic];
    for (const peer of peers) peer.receive();
    const expected = [['1', '2'], ['1', '2'], ['2'], ['2'], ['1', '2']];
    expect(peers.map(dataOf)).toEqual(expected);

    const again = peers.map(async ({ options }) => dataOf(await follow(options, 'earliest')));
    expect(await Promise.all(again)).toEqual(expected);
  });

  test('does not leak to connections with the same topics but other grants', async () => {
    // Same topics asked for, other grants; and patterns that look like lists of topics.
    const { hub, clock, follow } = startHub();
    const stranger = await follow({ topics: ['a', 'b'], granted: [] });
    const owner = await follow({ topics: ['a', 'b'], granted: ['a'] });
    await hub.publish('a', 1, { private: true });
    clock.tick();
    for (const peer of [stranger, owner]) peer.receive();
    expect([stranger, owner].map(dataOf)).toEqual([[], ['1']]);
    await expect(follow({ topics: [{ pattern: 'a\nb' }] })).rejects.toMatchObject({
      code: 'topic/invalid-pattern',
    });
  });
});

test('every published event comes out the same, live and from the log, and injects nothing', async () => {
  const text = fc
    .array(
      fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        'id: x',
        'event: tidings:goodbye',
        'data',
        ':',
        ' ',
        '\0',
        'é',
        '\u{1f600}',
      ),
      {
        maxLength: 8,
      },
    )
    .map((parts) => parts.join(''));
  const event = fc.record(
    { data: text, raw: fc.boolean(), type: text, topics: fc.subarray(['a', 'b'], { minLength: 1 }) },
    { requiredKeys: ['data', 'raw', 'topics'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 10 }), async (events) => {
      const { hub, clock, follow } = startHub();
      const live = await follow({ topics: ['a', { pattern: 'b' }] });
      const expected: unknown[] = [];
      for (const { topics, data, ...options } of events) {
        try {
          const { cursor } = await hub.publish(topics, data, options);
          const sent = options.raw ? data.replaceAll(/\r\n|\r/g, '\n') : JSON.stringify(data);
          expected.push({ type: options.type ?? 'message', data: sent, id: cursor });
        } catch (error) {
          expect(error).toMatchObject({ code: 'event/invalid-type' });
        }
      }
      clock.tick();
      live.receive();
      expect(live.received).toEqual(expected);
      const late = await follow({ topics: ['a', 'b'] }, 'earliest');
      expect(late.received).toEqual(expected);
      expect(late.events.filter(({ type }) => type.startsWith('tidings:'))).toHaveLength(1);
    }),
    { numRuns: 200 },
  );
});
