import { describe, expect, test } from 'vitest';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import { memoryLog } from '../logs/memory/index.ts';
import type { EventLog, LogQuery } from '../log/event-log.ts';
import type { Page } from '../log/page.ts';
import { sse } from '../fetch/index.ts';
import { createManualClock } from '../testing/manual-clock.ts';
import { type Clock, systemClock } from './clock.ts';
import { revocationKey } from './cluster/orders.ts';
import { HUB_TOPICS, hubEvent } from './cluster/hub-topics.ts';
import type { Connection } from './delivery/connection.ts';
import type { ConnectRequest } from './connect-request.ts';
import { GATEWAY, type CurrentTerms, type Gateway, gatewayOf } from './gateway.ts';
import { startHub } from './hub.ts';

interface Setup {
  readonly gateway: Gateway;
  /** Identifies a connection with the topic `a`. */
  readonly claim: { readonly connection: string; readonly secret: string };
  readonly wanted: (...topics: readonly string[]) => MatcherSet;
  readonly end: () => void;
}

function setUp(
  request: Partial<ConnectRequest> = {},
  log: EventLog = memoryLog({ epoch: 'e' }),
  clock: Clock = systemClock,
): Setup {
  const hub = startHub({ log, clock });
  const gateway = gatewayOf(hub);
  const wanted = (...topics: readonly string[]): MatcherSet => gateway.wanted(topics);
  const connection = gateway.admit({
    wanted: wanted('a'),
    granted: wanted('a'),
    start: 'head',
    reconnects: false,
    subject: 'ann',
    expiresAt: undefined,
    remote: undefined,
    userAgent: undefined,
    protocol: 'test',
    ...request,
  }) as Connection;
  const claim = { connection: connection.id, secret: connection.secret };
  return { gateway, claim, wanted, end: () => connection.destroy() };
}

describe('the gateway of a hub', () => {
  test('is found even if another copy of the package made the hub', () => {
    const hub = startHub({ log: memoryLog() });
    const found = (hub as never)[Symbol.for('tidings.gateway')] as Gateway;
    expect(gatewayOf(hub)).toBe(found);
    expect(gatewayOf({ [GATEWAY]: { ...found } })).toMatchObject({ version: found.version });
  });

  test.each([
    ['a value that is not a hub', {}, /first argument is a hub of `createHub`/],
    ['a missing hub', undefined, /first argument is a hub of `createHub`/],
    [
      'a hub of another version',
      { [GATEWAY]: { version: 0 } },
      /another version of `tidings`.*npm ls tidings/,
    ],
  ])('is refused for %s', (_, hub, message) => {
    expect(() => gatewayOf(hub as never)).toThrow(
      expect.objectContaining({
        code: 'hub/invalid-option',
        message: expect.stringMatching(message) as string,
      }),
    );
  });
});

describe('while the hub reads its log for the first time', () => {
  const slow = async (): Promise<{ log: EventLog; release: () => void }> => {
    const log = memoryLog({ epoch: 'e' });
    const revocation = { subject: 'ann', before: Date.now() + 100_000 };
    await log.append([
      hubEvent(HUB_TOPICS.revocations, revocationKey(revocation), revocation, { ttl: 100_000 }),
    ]);
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const read = async (query: LogQuery): Promise<Page> => {
      await held;
      return log.read(query);
    };
    return { log: Object.create(log, { read: { value: read } }) as EventLog, release };
  };

  test('visitors wait, and revocations hold from the first one on', async () => {
    const { log, release } = await slow();
    const handle = sse(startHub({ log }), {
      topics: ['a'],
      authorize: () => ({ subject: 'ann' }),
    });
    const answer = handle(new Request('http://x/', { headers: { accept: '*/*' } }));
    let isAnswered = false;
    void answer.finally(() => (isAnswered = true));
    await new Promise((resolve) => void setTimeout(resolve, 20));
    expect(isAnswered).toBe(false);
    release();
    expect(await (await answer).json()).toMatchObject({ code: 'auth/revoked' });
  });

  test('changes wait', async () => {
    const { log, release } = await slow();
    const { gateway, claim } = setUp({}, log);
    const changed = gateway.change(claim, (current) => current);
    release();
    await expect(changed).rejects.toMatchObject({ code: expect.stringMatching(/revoked|unknown/) as string });
  });

  test('nobody waits for longer than a few seconds', async () => {
    const { log } = await slow();
    const clock = createManualClock();
    const { gateway } = setUp({}, log, clock);
    const ready = gateway.ready();
    clock.advance(5000);
    await expect(ready).rejects.toMatchObject({ code: 'hub/unavailable', details: { retryAfter: 1 } });
  });
});

describe('a change of a connection', () => {
  test('is decided with the connection’s present topics', async () => {
    const { gateway, claim, wanted } = setUp();
    const seen: CurrentTerms[] = [];
    const changed = await gateway.change(claim, (current) => {
      seen.push(current);
      return { wanted: wanted('b'), granted: wanted('b'), expiresAt: undefined };
    });
    expect(changed).toEqual({ cursor: 'e.0', topics: ['b'] });
    expect(seen).toMatchObject([{ subject: 'ann', wanted: { matchers: ['a'] } }]);
  });

  test('is decided anew if another one came first, and neither undoes the other', async () => {
    const { gateway, claim, wanted } = setUp();
    const asked: unknown[] = [];
    const add = async (topic: string, turns: number): Promise<unknown> => {
      const changed = await gateway.change(claim, async (current) => {
        asked.push(current.wanted.matchers);
        for (let i = 0; i < turns; i += 1) await Promise.resolve();
        const all = gateway.wanted([...current.wanted.matchers, topic]);
        return { wanted: all, granted: wanted('a'), expiresAt: undefined };
      });
      return changed.topics;
    };
    expect(await Promise.all([add('slow', 10), add('quick', 1)])).toEqual([
      ['a', 'quick', 'slow'],
      ['a', 'quick'],
    ]);
    expect(asked).toEqual([['a'], ['a'], ['a', 'quick']]);
  });

  test('costs few decisions, however many changes come at once', async () => {
    const { gateway, claim, wanted } = setUp();
    let asked = 0;
    const add = (topic: string): Promise<unknown> =>
      gateway.change(claim, async (current) => {
        asked += 1;
        await Promise.resolve();
        const all = gateway.wanted([...current.wanted.matchers, topic]);
        return { wanted: all, granted: wanted('a'), expiresAt: undefined };
      });
    const topics = Array.from({ length: 90 }, (_, i) => `t/${i}`);
    await Promise.all(topics.map(add));
    expect(asked).toBeLessThanOrEqual(2 * topics.length);
    const { topics: now } = await gateway.change(claim, (current) => current);
    expect(new Set(now)).toEqual(new Set(['a', ...topics]));
  });

  test('that fails while others wait does not hold them up', async () => {
    const { gateway, claim, wanted } = setUp();
    const add = (topic: string): Promise<unknown> => {
      let isFirst = true;
      return gateway.change(claim, async (current) => {
        await Promise.resolve();
        if (topic === 'bad' && !isFirst) throw new Error('refused');
        isFirst = false;
        const all = gateway.wanted([...current.wanted.matchers, topic]);
        return { wanted: all, granted: wanted('a'), expiresAt: undefined };
      });
    };
    const outcomes = await Promise.allSettled(['b', 'bad', 'c'].map(add));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    const { topics } = await gateway.change(claim, (current) => current);
    expect(topics).toEqual(['a', 'b', 'c']);
  });

  test('is refused with a wrong secret, by another handler, and once the connection is over', async () => {
    const handler = {};
    const { gateway, claim, wanted, end } = setUp({ handler });
    const terms = { wanted: wanted('b'), granted: wanted('b'), expiresAt: undefined };
    const unknown = { code: 'connection/unknown', status: 404 };
    const asked: string[] = [];
    const change = (name: string, of: Parameters<Gateway['change']>[0]): Promise<unknown> =>
      gateway.change(of, () => {
        asked.push(name);
        return terms;
      });
    await expect(change('secret', { ...claim, secret: 'guessed', handler })).rejects.toMatchObject(unknown);
    await expect(change('no handler', claim)).rejects.toMatchObject(unknown);
    await expect(change('another', { ...claim, handler: {} })).rejects.toMatchObject(unknown);
    const ended = gateway.change({ ...claim, handler }, () => {
      end();
      return terms;
    });
    await expect(ended).rejects.toMatchObject(unknown);
    expect(asked).toEqual([]);
  });

  test('to an authorization that has expired is refused, and changes nothing', async () => {
    const { gateway, claim, wanted } = setUp();
    const expired = gateway.change(claim, () => ({
      wanted: wanted('b'),
      granted: wanted('b'),
      expiresAt: 1,
    }));
    await expect(expired).rejects.toMatchObject({ code: 'auth/expired', status: 401 });
    const { topics } = await gateway.change(claim, (current) => current);
    expect(topics).toEqual(['a']);
  });
});
