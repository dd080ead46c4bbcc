/** SIGHUP: what it changes while the server runs, and what the log says of the rest. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { type InProcess, settingsOf, startInProcess } from './in-process.ts';

const GIVEN = {
  topics: [
    { pattern: 'price/*', state: true },
    { topic: 'news', retention: { events: 5 } },
  ],
};

let server: InProcess;
beforeAll(async () => {
  server = await startInProcess(GIVEN);
});
afterAll(() => server.close());

const reload = (given: object) => server.reload(settingsOf({ ...GIVEN, ...given }));
const status = async (query: string): Promise<number> => {
  const reply = await ask(`${server.publicUrl}/v1/events?${query}`);
  reply.cut();
  return reply.status;
};
const warned = () =>
  server.lines.filter(({ msg }) => msg.includes('counts after a restart')).map(({ setting }) => setting);

/** How many events of a topic a subscriber gets that asks for all there are. */
async function kept(topic: string): Promise<number> {
  const { body } = await server.admin('/publish', { topics: 'marker', data: 'marker' });
  const { frames, cut } = await ask(
    `${server.publicUrl}/v1/events?topic=${topic}&topic=marker&last_event_id=earliest`,
  );
  let count = 0;
  for (;;) {
    const { id, data } = await frames.nextEvent();
    if (id === body.events[0].cursor) break;
    if (data.startsWith('"of')) count += 1;
  }
  cut();
  return count;
}

test('limits of the hub count at once, for all doors', async () => {
  expect(await status('topic=a&topic=b')).toBe(200);
  await reload({ 'limits.topics-per-connection': 1, 'limits.event-length': 20 });
  expect(await status('topic=a&topic=b')).toBe(400);
  expect((await server.publish({ topics: 'a', data: 'x'.repeat(30) })).status).toBe(413);
  await reload({});
  expect(await status('topic=a&topic=b')).toBe(200);
  expect(warned()).toEqual([]);
});

test('rules for topics count for what is published from then on', async () => {
  const publish = async (topics: string) => {
    for (let i = 0; i < 8; i += 1) expect((await server.publish({ topics, data: 'of it' })).status).toBe(200);
  };
  await publish('news');
  await publish('sport');
  expect([await kept('news'), await kept('sport')]).toEqual([5, 8]);
  await reload({
    topics: [
      { pattern: 'price/*', state: true, keys: 2 },
      { topic: 'sport', retention: { events: 3 } },
    ],
  });
  await publish('news');
  await publish('sport');
  // The rule doesn’t count events that are older than itself.
  expect([await kept('news'), await kept('sport')]).toEqual([13, 8 + 3]);
  for (const key of ['a', 'b', 'c']) await server.publish({ topics: 'price/milk', data: 'of it', key });
  expect(await kept('price/milk')).toBe(2);
  expect(warned()).toEqual([]);
});

test('what can’t change is named, and everything else of that reload counts', async () => {
  await reload({
    topics: [...GIVEN.topics, { pattern: 'stock/*', state: true }],
    presence: [{ pattern: 'room/*' }],
    'limits.topics-per-connection': 2,
    'limits.connections-per-session': 7,
    'stream.retry': '1s',
    'log.url': 'lmdb:./other',
  });
  expect(new Set(warned())).toEqual(
    new Set(['limits.connections-per-session', 'log.url', 'presence', 'stream.retry', 'topics[1].state']),
  );
  expect(server.lines.find(({ setting }) => setting === 'topics[1].state')).toMatchObject({
    why: expect.stringContaining('Which topics are states'),
  });
  expect(await status('topic=a&topic=b&topic=c')).toBe(400);
  const conditional = { topics: 'stock/1', key: 'k', data: 1, ifAbsent: true };
  expect((await server.publish(conditional)).status).toBe(400);
});

test('a reload that is wrong changes nothing', async () => {
  await reload({});
  const hook = { name: 'app', url: 'http://127.0.0.1:1/', events: ['connect'], 'secret-file': '/nowhere' };
  await expect(reload({ 'limits.topics-per-connection': 1, webhooks: [hook] })).rejects.toThrow('/nowhere');
  expect(await status('topic=a&topic=b')).toBe(200);
});
