import { describe, expect, test, vi } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { expectProblem, startNode } from '../../test/http/hub.ts';
import { systemClock } from '../hub/clock.ts';
import { type Matcher, forbidden, memoryLog, tooManyRequests, unauthorized } from '../index.ts';

describe('authorize', () => {
  test('gets the request and the topics it wants', async () => {
    const authorize = vi.fn(() => ({}));
    const { url } = await startNode({ authorize });
    await ask(`${url}/?topic=a&pattern=b/*&topic=a`, { headers: { authorization: 'Bearer x' } });
    expect(authorize).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ headers: expect.objectContaining({ authorization: 'Bearer x' }) }),
      ['a', { pattern: 'b/*' }],
    );
  });

  test('is not called for a request that is refused anyway', async () => {
    const authorize = vi.fn(() => ({}));
    const { url } = await startNode({ authorize });
    await ask(url, { method: 'PUT' });
    await ask(url, { method: 'POST' });
    await ask(url, { headers: { accept: 'image/png' } });
    await ask(`${url}/?topic=`);
    await ask(url, { method: 'OPTIONS' });
    expect(authorize).not.toHaveBeenCalled();
  });

  test('that refuses is answered with its status and reason, to HEAD too', async () => {
    const errors = {
      '/401': unauthorized(),
      '/403': forbidden('Members only.'),
      '/429': tooManyRequests('Slow.', 7.2),
    };
    const { hub, url } = await startNode({
      topics: ['a'],
      authorize: ({ url: path }) => Promise.reject(errors[path as keyof typeof errors]),
    });
    const none = await ask(`${url}/401`);
    expect(none.headers['www-authenticate']).toBe('Bearer');
    await expectProblem(none, 401, 'auth/unauthorized');
    expect(await expectProblem(await ask(`${url}/403`), 403, 'auth/forbidden')).toMatchObject({
      title: 'Forbidden',
      detail: 'Members only.',
    });
    const late = await ask(`${url}/429`);
    expect(late.headers['retry-after']).toBe('8');
    await expectProblem(late, 429, 'limit/rate');
    expect((await ask(`${url}/401`, { method: 'HEAD' })).status).toBe(401);
    expect(hub.stats().connected).toBe(0);
  });

  test.each<[string, readonly Matcher[], string]>([
    ['another topic', ['user/1'], '?topic=user/2'],
    ['one topic of several', ['user/1', 'news'], '?topic=news&topic=user/1&topic=user/2'],
    ['a pattern where topics were granted', ['user/1'], '?pattern=user/:id'],
    ['a pattern that looks narrower than the granted one', [{ pattern: 'user/*' }], '?pattern=user/1/*'],
    ['everything', [{ pattern: ':any' }], '?pattern=*'],
    ['a topic past the granted segment', [{ pattern: 'user/:id' }], '?topic=user/1/secrets'],
    ['an exact topic named like the granted pattern', [{ pattern: 'user/:id' }], '?topic=user/'],
    ['anything where nothing was granted', [], '?topic=a'],
    ['another case', ['user/ann'], '?topic=user/Ann'],
    ['a path that resolves to a granted topic', [{ pattern: 'user/:id' }], '?topic=user/../admin'],
    ['a topic with the pattern characters in it', ['a'], '?topic=a*'],
  ])('that grants topics refuses %s', async (_what, topics, query) => {
    const { hub, url } = await startNode({ authorize: () => ({ topics }) });
    const { topics: refused } = await expectProblem(await ask(`${url}/${query}`), 403, 'auth/forbidden');
    expect(refused).toHaveLength(1);
    expect(hub.stats().connected).toBe(0);
  });

  test.each<[readonly Matcher[], string]>([
    [['a', 'b'], '?topic=b'],
    [[{ pattern: 'user/:id' }], '?topic=user/1&topic=user/%F0%9F%98%80'],
    [[{ pattern: 'user/:id' }], '?pattern=user/:id'],
    [[{ pattern: '*' }], '?pattern=a/*&topic=b'],
  ])('that grants %j serves %s', async (topics, query) => {
    const { url } = await startNode({ authorize: () => ({ topics }) });
    expect((await ask(`${url}/${query}`)).status).toBe(200);
  });

  test('that has already expired is answered 401', async () => {
    const { hub, url } = await startNode({ topics: ['a'], authorize: () => ({ expiresAt: Date.now() - 1 }) });
    await expectProblem(await ask(url), 401, 'auth/expired');
    expect(hub.connections()).toEqual([]);
  });

  test('that expires ends the stream, saying so', async () => {
    let passed = 0;
    const now = (): number => Date.now() + passed;
    const { hub, url } = await startNode(
      { topics: ['a'], authorize: () => ({ subject: 'ann', expiresAt: now() + 3_600_000 }) },
      { clock: { ...systemClock, now }, heartbeat: 40 },
    );
    const { frames } = await ask(url);
    expect(hub.connections()).toMatchObject([{ subject: 'ann' }]);
    passed = 3_600_000;
    await frames.end();
    const { type, data = '', retry } = frames.all.at(-1) ?? {};
    expect([type, JSON.parse(data)]).toEqual(['tidings:goodbye', { reason: 'expired', retry }]);
    expect(frames.error).toBeUndefined();
    await until('no connections', () => hub.connections().length === 0);
  });

  test('that gives an invalid expiry fails, instead of granting forever', async () => {
    const onError = vi.fn();
    const { hub, url } = await startNode({
      topics: ['a'],
      authorize: () => ({ expiresAt: Date.parse('not a date') }),
      onError,
    });
    await expectProblem(await ask(url), 500, 'request/handler-failed');
    expect(onError).toHaveBeenCalledOnce();
    expect(hub.connections()).toEqual([]);
  });
});

describe('A private event', () => {
  test('stays away from those who may read a topic, but were granted private events on another', async () => {
    const { hub, url } = await startNode({
      authorize: () => ({ subject: 'ann', topics: [{ pattern: '*' }], private: ['user/ann'] }),
    });
    const { frames } = await ask(`${url}/?topic=news&topic=user/ann`);
    await until('live', () => hub.stats().live === 1);
    await hub.publish('news', 'hidden', { private: true });
    await hub.publish('news', 'public');
    await hub.publish('user/ann', 'hers', { private: true });
    await frames.until('hers', () => frames.events.length === 2);
    expect(frames.events.map(({ data }) => data)).toEqual(['"public"', '"hers"']);
  });

  test('reaches only connections that were granted one of its topics, live and when they resume', async () => {
    const grants: Record<string, readonly Matcher[] | undefined> = {
      ann: ['user/ann', 'news'],
      admin: [{ pattern: '*' }],
      bob: ['user/bob', 'news'],
      nobody: undefined,
    };
    const { hub, url } = await startNode(
      {
        authorize: ({ headers }) => {
          const subject = String(headers['x-user']);
          const topics = grants[subject];
          return topics === undefined ? { subject } : { subject, topics };
        },
      },
      { log: memoryLog({ epoch: 'e' }) },
    );
    const queries = {
      ann: 'topic=user/ann&topic=news',
      admin: 'pattern=user/:id&topic=news',
      bob: 'topic=user/bob&topic=news',
      // Asking for a topic doesn't grant it.
      nobody: 'pattern=*&topic=user/ann',
    };
    const expected = {
      ann: ['"to ann"', '"to all"', '"to those granted news"', '"to both"', '"end"'],
      admin: ['"to ann"', '"to all"', '"to those granted news"', '"to bob"', '"to both"', '"end"'],
      bob: ['"to all"', '"to those granted news"', '"to bob"', '"to both"', '"end"'],
      nobody: ['"to all"', '"end"'],
    };
    const receive = (cursor: string) =>
      Promise.all(
        Object.entries(queries).map(async ([user, query]) => {
          const headers = { 'x-user': user, 'last-event-id': cursor };
          return [user, (await ask(`${url}/?${query}`, { headers })).frames] as const;
        }),
      );
    const check = async (all: Awaited<ReturnType<typeof receive>>) => {
      for (const [user, frames] of all) {
        await frames.until(`end for ${user}`, () => frames.events.at(-1)?.data === '"end"');
        const { text } = frames;
        expect([user, frames.events.map(({ data }) => data)]).toEqual([
          user,
          expected[user as keyof typeof expected],
        ]);
        expect(text.includes('to ann')).toBe(user === 'ann' || user === 'admin');
      }
    };
    const live = await receive('e.0');
    await until('all live', () => hub.stats().live === 4);
    await hub.publish('user/ann', 'to ann', { private: true });
    await hub.publish('news', 'to all');
    await hub.publish('news', 'to those granted news', { private: true });
    await hub.publish('user/bob', 'to bob', { private: true });
    await hub.publish(['user/bob', 'user/ann'], 'to both', { private: true });
    await hub.publish('news', 'end');
    await check(live);
    await check(await receive('e.0'));
  });
});
