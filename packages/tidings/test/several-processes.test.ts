import { describe, expect, test } from 'vitest';
import type { Tail } from '../src/log/tail.ts';
import { type Fixture, dataOf, startHub, told, withMethods } from './fixture.ts';
import { settle } from './peer.ts';

/** A hub whose log says, before an append, that the next push leaves out events of these topics, or of any. */
async function publishWithMiss(fixture: Fixture, missed: readonly string[] | undefined): Promise<void> {
  const { tail }: { readonly tail: Tail } = fixture.log;
  tail.miss(missed);
  await fixture.publish('a', 3, 4);
  await settle();
  fixture.clock.tick();
  await settle();
}

describe('a hub on a log that other processes append to', () => {
  test('catches up before it calls a cursor unknown', async () => {
    let catchUps = 0;
    const { publish, follow } = startHub({
      wrapLog: (log) =>
        withMethods(log, {
          catchUp: async () => {
            catchUps += 1;
            await publish('a', 3, 4);
          },
        }),
    });
    await publish('a', 1, 2);
    const peer = await follow({}, 'e.3');
    expect(told(peer, 'welcome')).toEqual([expect.objectContaining({ resumed: true, gaps: [] })]);
    expect(dataOf(peer)).toEqual(['4']);
    await follow({}, 'e.4');
    expect(catchUps, 'not for what it knows').toBe(1);
  });

  test('catches up before it decides where `earliest` begins', async () => {
    const { publish, follow } = startHub({
      retention: { events: 2 },
      wrapLog: (log) =>
        withMethods(log, {
          catchUp: async () => {
            await publish('a', 1, 2, 3, 4);
          },
        }),
    });
    const peer = await follow({}, 'earliest');
    expect(told(peer, 'welcome')).toEqual([expect.objectContaining({ gaps: [] })]);
    expect(dataOf(peer)).toEqual(['3', '4']);
  });

  test.each([
    ['a topic that it reads', ['a']],
    ['some topic', undefined],
  ])('makes live readers read the log when %s lacks events', async (_, topics) => {
    const fixture = startHub();
    const { follow, publish } = fixture;
    const peer = await follow();
    await publish('a', 1, 2);
    expect(peer.connection?.info.phase).toBe('live');
    fixture.log.tail.miss(topics);
    expect(peer.connection?.info.phase).toBe('behind');
    await publishWithMiss(fixture, topics);
    peer.receive();
    expect(peer.connection?.info.phase).toBe('live');
    expect(dataOf(peer)).toEqual(['1', '2', '3', '4']);
  });

  test('keeps readers of other topics live', async () => {
    const fixture = startHub();
    const peer = await fixture.follow();
    fixture.log.tail.miss(['b', 'c']);
    expect(peer.connection?.info.phase).toBe('live');
  });
});
