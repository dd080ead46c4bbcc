/** Subscribers over crashes and restarts; a server without the protocol. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { untilAsync } from '../../tidings/test/http/deadline.ts';
import { startInProcess } from './in-process.ts';
import { type Engine, type EngineLog, SHARED_ENGINES } from './mercure-engines.ts';
import { HUB, ISSUER, type Client, clientOf, detail, freshTopic, mint } from './mercure-client.ts';
import { type Started, SECRET, makeFolder, removeFolder, startServer } from './server-process.ts';

const ROOT = '/.well-known/mercure/subscriptions';

describe('a hub with its log on the disk', () => {
  let folder: string;
  let server: Started;
  let all: string;
  const client: Client = clientOf(() => server.publicUrl);

  async function start(...more: readonly string[]): Promise<void> {
    server = await startServer({
      folder,
      args: [
        '--log-url=lmdb:./log',
        `--mercure-url=${HUB}`,
        '--mercure-subscriptions',
        `--auth-jwt-issuer=${ISSUER}`,
        '--auth-anonymous-subscribe=news,news/*',
        ...more,
      ],
      environment: { TIDINGS_AUTH_JWT_SECRET: SECRET },
    });
  }

  beforeAll(async () => {
    folder = makeFolder();
    await start();
    all = await mint([detail(['publish', 'subscribe'], ['*'])]);
  });
  afterAll(async () => {
    await server.stop('SIGKILL');
    removeFolder(folder);
  });

  test('resumes exactly after it was killed, by its own ids and by the publisher’s', async () => {
    const topic = freshTopic();
    const ids: string[] = [];
    for (const [data, id] of [
      ['1', ''],
      ['2', 'urn:two'],
      ['3', ''],
      ['4', 'urn:two'],
      ['5', ''],
    ] as const)
      ids.push((await client.publish({ topic, data, ...(id !== '' && { id: `${id}:${topic}` }) }, all)).text);
    const stream = await client.subscribe({ match_urlpattern: topic }, all);
    expect(stream.status).toBe(200);
    await server.stop('SIGKILL');
    await start();
    const resume = async (id: string): Promise<string[]> => {
      const { headers, frames } = await client.subscribe({ match: topic }, all, { 'last-event-id': id });
      expect(headers['mercure-last-event-id']).toBe(id);
      const data: string[] = [];
      while (data.at(-1) !== '5') data.push((await frames.nextEvent()).data);
      return data;
    };
    expect(await resume(ids[0] as string)).toEqual(['2', '3', '4', '5']);
    expect(await resume(ids[1] as string)).toEqual(['3', '4', '5']);
    expect(await resume(ids[2] as string)).toEqual(['4', '5']);
  });

  test('ends the subscriptions of a server that was killed, and says so to those who follow them', async () => {
    const topic = freshTopic();
    const token = await mint([detail(['subscribe'], ['*'])]);
    const before = await client.get(ROOT, token);
    await client.subscribe({ match: topic }, all);
    const path = `${ROOT}/exact/${encodeURIComponent(topic)}`;
    const count = async (): Promise<number> =>
      JSON.parse((await client.get(path, all)).text).subscriptions.length;
    await untilAsync('the subscription', async () => (await count()) === 1);
    await server.stop('SIGKILL');
    await start();
    await untilAsync('its end', async () => (await count()) === 0);
    const cursor = /last-event-id="([^"]+)"/.exec(before.headers.get('link') ?? '')?.[1] ?? '';
    const watcher = await client.subscribe({ match_urlpattern: `${path}/:subscriber` }, all, {
      'last-event-id': cursor,
    });
    expect(watcher.headers['mercure-last-event-id']).toBe(cursor);
    let last: { active?: boolean } = {};
    while (last.active !== false) {
      last = JSON.parse((await watcher.frames.nextEvent()).data) as typeof last;
      expect(last).toMatchObject({ type: 'subscription', match: topic });
    }
  });

  test('ends the subscriptions of a server that stops in order', async () => {
    const topic = freshTopic();
    await client.subscribe({ match: topic }, all);
    await server.stop();
    await start();
    const { text } = await client.get(`${ROOT}/exact/${encodeURIComponent(topic)}`, all);
    expect(JSON.parse(text).subscriptions).toEqual([]);
  });

  test.each([
    ['match=news', 200],
    ['match=news/1', 200],
    ['match=news&match=other', 401],
    ['match=*', 401],
    ['match_urlpattern=/news', 401],
  ])('shows anybody only the topics that it should: ?%s gets a %s', async (query, expected) => {
    const stream = await client.subscribe(query);
    expect(stream.status).toBe(expected);
  });

  test('tells clients of a server that drains when to come back', async () => {
    const stream = await client.subscribe({ match: freshTopic() }, all, { accept: 'text/event-stream' });
    expect(stream.status).toBe(200);
    const stopped = server.stop();
    await stream.frames.end();
    expect(stream.frames.text).toMatch(/: drain\nretry: \d+\n\n$/);
    await stopped;
    await start();
  });
});

interface Pair {
  readonly log: EngineLog;
  readonly servers: readonly Started[];
  readonly clients: readonly [Client, Client];
}

async function startPair(engine: Engine): Promise<Pair> {
  const log = await engine.start();
  const start = () =>
    startServer({
      args: [
        ...(log.url.startsWith('lmdb:') ? ['--log-shared'] : []),
        `--mercure-url=${HUB}`,
        '--mercure-subscriptions',
        `--auth-jwt-issuer=${ISSUER}`,
      ],
      environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: log.url },
    });
  const [one, other] = await Promise.all([start(), start()]);
  return {
    log,
    servers: [one, other],
    clients: [clientOf(() => one.publicUrl), clientOf(() => other.publicUrl)],
  };
}

describe('two servers on one log', () => {
  const pairs = new Map<string, Pair>();
  let all: string;

  beforeAll(async () => {
    all = await mint([detail(['publish', 'subscribe'], ['*'])]);
    const engines = SHARED_ENGINES.filter(({ isHere }) => isHere);
    await Promise.all(engines.map(async (engine) => pairs.set(engine.name, await startPair(engine))));
  });
  afterAll(async () => {
    for (const { servers, log } of pairs.values()) {
      for (const server of servers) await server.stop('SIGKILL');
      await log.stop();
    }
  });

  const pathOf = (topic: string): string => `${ROOT}/exact/${encodeURIComponent(topic)}`;
  const subscribersAt = async (client: Client, topic: string): Promise<readonly string[]> =>
    (
      JSON.parse((await client.get(pathOf(topic), all)).text) as { subscriptions: { subscriber: string }[] }
    ).subscriptions
      .map(({ subscriber }) => subscriber)
      .toSorted((a, b) => (a < b ? -1 : 1));

  describe.each(SHARED_ENGINES)('in $name', ({ name, isHere }) => {
    if (!isHere) return test('are tested', ({ skip }) => skip(`${name} is missing: npm run pretest`));
    const clients = (): readonly [Client, Client] => pairs.get(name)?.clients ?? never(name);

    test('know each other’s updates, and the identifiers of both kinds', async () => {
      const [one, other] = clients();
      const topic = freshTopic();
      const live = await other.subscribe({ match: topic }, all);
      const { text: named } = await one.publish({ topic, data: '1', id: 'urn:one' }, all);
      const { text: cursor } = await one.publish({ topic, data: '2' }, all);
      await other.publish({ topic, data: '3' }, all);
      const seen = [];
      while (seen.length < 3) seen.push((await live.frames.nextEvent()).data);
      expect(seen).toEqual(['1', '2', '3']);
      for (const [id, next] of [
        [named, '2'],
        [cursor, '3'],
      ] as const) {
        const resumed = await other.subscribe({ match: topic }, all, { 'last-event-id': id });
        expect(resumed.headers['mercure-last-event-id']).toBe(id);
        expect((await resumed.frames.nextEvent()).data).toBe(next);
      }
    });

    test('list the subscribers of both, and announce them at both', async () => {
      const [one, other] = clients();
      const topic = freshTopic();
      const watching = [one, other].map((client) =>
        client.subscribe({ match_urlpattern: `${pathOf(topic)}/:subscriber` }, all),
      );
      const watchers = await Promise.all(watching);
      const streams = [
        await one.subscribe({ match: topic }, all),
        await other.subscribe({ match: topic }, all),
      ];
      await untilAsync('both', async () => (await subscribersAt(one, topic)).length === 2);
      await untilAsync('both', async () => (await subscribersAt(other, topic)).length === 2);
      const listed = await subscribersAt(one, topic);
      expect(await subscribersAt(other, topic)).toEqual(listed);
      for (const { frames } of watchers) {
        const begun = [await frames.nextEvent(), await frames.nextEvent()].map(
          ({ data }) => JSON.parse(data) as { id: string; subscriber: string; active: boolean },
        );
        expect(begun.map(({ active }) => active)).toEqual([true, true]);
        expect(new Set(begun.map(({ subscriber }) => subscriber))).toEqual(new Set(listed));
        for (const client of [one, other])
          expect(JSON.parse((await client.get(begun[0]?.id ?? '', all)).text)).toEqual(begun[0]);
      }
      streams[0]?.cut();
      await untilAsync('the end of one', async () => (await subscribersAt(other, topic)).length === 1);
      for (const { frames } of watchers)
        expect(JSON.parse((await frames.nextEvent()).data)).toMatchObject({ active: false, match: topic });
    });
  });

  // On all engines at once: each takes as long as a lease.
  test('end the subscriptions of one that was killed, whose clients resume at the other', async () => {
    await Promise.all(Array.from(pairs.values(), endsOfKilled));
  });

  async function endsOfKilled({ servers, clients: [one, other] }: Pair): Promise<void> {
    const topic = freshTopic();
    await one.subscribe({ match: topic }, all);
    const stays = await other.subscribe({ match: topic }, all);
    await untilAsync('both', async () => (await subscribersAt(other, topic)).length === 2);
    const watcher = await other.subscribe({ match_urlpattern: `${pathOf(topic)}/:subscriber` }, all);
    const { text: id } = await one.publish({ topic, data: '1' }, all);
    await one.publish({ topic, data: '2' }, all);
    await servers[0]?.stop('SIGKILL');
    const resumed = await other.subscribe({ match: topic }, all, { 'last-event-id': id });
    expect(resumed.headers['mercure-last-event-id']).toBe(id);
    expect((await resumed.frames.nextEvent()).data).toBe('2');
    let ended = false;
    while (!ended) {
      const update = JSON.parse((await watcher.frames.nextEvent()).data) as {
        active: boolean;
        match: string;
      };
      expect(update.match).toBe(topic);
      ended = !update.active;
    }
    await untilAsync('those of the other', async () => (await subscribersAt(other, topic)).length === 2);
    stays.cut();
  }
});

function never(name: string): never {
  throw new Error(`There are no servers on ${name}.`);
}

describe('without `mercure.url`', () => {
  test('a server that isn’t for development doesn’t speak Mercure', async () => {
    const server = await startInProcess();
    const { get } = clientOf(() => server.publicUrl);
    expect((await get('/.well-known/mercure?match=a')).status).toBe(404);
    expect((await get('/.well-known/oauth-protected-resource/.well-known/mercure')).status).toBe(404);
    await server.close();
  });

  test.each(['https://example.com/hub?x=1', 'https://example.com/', 'https://example.com/a:b'])(
    '%s is refused as the hub’s URL',
    async (url) => {
      await expect(startInProcess({ 'mercure.url': url })).rejects.toThrow(/mercure\.url/);
    },
  );
});
