import { describe, expect, test } from 'vitest';
import { type Reply, ask } from '../../test/http/client.ts';
import { createGate, until } from '../../test/http/deadline.ts';
import { expectProblem, startHub, startNode } from '../../test/http/hub.ts';
import { sse as fetchSse } from '../fetch/index.ts';
import { systemClock } from '../hub/clock.ts';
import { serve } from '../../test/http/server.ts';
import { sse } from '../node/index.ts';
import type { Authorization, HandlerOptions } from './handler-options.ts';

const APP = 'https://app.example';

interface Welcome {
  readonly connection: string;
  readonly secret: string;
}

async function welcomeOf({ frames }: Reply): Promise<Welcome> {
  const { connection, secret } = JSON.parse((await frames.nextEvent()).data) as Welcome;
  return { connection, secret };
}

describe('A change that a page has sent', () => {
  async function change(
    headers: Readonly<Record<string, string>>,
    cors?: HandlerOptions<never>['cors'],
  ): Promise<Reply> {
    const { url } = await startNode(cors === undefined ? {} : { cors });
    const json = { ...(await welcomeOf(await ask(`${url}/?topic=a`))), add: ['b'] };
    return ask(url, { method: 'POST', headers, json });
  }

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    'as "%s", which needs no preflight, is answered 415',
    async (type) => {
      await expectProblem(await change({ 'content-type': type }), 415, 'request/unsupported-media-type');
    },
  );

  test('as JSON with a charset is taken', async () => {
    expect((await change({ 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(200);
  });

  test.each([
    { origin: APP },
    { origin: 'null' },
    { origin: APP, 'sec-fetch-site': 'cross-site' },
    { origin: APP, 'sec-fetch-site': 'same-site' },
    { 'sec-fetch-site': 'cross-site' },
  ])('from another origin is refused: %o', async (headers) => {
    await expectProblem(await change(headers), 403, 'auth/forbidden');
    await expectProblem(await change(headers, { origin: 'https://other.example' }), 403, 'auth/forbidden');
  });

  test.each([{ origin: APP, 'sec-fetch-site': 'cross-site' }, { origin: APP }])(
    'from an origin that `cors` names is taken: %o',
    async (headers) => {
      expect((await change(headers, { origin: APP, credentials: true })).status).toBe(200);
      expect((await change(headers, { origin: '*' })).status).toBe(200);
    },
  );

  test.each<Record<string, string>>([
    { origin: APP, 'sec-fetch-site': 'same-origin' },
    { 'sec-fetch-site': 'none' },
    { origin: APP, host: 'app.example' },
    { origin: APP, 'x-forwarded-host': 'app.example' },
  ])('from the same origin is taken: %o', async (headers) => {
    expect((await change(headers)).status).toBe(200);
  });

  test('from an origin that middleware in front allows is taken', async () => {
    const events = sse(startHub());
    const { url } = await serve((req, res) => {
      res.setHeader('Access-Control-Allow-Origin', APP);
      events(req, res);
    });
    const json = { ...(await welcomeOf(await ask(`${url}/?topic=a`))), add: ['b'] };
    const post = (origin: string): Promise<Reply> =>
      ask(url, { method: 'POST', headers: { origin, 'sec-fetch-site': 'cross-site' }, json });
    expect((await post(APP)).status).toBe(200);
    await expectProblem(await post('https://evil.example'), 403, 'auth/forbidden');
  });

  test('from the same origin is taken by `tidings/fetch`, whose requests may have no Host', async () => {
    const handle = fetchSse(startHub());
    const post = (origin: string): Promise<Response> =>
      handle(
        new Request(`${APP}/events`, {
          method: 'POST',
          headers: { origin, 'content-type': 'application/json' },
          body: JSON.stringify({ connection: 'x', secret: 'y' }),
        }),
      );
    expect((await post(APP)).status).toBe(404);
    expect((await post('https://evil.example')).status).toBe(403);
  });
});

describe('Without a subject, a change', () => {
  /** Each user, named by the cookie, may read the news and a topic of their own. */
  function byCookie(expiresAt?: Readonly<Record<string, number>>, now = Date.now) {
    return startNode(
      {
        authorize: ({ headers }): Authorization => {
          const user = String(headers.cookie ?? 'nobody');
          const until = expiresAt?.[user];
          return { topics: ['news', `user/${user}`], ...(until === undefined ? {} : { expiresAt: until }) };
        },
      },
      // The round that looks for what has expired comes twice in a heartbeat.
      { clock: { ...systemClock, now }, heartbeat: 40 },
    );
  }

  test('with the credentials of somebody else gains none of their topics', async () => {
    const { hub, url } = await byCookie();
    const attacker = await ask(`${url}/?topic=news`, { headers: { cookie: 'eve' } });
    const json = { ...(await welcomeOf(attacker)), add: ['user/ann'] };
    const stolen = await ask(url, { method: 'POST', headers: { cookie: 'ann' }, json });
    await expectProblem(stolen, 403, 'auth/forbidden');
    await hub.publish('user/ann', 'secret', { private: true });
    await hub.publish('news', 'public');
    expect((await attacker.frames.nextEvent()).data).toBe('"public"');
  });

  test('gains no private events, even if it may read everything else', async () => {
    const { hub, url } = await startNode({
      authorize: ({ headers }): Authorization =>
        headers.cookie === 'ann' ? { topics: ['user/ann', 'news'] } : {},
    });
    const attacker = await ask(`${url}/?topic=news`);
    const json = { ...(await welcomeOf(attacker)), add: ['user/ann'] };
    expect((await ask(url, { method: 'POST', headers: { cookie: 'ann' }, json })).status).toBe(200);
    expect((await attacker.frames.nextEvent()).type).toBe('tidings:subscribed');
    await hub.publish('user/ann', 'secret', { private: true });
    await hub.publish('news', 'public');
    expect((await attacker.frames.nextEvent()).data).toBe('"public"');
  });

  test('gains no later expiry', async () => {
    let passed = 0;
    const now = Date.now();
    const expiresAt = { eve: now + 600_000, ann: now + 3_600_000 };
    const { hub, url } = await byCookie(expiresAt, () => Date.now() + passed);
    const attacker = await ask(`${url}/?topic=news`, { headers: { cookie: 'eve' } });
    const json = await welcomeOf(attacker);
    expect((await ask(url, { method: 'POST', headers: { cookie: 'ann' }, json })).status).toBe(200);
    passed = 600_000;
    await attacker.frames.until('end', () => attacker.frames.over);
    expect(attacker.frames.all.at(-1)?.data).toContain('"expired"');
    await until('no connections', () => hub.connections().length === 0);
  });

  test('gains topics that it was granted from the beginning, and those that anybody may read', async () => {
    const named = await byCookie();
    const json = { ...(await welcomeOf(await ask(`${named.url}/?topic=news`))), add: ['user/nobody'] };
    expect((await ask(named.url, { method: 'POST', json })).status).toBe(200);
    const open = await startNode();
    const other = { ...(await welcomeOf(await ask(`${open.url}/?topic=news`))), add: ['anything'] };
    expect((await ask(open.url, { method: 'POST', json: other })).status).toBe(200);
  });
});

describe('hub.disconnect', () => {
  test.each(['ann', 'bob'])(
    'also ends visits that are being authorized, but only those it picks: %s',
    async (subject) => {
      const asked = createGate();
      const decided = createGate();
      const { hub, url } = await startNode({
        topics: ['a'],
        authorize: async () => {
          asked.open();
          await decided.passed;
          return { subject };
        },
      });
      const reply = ask(url);
      await asked.passed;
      hub.disconnect((connection) => connection.subject === 'ann');
      decided.open();
      if (subject === 'ann') {
        await expectProblem(await reply, 503, 'hub/unavailable');
        expect(hub.connections()).toEqual([]);
      } else {
        expect((await reply).status).toBe(200);
        await until('connection', () => hub.connections().length === 1);
      }
    },
  );
});

describe('Presence', () => {
  async function firstData(query: string, options: HandlerOptions<unknown> = {}): Promise<string> {
    const { hub, url } = await startNode(options, {
      presence: [{ match: { pattern: 'room/:id' }, members: 5, interval: 1 }],
    });
    const { url: inside } = await serve(sse(hub));
    const insider = await ask(`${inside}/?topic=presence/room/7`);
    await insider.frames.nextEvent();
    const watcher = await ask(`${url}/?${query}&topic=last`);
    await until('both live', () => hub.stats().live === 2);
    await ask(`${url}/?topic=room/7`);
    expect((await insider.frames.nextEvent()).type).toBe('presence');
    await hub.publish('last', 'done');
    await watcher.frames.until('last', () => watcher.frames.events.some(({ data }) => data === '"done"'));
    return watcher.frames.events.map(({ type }) => type).join(' ');
  }

  test.each(['pattern=presence/*', 'pattern=*', 'pattern=presence/room/:id'])(
    'is not sent to subscribers that ask by a pattern: %s',
    async (query) => {
      expect(await firstData(query)).not.toContain('presence');
    },
  );

  test('is sent to subscribers that name the room or were granted the pattern', async () => {
    expect(await firstData('topic=presence/room/7')).toContain('presence');
    const grant = { topics: [{ pattern: 'presence/*' }, 'last', 'room/7'] };
    expect(await firstData('pattern=presence/*', { authorize: () => grant })).toContain('presence');
  });
});
