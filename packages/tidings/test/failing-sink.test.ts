import { describe, expect, test } from 'vitest';
import { decode, record, startHub } from './fixture.ts';
import { createMatcherSet, gatewayOf, secretOf } from './internals.ts';
import { settle } from './peer.ts';

const failure = new Error('write after end');
const fail = (): never => {
  throw failure;
};

describe('a transport that throws', () => {
  test('in a flush ends its own connection, and no other one loses an event', async () => {
    const { hub, clock, publish, failures } = startHub();
    const before = record(hub);
    const bad = record(hub);
    const [same, another] = [record(hub), record(hub, { topics: ['a', 'b'] })];
    await settle();
    bad.onWrite = fail;
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    clock.tick();
    for (const { writes } of [before, same, another]) {
      expect(writes.slice(1).map(decode)).toEqual(['id: e.1\ndata: 1\n\n', 'id: e.2\ndata: 2\n\n']);
    }
    expect([bad.writes.length, bad.destroyed, bad.connection.info.phase]).toEqual([2, true, 'closed']);
    expect(failures).toEqual([failure]);
    expect(hub.stats()).toMatchObject({ connections: 3, live: 3 });
  });

  test('at the welcome is reported, without an unhandled rejection', async () => {
    const { hub, failures } = startHub();
    const bad = record(hub);
    bad.onWrite = fail;
    await settle();
    expect([bad.destroyed, hub.stats().connections]).toEqual([true, 0]);
    expect(failures).toEqual([failure]);
  });

  test('when it catches up is reported, and does not throw into `drained`', async () => {
    const { hub, clock, publish, failures } = startHub();
    const bad = record(hub);
    await settle();
    bad.takes = false;
    await publish('a', 1);
    clock.tick();
    await publish('a', 2);
    bad.onWrite = fail;
    bad.connection.drained();
    expect([bad.destroyed, hub.stats().connections]).toEqual([true, 0]);
    expect(failures).toEqual([failure]);
  });

  test('at a heartbeat does not keep the others from theirs', async () => {
    const { hub, clock, failures } = startHub({ heartbeat: 1000 });
    const bad = record(hub);
    const good = record(hub);
    await settle();
    bad.onWrite = fail;
    clock.advance(5000);
    expect(good.writes).toHaveLength(6);
    expect(failures).toEqual([failure]);
  });

  test('when it looks after its own ends its own connection, and the others are looked after', async () => {
    const { hub, clock, failures } = startHub();
    const [bad, good] = [record(hub), record(hub)];
    await settle();
    let tended = 0;
    bad.onTend = fail;
    good.onTend = () => (tended += 1);
    clock.advance(3000);
    expect([bad.destroyed, good.destroyed, tended]).toEqual([true, false, 3]);
    expect(failures).toEqual([failure]);
  });

  test('at the end does not keep the hub from closing', async () => {
    const { hub, clock, failures } = startHub();
    const [bad, good] = [record(hub), record(hub, { closesAtOnce: true })];
    await settle();
    bad.onEnd = fail;
    await hub.close();
    expect(good.end).toContain('drain');
    expect([bad.destroyed, hub.stats().connections, clock.timers]).toEqual([true, 0, 0]);
    expect(failures).toEqual([failure]);
  });

  test('even when it is destroyed is removed from the hub', async () => {
    const { hub, clock, failures } = startHub();
    const bad = record(hub);
    await settle();
    bad.onDestroy = fail;
    bad.connection.destroy();
    expect(failures).toEqual([failure]);
    expect([hub.stats().connections, clock.timers]).toEqual([0, 0]);
  });

  test.each([
    ['before its topics change', true],
    ['after its topics have changed', false],
  ])('%s leaves no subscription and no member behind', async (_, isLive) => {
    const { hub, clock, publish } = startHub({ presence: [{ match: { pattern: '*' }, grace: 0 }] });
    const bad = record(hub);
    await settle();
    if (isLive) await publish('a', 1);
    bad.onWrite = fail;
    const terms = { wanted: createMatcherSet(['b']), granted: createMatcherSet([]), expiresAt: undefined };
    const claim = { connection: bad.connection.info.id, secret: secretOf(bad.connection) };
    await gatewayOf(hub)
      .change(claim, () => terms)
      .catch((error: unknown) => expect(error).toMatchObject({ code: 'connection/unknown' }));
    clock.advance(1000);
    await settle();
    expect(bad.connection.info.phase).toBe('closed');
    expect([hub.stats().topics, hub.presence('a').count, hub.presence('b').count]).toEqual([0, 0, 0]);
  });
});
