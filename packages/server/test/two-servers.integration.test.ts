import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RedisServer, hasRedis, startRedis } from '../../tidings/test/engines/redis.ts';
import { ask } from '../../tidings/test/http/client.ts';
import { SECRET, type Started, runHere, startServer, tokenFor } from './server-process.ts';

describe.skipIf(!hasRedis)('Two servers on one Redis', () => {
  let engine: RedisServer;
  let one: Started;
  let other: Started;
  let token: string;

  const start = () =>
    startServer({
      environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: engine.url },
      args: ['--topics=[{"pattern": "state/*", "state": true}]'],
    });

  beforeAll(async () => {
    engine = await startRedis();
    [one, other] = await Promise.all([start(), start()]);
    token = await tokenFor('ann', { publish: ['*'], subscribe: ['*'] });
  });
  afterAll(async () => {
    await Promise.all([one, other].map((server) => server.stop('SIGKILL')));
    await engine.stop();
  });

  async function post(server: Started, event: object, headers: Readonly<Record<string, string>> = {}) {
    const response = await fetch(`${server.publicUrl}/v1/publish`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(event),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  }

  async function follow(server: Started, cursor?: string) {
    const { frames } = await ask(`${server.publicUrl}/v1/events?topic=news`, {
      headers: { authorization: `Bearer ${token}`, ...(cursor !== undefined && { 'last-event-id': cursor }) },
    });
    const welcome = await frames.nextEvent();
    return { frames, welcome: JSON.parse(welcome.data) };
  }

  test('deliver what either of them published, in one order', async () => {
    const readers = [await follow(one), await follow(other)];
    for (let i = 0; i < 20; i += 1) await post(i % 2 === 0 ? one : other, { topics: 'news', data: i });
    const received = await Promise.all(
      readers.map(async ({ frames }) => {
        const events = [];
        while (events.length < 20) events.push(await frames.nextEvent());
        return events.map(({ id, data }) => [id, data]);
      }),
    );
    expect(received[0]?.map(([, data]) => data)).toEqual(Array.from({ length: 20 }, (_, i) => String(i)));
    expect(received[1]).toEqual(received[0]);
  });

  test('publish a request that is repeated at the other one once', async () => {
    const key = { 'idempotency-key': 'moved' };
    const first = await post(one, { topics: 'news', data: 'once' }, key);
    const again = await post(other, { topics: 'news', data: 'once' }, key);
    expect(again).toEqual({ status: 200, body: { ...first.body, duplicate: true } });
  });

  test('decide together which of two conditional publishers wins', async () => {
    const event = { topics: 'state/lock', key: 'owner', ifAbsent: true };
    const answers = await Promise.all([post(one, { ...event, data: 1 }), post(other, { ...event, data: 2 })]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });

  test('a stream goes on at the other one when its own is killed, and misses nothing', async () => {
    const before = await follow(one);
    const { body } = await post(one, { topics: 'news', data: 'before' });
    expect((await before.frames.nextEvent()).id).toBe(body['cursor']);
    await one.stop('SIGKILL');
    await post(other, { topics: 'news', data: 'meanwhile' });
    const after = await follow(other, String(body['cursor']));
    expect(after.welcome).toMatchObject({ resumed: true, gaps: [] });
    expect((await after.frames.nextEvent()).data).toBe('"meanwhile"');
  });

  test('A server with a wrong password for it says so, and not the password', async () => {
    const url = engine.url.replace('redis://', 'redis://ann:hush@');
    const { status, out, err } = await runHere(['serve', '--listen-port=0', '--internal-port=0'], {
      TIDINGS_AUTH_JWT_SECRET: SECRET,
      TIDINGS_LOG_URL: url,
    });
    expect([status, err]).toEqual([1, expect.stringMatching(/WRONGPASS.*\(log\/unavailable\)/)]);
    expect(out + err).not.toContain('hush');
  });
});
