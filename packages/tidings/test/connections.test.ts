import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { record, startHub } from './fixture.ts';
import { createMatcherSet, secretOf } from './internals.ts';
import { Peer, changeTerms, settle } from './peer.ts';

describe('the first frame of a connection', () => {
  test('is the welcome, byte for byte', async () => {
    const { hub, follow } = startHub({ retry: 1234.5, heartbeat: 4000 });
    const peer = await follow();
    const id = peer.connection?.info.id ?? '';
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    const secret = peer.connection === undefined ? '' : secretOf(peer.connection);
    expect(secret).toMatch(/^[0-9a-f-]{36}$/);
    expect(secret).not.toBe(id);
    expect(peer.wire).toBe(
      'retry: 1235\nid: e.0\nevent: tidings:welcome\n' +
        `data: {"connection":"${id}","secret":"${secret}","resumed":false,"gaps":[],"heartbeat":4000}\n\n`,
    );
    expect(hub.cursor()).toBe('e.0');
  });

  test('brings the greeting along in the same write', async () => {
    const { hub } = startHub();
    const greeted = record(hub, { greeting: 'data: hello\n\n' });
    await settle();
    expect(greeted.writes).toHaveLength(1);
    expect(greeted.text()).toMatch(/^retry: 2000\nid: e\.0\n.*\n\ndata: hello\n\n$/s);
  });

  test('has the connection’s cursor, and events published meanwhile come after it', async () => {
    const { hub, publish } = startHub();
    await publish('a', 1, 2);
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    // Before the welcome was written, but the cursor was settled already.
    await publish('a', 3);
    await settle();
    peer.receive();
    expect(peer.events.map(({ type, id, data }) => [type, id, data.slice(0, 1)])).toEqual([
      ['tidings:welcome', 'e.2', '{'],
      ['message', 'e.3', '3'],
    ]);
  });
});

describe('the hub’s record of a connection', () => {
  test('has its identity, its topics and its progress', async () => {
    const { hub, clock, follow, publish } = startHub();
    clock.advance(5000);
    const topics = ['a', { pattern: 'b/*' }];
    const peer = await follow({ topics, subject: 'ann', remote: '10.0.0.1', capacity: 400 });
    const info = {
      id: peer.connection?.info.id,
      subject: 'ann',
      remote: '10.0.0.1',
      userAgent: undefined,
      protocol: 'test',
      topics,
      phase: 'live',
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
    expect(hub.connections()).toEqual([{ ...info, phase: 'behind', lag: 2, bytes }]);

    peer.receive();
    expect(hub.connections()).toMatchObject([{ phase: 'live', lag: 0 }]);
    peer.receive();
    expect(hub.connections()).toMatchObject([{ bytes: peer.wire.length }]);
    await publish('a', 3, 4);
    clock.tick();
    expect(hub.connections()).toMatchObject([{ phase: 'live', lag: 0 }]);
    hub.disconnect(() => true);
    expect(hub.connections()).toMatchObject([{ phase: 'ending', lag: 0 }]);
    peer.receive();
    expect(hub.connections()).toEqual([]);
  });

  const which = fc.nat(2);
  const topics = fc.subarray(['a', 'b', 'c'], { minLength: 1 });
  const act = fc.oneof(
    fc.record({ do: fc.constant('publish' as const), topics, length: fc.nat(300) }),
    fc.record({ do: fc.constant('receive' as const), which, bytes: fc.constantFrom(50, 1e6) }),
    fc.record({ do: fc.constant('change' as const), which, topics }),
    fc.record({ do: fc.constant('wait' as const), milliseconds: fc.constantFrom(0, 1000, 20_000) }),
  );

  test('counts each byte sent, alone or with others, live or behind', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
        // Peers read at any pace, but none of them stalls.
        const { hub, clock } = startHub({ stallTimeout: 1e9 });
        const peers = [['a'], ['a'], ['a', 'b']].map((names) =>
          new Peer({ topics: names, capacity: 600 }).connect(hub),
        );
        for (const each of acts) {
          await settle();
          if (each.do === 'publish') await hub.publish(each.topics, 'x'.repeat(each.length));
          else if (each.do === 'receive') peers[each.which]?.receive(each.bytes);
          else if (each.do === 'wait') clock.advance(each.milliseconds);
          else {
            const peer = peers[each.which];
            const [wanted, granted] = [createMatcherSet(each.topics), createMatcherSet([])];
            if (peer?.connection !== undefined)
              await changeTerms(hub, peer, { wanted, granted, expiresAt: undefined });
          }
          expect(hub.connections().map(({ bytes }) => bytes)).toEqual(
            peers.map((peer) => peer.wire.length + peer.inFlight),
          );
        }
      }),
    );
  });

  test('begins in the phase `opening`', () => {
    const { hub } = startHub();
    new Peer({ topics: ['a'] }).connect(hub);
    expect(hub.connections()).toMatchObject([{ phase: 'opening', lag: 0, bytes: 0 }]);
  });

  test('is gone when the peer leaves, in any phase', async () => {
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

  test('leaves nothing behind after a thousand connects and disconnects', async () => {
    const { hub, clock, follow, publish } = startHub();
    for (let i = 0; i < 1000; i += 1) {
      const peer = await follow({
        topics: [`t/${i % 7}`, { pattern: `p/${i % 5}/*` }],
        capacity: i % 3 === 0 ? 1 : 1e9,
      });
      await publish([`t/${i % 7}`, `p/${i % 5}/x`], i);
      clock.tick();
      peer.drop();
    }
    expect(hub.stats()).toMatchObject({ connections: 0, live: 0, behind: 0, topics: 0, connected: 1000 });
    expect(clock.timers).toBe(0);
  });
});

describe('listeners for the end of a connection', () => {
  test('are called once each, in order, and at once if it is over', async () => {
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

  test('may throw: the hub reports it, calls the others and removes the connection', async () => {
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
