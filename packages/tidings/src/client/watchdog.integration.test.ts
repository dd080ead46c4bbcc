import { expect, it } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { until } from '../../test/http/deadline.ts';

/** Twice the announced heartbeat, and the slack. */
const HEARTBEAT = 1_000;
const SILENCE = 2 * HEARTBEAT + 5_000;

it('declares a connection dead when nothing comes for twice the announced heartbeat, and resumes', async () => {
  const server = await serveExchanges();
  const { client, clock, errors, hasMessages } = observe(server.url);
  const first = await server.next();
  first.stream(`${welcome({ heartbeat: HEARTBEAT })}id: a.1\ndata: 1\n\n`);
  await hasMessages(1);
  await until('watch', () => clock.timers === 1);
  clock.advance(SILENCE - 1);
  expect(client.status).toBe('open');
  clock.advance(1);
  await first.gone;
  await until('report', () => errors.length > 0);
  expect(errors).toEqual(['client/silent, again in 1000']);
  clock.advance(1_000);
  expect((await server.next()).headers['last-event-id']).toBe('a.1');
});

it('lets any byte count as a sign of life', async () => {
  const server = await serveExchanges();
  const { client, clock, hasMessages } = observe(server.url);
  const exchange = await server.next();
  exchange.stream(`${welcome({ heartbeat: HEARTBEAT })}data: 0\n\n`);
  for (let count = 1; count <= 5; count += 1) {
    await hasMessages(count);
    await until('watch', () => clock.timers === 1);
    clock.advance(SILENCE - 1);
    exchange.send(`data: ${count}\n\n`);
  }
  await hasMessages(6);
  expect(client.status).toBe('open');
});

it('says when bytes came last, also if they were only a heartbeat', async () => {
  const server = await serveExchanges();
  const { client, clock, hasMessages } = observe(server.url);
  expect(client.heardAt).toBeUndefined();
  const exchange = await server.next();
  exchange.stream(`${welcome({ heartbeat: HEARTBEAT })}data: 0\n\n`);
  await hasMessages(1);
  const first = client.heardAt ?? NaN;
  expect(first).toBe(clock.now());
  clock.advance(HEARTBEAT);
  exchange.send('id: a.1\n\n');
  await until('heartbeat', () => client.heardAt === first + HEARTBEAT);
});

it('says it in the listeners, too, for what they are just given', async () => {
  const server = await serveExchanges();
  const { client, clock, hasMessages } = observe(server.url);
  const heard: unknown[] = [];
  client.onStatus((status) => status === 'open' && heard.push(status, client.heardAt));
  client.onOpen(() => heard.push('opening', client.heardAt));
  client.on('message', () => heard.push('message', client.heardAt));
  const exchange = await server.next();
  exchange.stream(`${welcome({ heartbeat: HEARTBEAT })}data: 0\n\n`);
  await hasMessages(1);
  const first = clock.now();
  clock.advance(HEARTBEAT);
  exchange.send('data: 1\n\n');
  await hasMessages(2);
  expect(heard).toEqual(['open', first, 'opening', first, 'message', first, 'message', first + HEARTBEAT]);
});

it('watches a server whose heartbeat it knows even before an answer', async () => {
  const server = await serveExchanges();
  const { clock, errors, hasStatus, hasMessages, comesBack } = observe(server.url);
  const first = await server.next();
  first.stream(`${welcome({ heartbeat: HEARTBEAT })}data: 1\n\n`);
  await hasMessages(1);
  first.cut();
  await comesBack();
  const second = await server.next();
  clock.advance(SILENCE);
  await second.gone;
  await hasStatus('waiting');
  expect(errors.at(-1)).toBe('client/silent, again in 1500');
});

it('gives an unknown server a minute to answer', async () => {
  const server = await serveExchanges();
  const { clock, errors, hasStatus } = observe(server.url);
  const first = await server.next();
  clock.advance(59_999);
  expect(errors).toEqual([]);
  clock.advance(1);
  await first.gone;
  await hasStatus('waiting');
  expect(errors).toEqual(['client/silent, again in 500']);
});

it('expects nothing from a server that announced nothing', async () => {
  const server = await serveExchanges();
  const { client, clock, hasMessages } = observe(server.url);
  (await server.next()).stream('data: 1\n\n');
  await hasMessages(1);
  expect(clock.timers).toBe(0);
  clock.advance(1_000_000);
  expect(client.status).toBe('open');
});

it('does not blame the server for the silence of a consumer that is behind', async () => {
  const server = await serveExchanges();
  const { client, clock, hasMessages } = observe(server.url);
  const iterator = client[Symbol.asyncIterator]();
  const first = iterator.next();
  (await server.next()).stream(`${welcome({ heartbeat: HEARTBEAT })}data: 1\n\ndata: 2\n\n`);
  await first;
  await hasMessages(2);
  expect(clock.timers).toBe(0);
  clock.advance(10 * SILENCE);
  expect(client.status).toBe('open');
  await iterator.next();
  await until('watch', () => clock.timers === 1);
});
