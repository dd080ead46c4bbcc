import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingHttpHeaders, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ConsumeHandler, createHub, memoryLog, webhook } from '../../src/index.ts';
import { until } from '../http/deadline.ts';
import { engines, startNode } from './hubs.ts';

/** A lease that a busy machine doesn't lose. */
const FAST = { lease: 4000, retry: 10, checkpoint: 20 };
const ignore = (): void => {};

describe('a consumer', () => {
  test('gets each event in order, again after it has failed, and goes on after those that it never takes', async () => {
    const failures: unknown[] = [];
    const hub = createHub({ log: memoryLog(), onError: (error) => failures.push(error) });
    onTestFinished(() => hub.close({ within: 10 }));
    const calls: string[] = [];
    const consumer = hub.consume(
      'billing',
      { pattern: 'order/:id' },
      ({ data }, { attempt }) => {
        calls.push(`${data}#${attempt}`);
        if (data === '2' && attempt < 3) throw new Error('not yet');
        if (data === '3') return Promise.reject(new Error('never'));
        return undefined;
      },
      { ...FAST, attempts: 4 },
    );
    await until('it has begun', () => consumer.active);
    for (const data of [1, 2, 3, 4]) await hub.publish(`order/${data}`, data);
    await hub.publish('other', 5);
    await until('it has taken all', () => calls.at(-1) === '4#1');
    expect(calls).toEqual(['1#1', '2#1', '2#2', '2#3', '3#1', '3#2', '3#3', '3#4', '4#1']);
    expect(failures).toMatchObject([
      {
        code: 'consumer/skipped',
        details: { consumer: 'billing', attempts: 4 },
        cause: { message: 'never' },
      },
    ]);
  });

  test('begins at the given cursor, reports what it has missed, and stops for good', async () => {
    const failures: unknown[] = [];
    const log = memoryLog({ retention: { events: 3 } });
    const hub = createHub({ log, onError: (error) => failures.push(error) });
    onTestFinished(() => hub.close({ within: 10 }));
    await hub.publish('a', 'before');
    const seen: Record<string, string[]> = { all: [], new: [] };
    const start = (name: 'all' | 'new', from: 'head' | 'earliest'): ReturnType<typeof hub.consume> =>
      hub.consume(name, 'a', ({ data }) => void seen[name]?.push(data), { ...FAST, from });
    const [all, onlyNew] = [start('all', 'earliest'), start('new', 'head')];
    await until('both have begun', () => all.active && onlyNew.active);
    await hub.publish('a', 'after');
    await until('both have it', () => seen['all']?.length === 2 && seen['new']?.length === 1);
    expect(seen).toEqual({ all: ['"before"', '"after"'], new: ['"after"'] });
    await all.stop();
    expect(all.active).toBe(false);
    for (let i = 0; i < 5; i += 1) await hub.publish('a', i);
    const again = start('all', 'head');
    await until('it goes on', () => seen['all']?.at(-1) === '4');
    expect(failures).toMatchObject([{ code: 'consumer/gap', details: { consumer: 'all' } }]);
    expect(seen['all']?.slice(2)).toEqual(['2', '3', '4']);
    await again.stop();
  });

  test.each([
    ['a name that is none', ['', 'a', ignore, {}], 'name'],
    ['a handler that is none', ['x', 'a', 1, {}], 'handler'],
    ['an unknown option', ['x', 'a', ignore, { attemps: 1 }], 'attemps'],
    ['a time without an end', ['x', 'a', ignore, { lease: Infinity }], 'lease'],
  ])('refuses %s', async (_, args, option) => {
    const hub = createHub();
    const consume = hub.consume.bind(hub) as (...given: unknown[]) => unknown;
    expect(() => consume(...args)).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option', details: { option } }),
    );
    await hub.close();
  });
});

describe.each(engines)('a consumer at several hubs on %s', (_, makeLog) => {
  test('runs at one of them at a time, and loses nothing when that one ends or dies', async () => {
    const open = await makeLog();
    const publisher = await startNode(open);
    const seen: { node: number; value: number }[] = [];
    const dead = new Set<number>();
    let running = 0;
    let most = 0;
    const start = async (node: number): Promise<{ active: () => boolean; close: () => Promise<void> }> => {
      const log = await open();
      const dying = Object.create(log, {
        append: {
          value: (events: Parameters<typeof log.append>[0]) =>
            dead.has(node) ? Promise.reject(new Error('dead')) : log.append(events),
        },
      }) as typeof log;
      const { hub } = await startNode(() => Promise.resolve(dying));
      const handler: ConsumeHandler = async ({ data }) => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resolve) => void setTimeout(resolve, 1));
        running -= 1;
        if (!dead.has(node)) seen.push({ node, value: Number(data) });
      };
      const consumer = hub.consume('worker', 'jobs', handler, { ...FAST, from: 'earliest' });
      return { active: () => consumer.active, close: () => hub.close({ within: 500 }) };
    };
    let published = 0;
    const publish = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) await publisher.hub.publish('jobs', (published += 1));
    };
    const isDone = (): boolean => seen.some(({ value }) => value === published);
    const nodes = [await start(0), await start(1), await start(2)];
    await publish(20);
    await until('all is done', isDone);
    await until('one is at work', () => nodes.some(({ active }) => active()));
    const [leaving] = nodes.filter(({ active }) => active());
    await leaving?.close();
    await publish(20);
    await until('another one went on', isDone);
    await until('one is at work', () => nodes.some((node) => node !== leaving && node.active()));
    const dying = nodes.findIndex(({ active }) => active());
    dead.add(dying);
    await publish(20);
    await until('the last one went on', isDone);
    expect(most, 'handlers at once').toBe(1);
    expect([...new Set(seen.map(({ value }) => value))]).toEqual(
      Array.from({ length: 60 }, (__, i) => i + 1),
    );
    expect(new Set(seen.map(({ node }) => node)).size).toBe(3);
  });
});

test('a webhook posts each event with a signature, and again until it is taken', async () => {
  const secret = 'a secret of thirty-two characters';
  const requests: { headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((req, res) => {
    void text(req).then((body) => {
      requests.push({ headers: req.headers, body });
      res.writeHead(requests.length === 1 ? 500 : requests.length === 2 ? 302 : 204, { location: '/' }).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const hub = createHub();
  onTestFinished(() => hub.close({ within: 10 }));
  const consumer = hub.consume(
    'hook',
    'orders',
    webhook({ url, secret, headers: { 'x-app': 'shop' } }),
    FAST,
  );
  await until('it has begun', () => consumer.active);
  const { cursor } = await hub.publish('orders', { total: 12 }, { type: 'paid' });
  await until('it was taken', () => requests.length === 3);
  for (const { headers, body } of requests) {
    const id = headers['webhook-id'];
    expect(id).toBe(cursor);
    const signed = `${cursor}.${headers['webhook-timestamp'] as string}.${body}`;
    const signature = createHmac('sha256', secret).update(signed).digest('base64');
    expect(headers['webhook-signature']).toBe(`v1,${signature}`);
    expect(headers['x-app']).toBe('shop');
    expect(JSON.parse(body)).toMatchObject({ topics: ['orders'], type: 'paid', data: { total: 12 } });
  }
  expect(() => webhook({ url, secret: 'short' })).toThrow(
    expect.objectContaining({ code: 'hub/invalid-option' }),
  );
  expect(() => webhook({ url: 'ftp://x', secret })).toThrow();
});
