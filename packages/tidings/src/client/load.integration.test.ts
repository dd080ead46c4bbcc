import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { slowNetworkTo } from '../../test/client/slow-network.ts';
import { createGate, turn, until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { memoryLog } from '../index.ts';
import type { LoadRequest } from './index.ts';

describe('an app that loads its state', () => {
  it('gets the events after the cursor at which that is true, and none before it has loaded', async () => {
    const server = await serveExchanges();
    const { passed, open } = createGate<string>();
    const asked: LoadRequest[] = [];
    const { client, hasMessages } = observe(server.url, {
      load(request) {
        asked.push(request);
        return passed;
      },
    });
    await turn();
    expect([server.count, client.status]).toEqual([0, 'connecting']);
    expect(asked).toMatchObject([{ gaps: [], signal: { aborted: false } }]);
    open('a.7');
    const exchange = await server.next();
    expect(exchange.url.search).toBe('?last_event_id=a.7');
    exchange.stream(`${welcome({ resumed: true }, 'a.7')}id: a.8\ndata: 8\n\n`);
    await hasMessages(1);
    expect(client.cursor).toBe('a.8');
  });

  it('does not load at the start if it has a cursor, nor after a drop', async () => {
    const server = await serveExchanges();
    let loads = 0;
    const load = (): string => `a.${(loads += 1)}`;
    const { openings, comesBack } = observe(server.url, { cursor: 'a.5', load });
    const first = await server.next();
    first.stream(welcome({ resumed: true }, 'a.5'));
    await until('opening', () => openings.length > 0);
    first.cut();
    await comesBack();
    (await server.next()).stream(welcome({ resumed: true }, 'a.5'));
    await until('opening', () => openings.length > 1);
    expect(loads).toBe(0);
  });

  it.each<[string, () => unknown]>([
    ['that fails', () => Promise.reject(new Error('no'))],
    ['without a cursor', () => undefined],
    ['with an empty cursor', () => ''],
  ])('loads again later after an answer %s', async (_, answer) => {
    const server = await serveExchanges();
    let loads = 0;
    const load = (): string => ((loads += 1) === 1 ? (answer() as string) : 'a.1');
    const { errors, comesBack } = observe(server.url, { load });
    await comesBack();
    expect((await server.next()).url.search).toBe('?last_event_id=a.1');
    expect(errors).toEqual(['client/load-failed, again in 500']);
  });

  it('that never answers is given up on, with an error', async () => {
    let signal: AbortSignal | undefined;
    const { clock, client, errors, hasStatus } = observe('http://localhost', {
      load: (request) => {
        ({ signal } = request);
        return new Promise(() => {});
      },
    });
    await turn();
    clock.advance(60_000);
    await hasStatus('waiting');
    expect([errors, signal?.aborted]).toEqual([['client/load-failed, again in 500'], true]);
    client.close();
    expect(clock.timers).toBe(0);
  });
});

describe('a gap', () => {
  const gaps = [{ topics: ['a'], reason: 'trimmed' }];

  it('at the beginning or in the middle of a stream makes the app load again, before any later event', async () => {
    const server = await serveExchanges();
    const asked: (readonly unknown[])[] = [];
    const load = (request: LoadRequest): string => `a.${asked.push(request.gaps) * 10}`;
    const { messages, gaps: told, hasMessages } = observe(server.url, { load });
    (await server.next()).stream(
      `${welcome({ resumed: true }, 'a.10')}id: a.11\ndata: 11\n\n` +
        `id: a.15\nevent: tidings:gap\ndata: ${JSON.stringify({ gaps })}\n\nid: a.16\ndata: 16\n\n`,
    );
    const second = await server.next();
    expect(second.url.search).toBe('?last_event_id=a.20');
    second.stream(`${welcome({ resumed: true }, 'a.20')}id: a.21\ndata: 21\n\n`);
    await hasMessages(2);
    expect(messages).toEqual(['11', '21']);
    expect([asked, told]).toEqual([[[], gaps], gaps]);
  });

  it('right after loading is a failure: a stale cursor must not lead in circles', async () => {
    const server = await serveExchanges();
    const { errors, comesBack } = observe(server.url, { load: () => 'old.1' });
    (await server.next()).stream(welcome({ gaps }, 'a.9'));
    await comesBack();
    expect(errors).toEqual(['client/load-failed, again in 1000']);
    expect((await server.next()).url.search).toBe('?last_event_id=old.1');
  });

  it('withdraws an event that an iterator has not taken: the app has it from what it loaded', async () => {
    const server = await serveExchanges();
    let loads = 0;
    const { client } = observe(server.url, { load: () => `a.${(loads += 1) * 10}` });
    const iterator = client.events();
    const first = iterator.next();
    const exchange = await server.next();
    exchange.stream(`${welcome({ resumed: true }, 'a.10')}id: a.11\ndata: 11\n\nid: a.12\ndata: 12\n\n`);
    await first;
    await until('the second event', () => client.cursor === 'a.11');
    client.reconnect();
    (await server.next()).stream(welcome({ gaps }, 'a.12'));
    const loaded = await server.next();
    expect([loads, loaded.url.search]).toEqual([2, '?last_event_id=a.20']);
    loaded.stream(`${welcome({ resumed: true }, 'a.20')}id: a.21\ndata: 21\n\n`);
    expect((await iterator.next()).value?.data).toBe('21');
    void iterator.next();
    await until('cursor', () => client.cursor === 'a.21');
  });
});

type Step = 'publish' | 'cut' | 'turn' | 'slow load' | 'hold' | 'release';

it(
  'Whatever is published, trimmed or cut off while an app loads and follows, each event is applied once',
  async () => {
    const step = fc.constantFrom<Step>(
      'publish',
      'publish',
      'publish',
      'cut',
      'turn',
      'slow load',
      'hold',
      'release',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const { hub, port } = await startNode({}, { log: memoryLog({ retention: { events: 3 } }) });
        const network = await slowNetworkTo(port);
        /** The app's database. */
        const stored: number[] = [];
        let applied: number[] = [];
        let gate = createGate();
        gate.open();
        const { client, comesBack } = observe(network.url, {
          topics: ['a'],
          async load() {
            const cursor = hub.cursor();
            const state = [...stored];
            await gate.passed;
            applied = state;
            return cursor;
          },
        });
        client.on('message', ({ data }) => applied.push(Number(data)));
        const publish = async (): Promise<void> => {
          const n = stored.length;
          // Stored and published together, as in one transaction.
          const published = hub.publish('a', n);
          stored.push(n);
          await published;
        };
        for (const now of steps) {
          if (now === 'publish') await publish();
          else if (now === 'cut') network.cut('GET');
          else if (now === 'hold') network.hold('GET');
          else if (now === 'release') network.release('GET');
          else if (now === 'slow load') gate = createGate();
          else for (let i = 0; i < 10; i += 1) await turn();
          if (now !== 'slow load') gate.open();
          if (client.status === 'waiting') await comesBack();
        }
        gate.open();
        network.release('GET');
        const mend = setInterval(() => client.status === 'waiting' && void comesBack(), 5);
        await publish();
        await until('the last event', () => applied.at(-1) === stored.at(-1));
        clearInterval(mend);
        client.close();
        expect(applied).toEqual(stored);
      }),
      { numRuns: 40 },
    );
  },
  5 * DEADLINE,
);
