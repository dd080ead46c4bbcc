import { describe, expect, test } from 'vitest';
import { dataOf, startHub, told } from './fixture.ts';
import { settle } from './peer.ts';

describe('a connection’s cursor', () => {
  test.each([
    ['none: begins at the head', undefined, [], { resumed: false, gaps: [] }],
    ['an empty one: begins at the head', '', [], { resumed: false, gaps: [] }],
    ['the head: goes on', 'e.4', [], { resumed: true, gaps: [] }],
    ['an earlier one: gets what came since', 'e.2', ['3', '4'], { resumed: true, gaps: [] }],
    ['the one before all: gets everything', 'e.0', ['1', '2', '3', '4'], { resumed: true, gaps: [] }],
    [
      'earliest: gets everything, but resumes nothing',
      'earliest',
      ['1', '2', '3', '4'],
      { resumed: false, gaps: [] },
    ],
    [
      'one of another epoch',
      'f.2',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'epoch' }] },
    ],
    [
      'one ahead of the log',
      'e.5',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'unknown-cursor' }] },
    ],
    [
      'one far ahead',
      'e.9007199254740991',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'unknown-cursor' }] },
    ],
    [
      'a malformed one',
      'e.2x',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'unknown-cursor' }] },
    ],
    [
      'somebody else’s',
      '1700000000-0',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'unknown-cursor' }] },
    ],
    [
      'one with a header injected',
      'e.2\r\nid: e.3',
      [],
      { resumed: false, gaps: [{ topics: ['a', { pattern: 'b/*' }], reason: 'unknown-cursor' }] },
    ],
  ])('%s', async (_, cursor, data, welcome) => {
    const { clock, follow, publish } = startHub();
    await publish('a', 1, 2, 3);
    await publish('b/1', 4);
    const peer = await follow({ topics: ['a', { pattern: 'b/*' }] }, cursor);
    expect(dataOf(peer)).toEqual(data);
    const connection = peer.connection?.info.id;
    const secret = expect.any(String) as string;
    expect(told(peer, 'welcome')).toEqual([{ ...welcome, connection, secret, heartbeat: 15_000 }]);
    // It is live now in any case, and only once.
    await publish('a', 5);
    clock.tick();
    peer.receive();
    expect(dataOf(peer)).toEqual([...data, '5']);
  });

  test('of another epoch leads to a new cursor that resumes', async () => {
    const { follow, publish } = startHub();
    await publish('a', 1);
    const peer = await follow({}, 'old.7');
    expect(peer.lastEventId).toBe('e.1');
    peer.drop();
    await publish('a', 2);
    const again = await follow({}, peer.lastEventId);
    expect(told(again, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(dataOf(again)).toEqual(['2']);
  });
});

describe('a cursor older than the retained events', () => {
  test('resumes with a gap that names only the matchers with losses, and gets the rest', async () => {
    const { follow, publish } = startHub({ retention: { events: 3 } });
    await publish('a', 1);
    await publish('b', 2);
    await publish('c/1', 3);
    await publish('a', 4);
    await publish('keep', 5);
    await publish('b', 6);
    const topics = ['a', 'b', 'keep', 'never', { pattern: 'c/:id' }, { pattern: 'd/*' }];
    const peer = await follow({ topics }, 'e.1');
    expect(told(peer, 'welcome')).toMatchObject([
      { resumed: false, gaps: [{ topics: ['b', { pattern: 'c/:id' }], reason: 'trimmed' }] },
    ]);
    expect(dataOf(peer)).toEqual(['4', '5', '6']);
    // The stream doesn't repeat a loss that was in the welcome.
    expect(told(peer, 'gap')).toEqual([]);
    // A client that got only the welcome gets the same gap on the next attempt.
    expect(peer.events[0]?.id).toBe('e.1');
  });

  test('resumes exactly if only other topics lost events', async () => {
    const { follow, publish } = startHub({ retention: { events: 2 } });
    await publish('a', 1);
    await publish('other', 2, 3, 4);
    await publish('a', 5);
    const peer = await follow({}, 'e.1');
    expect(told(peer, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(dataOf(peer)).toEqual(['5']);
  });

  test('is not one if it is exactly where retention cut', async () => {
    const { follow, publish } = startHub({ retention: { events: 2 } });
    await publish('a', 1, 2, 3, 4);
    const [at, below] = [await follow({}, 'e.2'), await follow({}, 'e.1')];
    expect(told(at, 'welcome')).toMatchObject([{ resumed: true, gaps: [] }]);
    expect(told(below, 'welcome')).toMatchObject([
      { resumed: false, gaps: [{ topics: ['a'], reason: 'trimmed' }] },
    ]);
    expect([at, below].map(dataOf)).toEqual([
      ['3', '4'],
      ['3', '4'],
    ]);
  });

  test('gives no gap with `earliest`, which asks only for retained events', async () => {
    const { follow, publish } = startHub({ retention: { events: 2 } });
    await publish('a', 1, 2, 3, 4);
    const peer = await follow({}, 'earliest');
    expect(told(peer, 'welcome')).toMatchObject([{ resumed: false, gaps: [] }]);
    expect(dataOf(peer)).toEqual(['3', '4']);
  });

  test('includes events that are too old at the connect, even without a publish since', async () => {
    const { clock, follow, publish } = startHub({ retention: { age: 60_000 } });
    await publish('a', 1);
    clock.advance(60_001);
    const peer = await follow({}, 'e.0');
    expect(told(peer, 'welcome')).toMatchObject([
      { resumed: false, gaps: [{ topics: ['a'], reason: 'trimmed' }] },
    ]);
    expect(dataOf(peer)).toEqual([]);
  });

  test('survives a drop right after the welcome', async () => {
    const { follow, publish, hub } = startHub({ retention: { events: 2 } });
    await publish('a', 1, 2, 3, 4);
    const peer = await follow({ capacity: 10 }, 'e.1');
    // The welcome filled the network; nothing came after it yet.
    expect(told(peer, 'welcome')).toHaveLength(1);
    peer.drop();
    const cursor = peer.events[0]?.id;
    const again = await follow({}, cursor);
    expect(told(again, 'welcome')).toMatchObject([{ gaps: [{ topics: ['a'], reason: 'trimmed' }] }]);
    expect(dataOf(again)).toEqual(['3', '4']);
    expect(hub.stats().connections).toBe(1);
  });
});

describe('a gap that a slow reader meets later', () => {
  test('is in the stream, before the events after it, byte for byte', async () => {
    const { clock, follow, publish } = startHub({ retention: { events: 2 } });
    const peer = await follow({ capacity: 1, topics: ['a', 'b', 'c'] });
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    await publish('b', 3);
    await publish('a', 4, 5);
    const from = peer.wire.length;
    peer.receive();
    await settle();
    while (peer.inFlight > 0) {
      peer.receive();
      await settle();
    }
    expect(peer.wire.slice(from)).toBe(
      'id: e.1\ndata: 1\n\n' +
        'id: e.1\nevent: tidings:gap\ndata: {"gaps":[{"topics":["a","b"],"reason":"trimmed"}]}\n\n' +
        'id: e.4\ndata: 4\n\nid: e.5\ndata: 5\n\n',
    );
  });

  test('is repeated only when more is lost', async () => {
    const { clock, follow, publish } = startHub({ retention: { events: 1 } });
    const peer = await follow({ capacity: 1 });
    const readAll = async (): Promise<void> => {
      do {
        peer.receive();
        await settle();
      } while (peer.inFlight > 0);
    };
    await publish('a', 1);
    clock.tick();
    await publish('a', 2, 3);
    await readAll();
    expect(told(peer, 'gap')).toHaveLength(1);
    await publish('a', 4);
    clock.tick();
    await publish('other', 5, 6);
    await readAll();
    expect(told(peer, 'gap')).toHaveLength(1);
    await publish('a', 7);
    clock.tick();
    await publish('a', 8, 9);
    await readAll();
    expect(told(peer, 'gap')).toHaveLength(2);
    expect(dataOf(peer)).toEqual(['1', '3', '4', '7', '9']);
  });

  test('is not sent to a reader whose topics lost nothing', async () => {
    const { clock, follow, publish } = startHub({ retention: { events: 2 } });
    const peer = await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    await publish('other', 2, 3, 4);
    await publish('a', 5);
    do {
      peer.receive();
      await settle();
    } while (peer.inFlight > 0);
    expect(told(peer, 'gap')).toEqual([]);
    expect(dataOf(peer)).toEqual(['1', '5']);
  });
});
