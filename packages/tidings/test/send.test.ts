import { describe, expect, test } from 'vitest';
import { record, startHub } from './fixture.ts';
import { Peer, settle } from './peer.ts';

describe('an event for one connection alone', () => {
  test('comes after events published before, and leaves its cursor unchanged', async () => {
    const { hub, clock, publish } = startHub();
    const [peer, other] = [record(hub), record(hub)];
    await settle();
    await publish('a', 1);
    expect(hub.send(peer.connection.info.id, { type: 'note', data: { for: 'you' } })).toBe(true);
    await publish('a', 2);
    clock.tick();
    const events = (text: string): string => text.slice(text.indexOf('\n\n') + 2);
    expect(events(peer.text())).toBe(
      'id: e.1\ndata: 1\n\nevent: note\ndata: {"for":"you"}\n\nid: e.2\ndata: 2\n\n',
    );
    expect(events(other.text())).toBe('id: e.1\ndata: 1\n\nid: e.2\ndata: 2\n\n');
    expect(hub.stats()).toMatchObject({ live: 2, tail: { events: 2 } });
  });

  test('waits for a peer that is behind, and comes before the events it then reads', async () => {
    const { hub, clock, follow, publish } = startHub();
    const peer = await follow({ capacity: 1 });
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    expect(hub.send(peer.connection?.info.id ?? '', { data: 'direct', raw: true })).toBe(true);
    await publish('a', 3);
    for (let i = 0; i < 5; i += 1) {
      peer.receive();
      await settle();
    }
    expect(peer.received.map(({ data, id }) => [data, id])).toEqual([
      ['1', 'e.1'],
      ['direct', 'e.1'],
      ['2', 'e.2'],
      ['3', 'e.3'],
    ]);
  });

  test('comes after the welcome if it is sent while the connection opens', async () => {
    const { hub } = startHub();
    const peer = record(hub, { greeting: 'data: hello\n\n' });
    hub.send(peer.connection.info.id, { data: 1 });
    await settle();
    expect(peer.text()).toMatch(/^retry.*\n\ndata: hello\n\ndata: 1\n\n$/s);
  });

  test('sent within a flush comes after that flush’s events for the connection', async () => {
    const { hub, clock, publish } = startHub();
    const [first, second] = [record(hub), record(hub)];
    await settle();
    first.onWrite = () => {
      first.onWrite = () => {};
      hub.send(second.connection.info.id, { data: 'direct', raw: true });
    };
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    clock.tick();
    expect(second.text().match(/^data: [^{\n]+$/gm)).toEqual(['data: 1', 'data: direct', 'data: 2']);
    expect(first.text().match(/^data: [^{\n]+$/gm)).toEqual(['data: 1', 'data: 2']);
  });

  test('is refused once 64 KiB wait, and for a connection that is unknown or ending', async () => {
    const { hub, clock, follow, publish } = startHub();
    const peer = await follow({ capacity: 1 });
    const id = peer.connection?.info.id ?? '';
    await publish('a', 1);
    clock.tick();
    const sent = Array.from({ length: 8 }, () => hub.send(id, { data: 'x'.repeat(10_000), raw: true }));
    expect(sent).toEqual([true, true, true, true, true, true, false, false]);
    expect(peer.inFlight).toBeLessThan(100);
    hub.disconnect(() => true);
    expect(hub.send(id, { data: 1 })).toBe(false);
    peer.receive();
    expect(hub.send(id, { data: 1 })).toBe(false);
    expect(hub.send('nobody', { data: 1 })).toBe(false);
  });

  test.each([
    ['a reserved type', { type: 'tidings:welcome', data: 1 }, 'event/invalid-type'],
    ['data that JSON can’t represent', { data: () => 1 }, 'event/invalid-data'],
    ['an option only for events in the log', { data: 1, private: true }, 'event/invalid-option'],
  ])('is refused for %s, even if the connection is unknown', (_, event, code) => {
    const { hub } = startHub();
    const peer = new Peer({ topics: ['a'] }).connect(hub);
    expect(() => hub.send(peer.connection?.info.id ?? '', event)).toThrow(expect.objectContaining({ code }));
  });
});
