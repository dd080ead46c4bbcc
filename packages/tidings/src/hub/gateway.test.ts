import { describe, expect, test } from 'vitest';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import { memoryLog } from '../logs/memory/index.ts';
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

function setUp(request: Partial<ConnectRequest> = {}): Setup {
  const hub = startHub({ log: memoryLog({ epoch: 'e' }) });
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
