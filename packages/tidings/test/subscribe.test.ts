import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Item } from '../src/hub/index.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { record, startHub, withMethods } from './fixture.ts';
import { settle } from './peer.ts';

type Loop = AsyncIterableIterator<Item>;

async function take(loop: Loop): Promise<Item> {
  const { value } = (await loop.next()) as { value: Item };
  return value;
}

/** An item in short form. */
function brief(item: Item): string {
  if (item.kind === 'event') return `${item.cursor} ${item.data}`;
  if (item.kind === 'state') return `state ${item.data}`;
  return `${item.kind} ${item.cursor ?? ''}`.trim();
}

describe('a loop over the events of a hub', () => {
  test('begins with its cursor, then has every published event', async () => {
    const { hub, clock, publish } = startHub();
    await publish('a', 1);
    const loop = hub.subscribe(['a', { pattern: 'b/*' }]);
    expect(await take(loop)).toEqual({ kind: 'start', resumed: false, gaps: [], cursor: 'e.1' });
    await hub.publish(['b/1', 'c'], { n: 2 }, { type: 'note', id: 'once', key: 'k', private: true });
    await publish('other', 3);
    clock.tick();
    const item = await take(loop);
    expect(item).toMatchObject({
      kind: 'event',
      cursor: 'e.2',
      topics: ['b/1', 'c'],
      type: 'note',
      data: '{"n":2}',
      id: 'once',
      key: 'k',
      tombstone: false,
      private: true,
      time: clock.now(),
    });
    expect(item.kind === 'event' && item.json()).toEqual({ n: 2 });
    await loop.return?.();
    expect(hub.stats()).toMatchObject({ connections: 0, inProcess: 0, topics: 0 });
  });

  test('takes a single topic by its name, and private events only on granted topics', async () => {
    const { hub, clock } = startHub();
    const loop = hub.subscribe('a', { granted: ['b'] });
    await take(loop);
    await hub.publish('a', 1, { private: true });
    await hub.publish(['a', 'b'], 2, { private: true });
    clock.tick();
    expect(brief(await take(loop))).toBe('e.2 2');
  });

  test('gets the states first, without cursors, and a cursor once it has them all', async () => {
    const { hub, clock } = startHub({
      wrapLog: () => memoryLog({ epoch: 'e', topics: [{ match: 's', state: true }] }),
    });
    await hub.publish('s', 1, { key: 'x' });
    await hub.publish('s', 2, { key: 'y' });
    await hub.publish('s', 3, { key: 'x' });
    const loop = hub.subscribe('s');
    const items = [await take(loop), await take(loop), await take(loop), await take(loop)];
    expect(items.map(brief)).toEqual(['start', 'state 2', 'state 3', 'cursor e.3']);
    await hub.publish('s', 4, { key: 'x' });
    clock.tick();
    expect(brief(await take(loop))).toBe('e.4 4');
    // A loop that goes on from its own cursor had the snapshot already.
    const again = hub.subscribe('s', { cursor: 'e.3' });
    expect([brief(await take(again)), brief(await take(again))]).toEqual(['start e.3', 'e.4 4']);
  });

  test('that is busy delays nothing, and reads on where it was', async () => {
    const { hub, clock, publish } = startHub();
    const loop = hub.subscribe('a');
    const peer = record(hub);
    await take(loop);
    for (let i = 1; i <= 2500; i += 1) {
      await publish('a', i);
      clock.tick();
    }
    expect(hub.stats()).toMatchObject({ connections: 2, live: 1, behind: 1, inProcess: 1 });
    expect(peer.writes).toHaveLength(2501);
    const got: string[] = [];
    while (got.length < 2500) got.push(brief(await take(loop)));
    expect(got).toEqual(Array.from({ length: 2500 }, (_, i) => `e.${i + 1} ${i + 1}`));
    void loop.next();
    await settle();
    expect(hub.stats()).toMatchObject({ live: 2, behind: 0 });
  });

  test('gets a gap if retention was faster', async () => {
    const { hub, clock, publish } = startHub({ retention: { events: 2 } });
    const loop = hub.subscribe('a');
    await take(loop);
    for (let i = 1; i <= 6; i += 1) {
      await publish('a', i);
      clock.tick();
    }
    const items = [await take(loop), await take(loop), await take(loop)];
    expect(items.map(brief)).toEqual(['gap e.0', 'e.5 5', 'e.6 6']);
    expect(items[0]).toEqual({ kind: 'gap', cursor: 'e.0', gaps: [{ topics: ['a'], reason: 'trimmed' }] });
  });

  test('ends when it is left, when its signal aborts, and when the hub closes, and leaves nothing behind', async () => {
    const { hub, clock, publish } = startHub();
    const abort = new AbortController();
    const [left, aborted, closed] = [hub.subscribe('a'), hub.subscribe('a', abort), hub.subscribe('a')];
    for await (const item of left) {
      expect(item.kind).toBe('start');
      break;
    }
    for (const loop of [aborted, closed]) await take(loop);
    const waiting = [aborted.next(), closed.next()];
    abort.abort();
    expect(await waiting[0]).toEqual({ done: true, value: undefined });
    expect(hub.stats()).toMatchObject({ inProcess: 1 });
    await publish('a', 1);
    // Events published before are still delivered.
    await hub.close();
    expect(brief(((await waiting[1]) as { value: Item }).value)).toBe('e.1 1');
    expect(await closed.next()).toEqual({ done: true, value: undefined });
    expect(() => hub.subscribe('a')).toThrow(expect.objectContaining({ code: 'hub/unavailable' }));
    expect(clock.timers).toBe(0);
  });

  test('throws if it was cut off, after the events it was given', async () => {
    let isBroken = false;
    const failure = new Error('disk');
    const { hub, clock, publish, failures } = startHub({
      retention: { events: 1 },
      wrapLog: (log) =>
        withMethods(log, { read: (query) => (isBroken ? Promise.reject(failure) : log.read(query)) }),
    });
    const loop = hub.subscribe('a');
    await take(loop);
    isBroken = true;
    await publish('a', 1);
    clock.tick();
    await publish('a', 2, 3);
    clock.tick();
    await expect(loop.next()).rejects.toMatchObject({ code: 'hub/unavailable' });
    expect(failures).toEqual([failure]);
    expect(hub.stats().inProcess).toBe(0);
  });

  test('counts for no limit meant for strangers, and not as a watcher', async () => {
    const { hub } = startHub({ limits: { connections: 1, topicsPerConnection: 1 } });
    const loop = hub.subscribe(['a', 'b', 'c']);
    await take(loop);
    record(hub);
    expect([hub.watchers('a'), hub.connections().length, hub.stats().connections]).toEqual([1, 1, 2]);
    expect(hub.disconnect(() => true)).toBe(1);
    expect(hub.stats().inProcess).toBe(1);
  });

  test.each([
    ['no topic', [], undefined, 'topic/missing'],
    ['an invalid cursor', 'a', { cursor: 'what?' }, 'hub/invalid-option'],
    ['an unknown option', 'a', { curser: 'e.1' }, 'hub/invalid-option'],
    ['an invalid topic', 'a\n', undefined, 'topic/invalid'],
  ])('is refused for %s', (_, topics, options, code) => {
    const { hub } = startHub();
    expect(() => hub.subscribe(topics, options as never)).toThrow(expect.objectContaining({ code }));
    expect(hub.stats().inProcess).toBe(0);
  });

  const act = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('publish' as const), count: fc.integer({ min: 1, max: 3 }) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 4 }) }),
    },
    { weight: 3, arbitrary: fc.constant({ do: 'tick' as const }) },
    { weight: 1, arbitrary: fc.constant({ do: 'again' as const }) },
  );

  test('gives every event once and in order, whenever it reads, leaves and comes back with its cursor', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(act, { maxLength: 40 }),
        fc.constantFrom(0, 50),
        async (acts, flushWindow) => {
          const { hub, clock } = startHub({ flushWindow });
          let loop = hub.subscribe('a', { cursor: 'e.0' });
          let cursor = 'e.0';
          let published = 0;
          const got: string[] = [];
          const read = async (): Promise<void> => {
            const item = await take(loop);
            if (item.kind === 'event') got.push(item.data);
            else expect(item).toMatchObject({ kind: 'start', resumed: true, gaps: [] });
            if (item.kind !== 'state') cursor = item.cursor ?? cursor;
          };
          for (const each of acts) {
            if (each.do === 'publish')
              for (let i = 0; i < each.count; i += 1)
                await hub.publish(i === 1 ? 'b' : 'a', String((published += i === 1 ? 0 : 1)), { raw: true });
            else if (each.do === 'tick') clock.advance(flushWindow);
            else if (each.do === 'again') {
              await loop.return?.();
              loop = hub.subscribe('a', { cursor });
            } else
              for (let i = 0; i < each.count && got.length < published; i += 1) {
                const reading = read();
                clock.advance(flushWindow);
                await reading;
              }
          }
          while (got.length < published) {
            const reading = read();
            clock.advance(flushWindow);
            await reading;
          }
          expect(got).toEqual(Array.from({ length: published }, (_, i) => String(i + 1)));
        },
      ),
      { numRuns: 300 },
    );
  });
});
