import { describe, expect, test } from 'vitest';
import type { Format } from '../src/hub/delivery/format.ts';
import { frames } from '../src/hub/delivery/frames.ts';
import { decode, record, startHub } from './fixture.ts';
import { createMatcherSet, gatewayOf, type Hub, type OwnConnection } from './internals.ts';
import { settle } from './peer.ts';

const failure = new Error('cannot be written');
const fail = (): never => {
  throw failure;
};

function connect(hub: Hub, format: Partial<Format>, more: object = {}): OwnConnection {
  const connection = gatewayOf(hub).admit({
    wanted: createMatcherSet(['a']),
    granted: createMatcherSet([]),
    start: 'head',
    reconnects: false,
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: undefined,
    protocol: 'test',
    format: { ...frames, name: 'failing', ...format },
    ...more,
  });
  connection.open({ write: () => true, end: () => {}, destroy: () => {} }, '');
  return connection;
}

describe('a format that throws', () => {
  test('in a flush ends its own connections, and no other one loses an event', async () => {
    const { hub, clock, publish, failures } = startHub();
    const before = record(hub);
    await settle();
    const bad = [connect(hub, { events: fail }), connect(hub, { events: fail })];
    await settle();
    const after = record(hub, { topics: ['a', 'b'] });
    await settle();
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    clock.tick();
    for (const { writes } of [before, after]) {
      expect(writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\n', 'id: e.2\ndata: 2\n\n']);
    }
    expect(bad.map(({ info }) => info.phase)).toEqual(['closed', 'closed']);
    expect(failures).toEqual([failure, failure]);
    expect(hub.stats()).toMatchObject({ connections: 2, live: 2, delivered: 4 });
  });

  test('in a flush that takes several turns ends its own connections, and the flush goes on', async () => {
    const { hub, clock, publish, failures } = startHub();
    const good = Array.from({ length: 400 }, () => record(hub));
    const bad = Array.from({ length: 200 }, () => connect(hub, { events: fail }));
    await settle();
    for (let i = 0; i < 10 && hub.stats().live < 600; i += 1) clock.tick();
    for (const number of [1, 2]) {
      await publish('a', number);
      clock.tick();
    }
    expect(good.every(({ writes }) => writes.length === 3)).toBe(true);
    expect(new Set(bad.map(({ info }) => info.phase))).toEqual(new Set(['closed']));
    expect(failures).toHaveLength(200);
  });

  test.each(['welcome', 'events', 'alone', 'goodbye'] as const)(
    'in its %s is reported, without an unhandled rejection or a throw',
    async (name) => {
      const { hub, clock, publish, failures } = startHub();
      await publish('a', 1);
      const bad = connect(hub, { [name]: fail }, { start: { epoch: 'e', seq: 0 } });
      await settle();
      hub.send(bad.info.id, { type: 'x', data: 1 });
      bad.end('drain', 1);
      clock.tick();
      expect([failures, bad.info.phase]).toEqual([[failure], 'closed']);
    },
  );
});
