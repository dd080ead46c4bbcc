import { describe, expect, test } from 'vitest';
import { record, recordMany, startHub, told } from './fixture.ts';
import { Peer, settle } from './peer.ts';

describe('disconnecting', () => {
  test('ends the picked connections with a goodbye, and no other', async () => {
    const { hub, follow } = startHub({ retry: 700, random: () => 0 });
    const ann = await follow({ subject: 'ann' });
    const bob = await follow({ subject: 'bob' });
    const sent = ann.wire.length;
    expect(hub.disconnect(({ subject }) => subject === 'ann')).toBe(1);
    ann.receive();
    bob.receive();
    expect(ann.wire.slice(sent)).toBe(
      'retry: 700\nevent: tidings:goodbye\ndata: {"reason":"evicted","retry":700}\n\n',
    );
    expect(ann.ended).toBe(true);
    expect(bob.ended).toBe(false);
    expect(hub.connections()).toMatchObject([{ subject: 'bob' }]);
  });

  test('sends the given retry, in whole milliseconds', async () => {
    const { hub, follow } = startHub();
    const peer = await follow();
    hub.disconnect(() => true, { retry: 60_000.4 });
    peer.receive();
    expect(peer.wire).toContain(
      'retry: 60000\nevent: tidings:goodbye\ndata: {"reason":"evicted","retry":60000}\n\n',
    );
  });

  test('many connections spreads their return, a thousand in each second', async () => {
    let calls = 0;
    const { hub, clock } = startHub({ retry: 500, random: () => (calls++ % 4) / 4 });
    const recorders = Array.from({ length: 4000 }, () => record(hub));
    await settle();
    expect(hub.disconnect(() => true)).toBe(4000);
    // The others hear of it in later turns, and receive no more events until then.
    expect(recorders.filter(({ end }) => end !== undefined).length).toBeLessThan(1000);
    const writes = recorders.map((recorder) => recorder.writes.length);
    await hub.publish('a', 1);
    clock.tick();
    expect(recorders.map((recorder) => recorder.writes.length)).toEqual(writes);
    const retries = recorders.map(({ end }) => Number(/^retry: (\d+)/.exec(end ?? '')?.[1]));
    for (const [i, expected] of [500, 1500, 2500, 3500].entries()) {
      expect(Math.abs((retries[i] ?? 0) - expected)).toBeLessThan(5);
    }
  });

  test('no connection returns 0, and one connection twice says goodbye once', async () => {
    const { hub, follow } = startHub();
    expect(hub.disconnect(() => true)).toBe(0);
    const peer = await follow();
    expect(hub.disconnect(() => false)).toBe(0);
    hub.disconnect(() => true);
    hub.disconnect(() => true);
    peer.receive();
    expect(told(peer, 'goodbye')).toHaveLength(1);
  });

  test('loses nothing: the peer comes back and gets the events it missed', async () => {
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

  test('ends a connection that is opening without a goodbye, since the welcome would have to come first', async () => {
    const { hub } = startHub();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    expect(hub.disconnect(() => true)).toBe(1);
    await settle();
    expect(peer.ended).toBe(true);
    expect(peer.wire + peer.inFlight).toBe('0');
    expect(hub.connections()).toEqual([]);
  });

  test('ends a connection within a flush, after its events of that flush', async () => {
    const { hub, clock } = startHub();
    const first = record(hub);
    const second = record(hub);
    await settle();
    first.onWrite = () => hub.disconnect(({ id }) => id === second.connection.info.id);
    await hub.publish('a', 1);
    clock.tick();
    expect(first.writes).toHaveLength(2);
    expect(second.writes).toHaveLength(2);
    expect(second.end).toContain('evicted');
  });

  test('many connections gives each its pending events, and nothing later, with the goodbye in its turn', async () => {
    const { hub, clock, recorders } = await recordMany(1000);
    const { delivered } = hub.stats();
    const welcomes = recorders.map(({ writes }) => writes.length);
    const brought = (): number =>
      recorders.filter(({ writes }, i) => writes.length > (welcomes[i] ?? 0)).length;
    await hub.publish('a', 'pending');
    expect(hub.disconnect(() => true)).toBe(1000);
    await hub.publish('a', 'later');
    const counts = [0, brought()];
    while (counts.at(-1) !== 1000) {
      expect(counts.length).toBeLessThan(20);
      clock.turn();
      counts.push(brought());
    }
    expect(Math.max(...counts.map((now, i) => now - (counts[i - 1] ?? 0)))).toBe(200);
    for (const { text, end } of recorders) {
      expect(text()).toContain('pending');
      expect(text()).not.toContain('later');
      expect(end).toContain('evicted');
    }
    expect(hub.stats().delivered - delivered).toBe(1000);
  });
});
