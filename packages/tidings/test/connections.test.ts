import { describe, expect, test } from 'vitest';
import { record, startHub, told } from './fixture.ts';
import { Peer, settle } from './peer.ts';

describe('the first frame of a connection', () => {
  test('is the welcome, byte for byte', async () => {
    const { hub, follow } = startHub({ retry: 1234.5, heartbeat: 4000 });
    const peer = await follow();
    const id = peer.connection?.id ?? '';
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    expect(peer.wire).toBe(
      'retry: 1235\nid: e.0\nevent: tidings:welcome\n' +
        `data: {"connection":"${id}","resumed":false,"gaps":[],"heartbeat":4000}\n\n`,
    );
    expect(hub.cursor()).toBe('e.0');
  });

  test('brings the greeting along in the same write', async () => {
    const { hub } = startHub();
    const peer = new Peer({ topics: ['a'] }).connect(hub, undefined, 'data: hello\n\n');
    await settle();
    peer.receive();
    expect(peer.wire).toMatch(/^retry: 2000\nid: e\.0\n.*\n\ndata: hello\n\n$/s);
    expect(peer.received).toEqual([{ type: 'message', data: 'hello', id: 'e.0' }]);
  });

  test('has the cursor of where the connection stands, and what is published meanwhile comes after it', async () => {
    const { hub, publish } = startHub();
    await publish('a', 1, 2);
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    // Before the welcome was written: the place was taken nevertheless.
    await publish('a', 3);
    await settle();
    peer.receive();
    expect(peer.events.map(({ type, id, data }) => [type, id, data.slice(0, 1)])).toEqual([
      ['tidings:welcome', 'e.2', '{'],
      ['message', 'e.3', '3'],
    ]);
  });
});

describe('what the hub knows of a connection', () => {
  test('is who it is, what it asked for and how it fares', async () => {
    const { hub, clock, follow, publish } = startHub();
    clock.advance(5000);
    const topics = ['a', { pattern: 'b/*' }];
    const peer = await follow({ topics, subject: 'ann', remote: '10.0.0.1', capacity: 400 });
    const info = {
      id: peer.connection?.id,
      subject: 'ann',
      remote: '10.0.0.1',
      userAgent: undefined,
      protocol: 'test',
      topics,
      state: 'live',
      lag: 0,
      bytes: peer.wire.length,
      connectedAt: clock.now(),
    };
    expect(hub.connections()).toEqual([info]);

    await hub.publish('a', 'x'.repeat(500));
    clock.tick();
    await publish('b/1', 1);
    await publish('other', 2);
    clock.advance(100);
    const bytes = peer.wire.length + peer.inFlight;
    expect(hub.connections()).toEqual([{ ...info, state: 'behind', lag: 2, bytes }]);

    peer.receive();
    expect(hub.connections()).toMatchObject([{ state: 'live', lag: 0 }]);
    peer.receive();
    expect(hub.connections()).toMatchObject([{ bytes: peer.wire.length }]);
    hub.disconnect(() => true);
    expect(hub.connections()).toMatchObject([{ state: 'ending' }]);
    peer.receive();
    expect(hub.connections()).toEqual([]);
  });

  test('begins with the state `opening`', () => {
    const { hub } = startHub();
    new Peer({ topics: ['a'] }).connect(hub);
    expect(hub.connections()).toMatchObject([{ state: 'opening', lag: 0, bytes: 0 }]);
  });

  test('is gone when the peer leaves, whatever state it was in', async () => {
    const { hub, clock, follow, publish, failures } = startHub();
    const opening = new Peer({ topics: ['a'] }).connect(hub);
    opening.drop();
    const behind = await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    behind.drop();
    const ending = await follow();
    hub.disconnect(() => true);
    ending.drop();
    (await follow()).drop();
    await settle();
    expect(hub.connections()).toEqual([]);
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, behind: 0, topics: 0, connected: 4 });
    expect([clock.timers, failures]).toEqual([0, []]);
  });

  test('is nothing after a thousand connects and disconnects', async () => {
    const { hub, clock, follow, publish } = startHub();
    for (let i = 0; i < 1000; i += 1) {
      const peer = await follow({ topics: [`t/${i % 7}`, { pattern: `p/${i % 5}/*` }], capacity: i % 3 === 0 ? 1 : 1e9 });
      await publish([`t/${i % 7}`, `p/${i % 5}/x`], i);
      clock.tick();
      peer.drop();
    }
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, behind: 0, topics: 0, connected: 1000 });
    expect(clock.timers).toBe(0);
  });
});

describe('watchers of a topic', () => {
  test('are the connections that ask for it, by name or by pattern, each counted once', async () => {
    const { hub, follow } = startHub();
    expect(hub.watchers('user/1')).toBe(0);
    const both = await follow({ topics: ['user/1', { pattern: 'user/:id' }] });
    await follow({ topics: ['user/1'] });
    await follow({ topics: ['user/1'] });
    await follow({ topics: [{ pattern: '*' }] });
    await follow({ topics: ['user/2'] });
    expect(hub.watchers('user/1')).toBe(4);
    expect(hub.watchers('user/3')).toBe(2);
    expect(hub.watchers('user/1/x')).toBe(1);
    both.drop();
    expect(hub.watchers('user/1')).toBe(3);
  });

  test('are those behind as well', async () => {
    const { hub, clock, follow, publish } = startHub();
    await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    expect(hub.stats()).toMatchObject({ live: 0, behind: 1 });
    expect(hub.watchers('a')).toBe(1);
  });
});

describe('stats', () => {
  test('count events, deliveries, bytes and flushes as they happened', async () => {
    const { hub, clock, follow, publish } = startHub({ heartbeat: 2000 });
    const peers = [await follow(), await follow({ topics: ['b'] }), await follow({ topics: ['a', 'b'] })];
    await publish('a', 1, 2);
    await publish(['a', 'b'], 3);
    await publish('none', 4);
    clock.tick();
    await publish('b', 5);
    clock.tick();
    clock.advance(2000);
    for (const peer of peers) peer.receive();
    const late = await follow({}, 'e.0');
    expect(dataLength(late)).toBe(3);
    expect(hub.stats()).toEqual({
      connections: 4,
      live: 4,
      behind: 0,
      topics: 2,
      connected: 4,
      published: 5,
      // a: 1, 2, 3; b: 3, 5; a and b: 1, 2, 3, 5; the late one: 1, 2, 3.
      delivered: 3 + 2 + 4 + 3,
      bytes: [...peers, late].reduce((total, { wire }) => total + wire.length, 0),
      flushes: 2,
      stalled: 0,
      deliveryLag: { p50: 0, p99: 0 },
      tail: { events: 5, bytes: expect.any(Number), head: 5, epoch: 'e' },
    });
  });

  test('tell the milliseconds from append to the write', async () => {
    const { hub, clock, follow, publish } = startHub({ flushWindow: 300 });
    await follow();
    await publish('a', 1);
    clock.advance(100);
    await publish('a', 2);
    clock.advance(1000);
    expect(hub.stats().deliveryLag).toEqual({ p50: 300, p99: 300 });
  });

  test('count no duplicate as published', async () => {
    const { hub } = startHub();
    await hub.publish('a', 1, { id: 'x' });
    await hub.publish('a', 1, { id: 'x' });
    expect(hub.stats().published).toBe(1);
  });
});

describe('disconnecting', () => {
  test('ends those that were picked, with a goodbye, and no other', async () => {
    const { hub, follow } = startHub({ retry: 700 });
    const ann = await follow({ subject: 'ann' });
    const bob = await follow({ subject: 'bob' });
    const sent = ann.wire.length;
    expect(hub.disconnect(({ subject }) => subject === 'ann')).toBe(1);
    ann.receive();
    bob.receive();
    expect(ann.wire.slice(sent)).toBe('retry: 700\nevent: tidings:goodbye\ndata: {"reason":"evicted","retry":700}\n\n');
    expect(ann.ended).toBe(true);
    expect(bob.ended).toBe(false);
    expect(hub.connections()).toMatchObject([{ subject: 'bob' }]);
  });

  test('tells the retry that was asked for, in whole milliseconds', async () => {
    const { hub, follow } = startHub();
    const peer = await follow();
    hub.disconnect(() => true, { retry: 60_000.4 });
    peer.receive();
    expect(peer.wire).toContain('retry: 60000\nevent: tidings:goodbye\ndata: {"reason":"evicted","retry":60000}\n\n');
  });

  test('of nobody is 0, and of somebody twice says goodbye once', async () => {
    const { hub, follow } = startHub();
    expect(hub.disconnect(() => true)).toBe(0);
    const peer = await follow();
    expect(hub.disconnect(() => false)).toBe(0);
    hub.disconnect(() => true);
    hub.disconnect(() => true);
    peer.receive();
    expect(told(peer, 'goodbye')).toHaveLength(1);
  });

  test('loses nothing: the peer comes back to what it was not given', async () => {
    const { hub, clock, follow, publish } = startHub();
    const peer = await follow();
    await publish('a', 1);
    clock.tick();
    // In flight, or not flushed yet.
    await publish('a', 2);
    hub.disconnect(() => true);
    clock.tick();
    peer.receive();
    peer.connect(hub);
    await settle();
    peer.receive();
    expect(peer.received.map(({ data }) => data)).toEqual(['1', '2']);
    expect(told(peer, 'welcome').at(-1)).toMatchObject({ resumed: true });
  });

  test('ends a connection that is opening without a word, for its welcome would come first', async () => {
    const { hub } = startHub();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    expect(hub.disconnect(() => true)).toBe(1);
    await settle();
    expect(peer.ended).toBe(true);
    expect(peer.wire + peer.inFlight).toBe('0');
    expect(hub.connections()).toEqual([]);
  });

  test('ends a peer within a flush, which is given nothing more', async () => {
    const { hub, clock } = startHub();
    const first = record(hub);
    const second = record(hub);
    await settle();
    first.onWrite = () => hub.disconnect(({ id }) => id === second.connection.id);
    await hub.publish('a', 1);
    clock.tick();
    expect(first.writes).toHaveLength(2);
    expect(second.writes).toHaveLength(1);
    expect(second.end).toContain('evicted');
  });
});

describe('listeners for the end of a connection', () => {
  test('are called once each, in their order, and at once if it is over', async () => {
    const { follow } = startHub();
    const peer = await follow();
    const calls: string[] = [];
    const { connection } = peer;
    connection?.onClose(() => calls.push('first'));
    connection?.onClose(() => calls.push('second'));
    expect(calls).toEqual([]);
    connection?.closed();
    connection?.closed();
    connection?.destroy();
    expect(calls).toEqual(['first', 'second']);
    connection?.onClose(() => calls.push('late'));
    expect(calls).toEqual(['first', 'second', 'late']);
  });

  test('may fail: the hub is told, the others are called and the connection is off the books', async () => {
    const { hub, follow, failures } = startHub();
    const peer = await follow();
    const failure = new Error('listener');
    const calls: string[] = [];
    peer.connection?.onClose(() => {
      throw failure;
    });
    peer.connection?.onClose(() => calls.push('second'));
    peer.drop();
    expect(calls).toEqual(['second']);
    expect(failures).toEqual([failure]);
    expect(hub.stats().connections).toBe(0);
  });

  test('see the connection gone, and may publish and connect', async () => {
    const { hub, clock, follow } = startHub();
    const watcher = await follow({ topics: ['left'] });
    const peer = await follow({ subject: 'ann' });
    const seen: number[] = [];
    peer.connection?.onClose(() => {
      seen.push(hub.stats().connections);
      void hub.publish('left', 'ann');
      peer.connect(hub);
    });
    peer.connection?.destroy();
    await settle();
    clock.tick();
    watcher.receive();
    expect(seen).toEqual([1]);
    expect(watcher.received).toMatchObject([{ data: '"ann"' }]);
    expect(hub.stats().connections).toBe(2);
  });
});

function dataLength(peer: Peer): number {
  return peer.received.length;
}
