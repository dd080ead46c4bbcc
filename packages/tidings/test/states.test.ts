import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryLog } from '../src/logs/memory/index.ts';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { createHub } from './internals.ts';
import { Peer, settle } from './peer.ts';

interface Change {
  readonly key: string;
  readonly value: number | null;
}

const key = fc.constantFrom('a', 'b', 'c', 'd');
const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('noise' as const), count: fc.nat(8) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('connect' as const), capacity: fc.constantFrom(1, 500, 1e9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('receive' as const),
      peer: fc.nat(5),
      bytes: fc.constantFrom(30, 300, 1e9),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('drop' as const), peer: fc.nat(5) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reconnect' as const), peer: fc.nat(5) }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('advance' as const), milliseconds: fc.constantFrom(1, 60, 150) }),
  },
);

/** The values that a page would show: the last one of each key, in the order of their arrival. */
function viewOf(peer: Peer): Record<string, number> {
  let view: Record<string, number> = {};
  for (const { type, data } of peer.events) {
    // A peer without a cursor, or with a loss, gets the whole state anew.
    if (type === 'tidings:welcome' && !(JSON.parse(data) as { resumed: boolean }).resumed) view = {};
    if (type === 'tidings:gap') view = {};
    if (type !== 'state') continue;
    const change = JSON.parse(data) as Change;
    if (change.value === null) Reflect.deleteProperty(view, change.key);
    else view[change.key] = change.value;
  }
  return view;
}

describe('a topic that is a state', () => {
  test('ends up the same for every reader, even if cut off, stalled or late', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 50, size: 'max' }),
        fc.constantFrom(0, 100),
        async (actions, interval) => {
          const clock = createManualClock();
          const log = memoryLog({
            topics: [{ match: 'state', state: true, interval }],
            retention: { events: 20 },
            now: clock.now,
          });
          const hub = createHub({ log, clock, random: () => 0.5 });
          const truth: Record<string, number> = {};
          const peers: Peer[] = [];
          const published: Promise<unknown>[] = [];
          for (const [i, act] of actions.entries()) {
            const peer = 'peer' in act ? peers[act.peer % peers.length] : undefined;
            if (act.do === 'put') {
              truth[act.key] = i;
              published.push(
                hub.publish('state', { key: act.key, value: i }, { type: 'state', key: act.key }),
              );
            } else if (act.do === 'delete') {
              Reflect.deleteProperty(truth, act.key);
              published.push(
                hub.publish(
                  'state',
                  { key: act.key, value: null },
                  { type: 'state', key: act.key, tombstone: true },
                ),
              );
            } else if (act.do === 'noise') {
              for (let n = 0; n < act.count; n += 1) published.push(hub.publish('noise', n));
            } else if (act.do === 'connect') {
              if (peers.length < 6)
                peers.push(new Peer({ topics: ['state'], capacity: act.capacity }).connect(hub));
            } else if (act.do === 'receive') peer?.receive(act.bytes);
            else if (act.do === 'drop') peer?.drop();
            else if (act.do === 'reconnect') {
              if (peer !== undefined && peer.connection === undefined) peer.connect(hub);
            } else clock.advance(act.milliseconds);
            await settle();
          }
          clock.advance(1000);
          await Promise.all(published);
          for (let round = 0; round < 100; round += 1) {
            clock.tick();
            await settle();
            for (const peer of peers) {
              if (peer.connection === undefined) peer.connect(hub);
              peer.receive();
            }
          }
          for (const peer of peers) {
            expect(viewOf(peer)).toEqual(truth);
          }
        },
      ),
      { numRuns: Number(process.env['TIDINGS_MODEL_RUNS'] ?? 1000) },
    );
  });
});
