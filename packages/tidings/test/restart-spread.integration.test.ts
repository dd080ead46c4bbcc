import { createHub, type Hub } from 'tidings';
import { connect } from 'tidings/client';
import { sse } from 'tidings/fetch';
import { describe, expect, test } from 'vitest';
import { createManualClock } from '../src/testing/manual-clock.ts';
import { turn, until } from './http/deadline.ts';

const CLIENTS = 2_000;
const RETRY = 2_000;
const STEP = 250;

/** A server that many clients follow, without sockets: they ask the hub's fetch handler itself. */
function startServer() {
  const clock = createManualClock();
  const requests: number[] = [];
  const open = new Set<AbortController>();
  let handle: ((request: Request) => Response | Promise<Response>) | undefined;

  function start(): Hub {
    const hub = createHub({ retry: RETRY, maxLifetime: Infinity, limits: { connections: CLIENTS } });
    handle = sse(hub);
    return hub;
  }

  async function answer(url: string, init: RequestInit): Promise<Response> {
    requests.push(clock.now());
    if (handle === undefined) throw new TypeError('connection refused');
    const socket = new AbortController();
    open.add(socket);
    const { body, status, headers } = await handle(
      new Request(url, { ...init, signal: AbortSignal.any([init.signal as AbortSignal, socket.signal]) }),
    );
    const cut = new Promise<never>((_, reject) => {
      socket.signal.addEventListener('abort', () => reject(new TypeError('connection reset')));
    });
    cut.catch(() => {});
    const reader = body?.getReader();
    const read = (): Promise<unknown> => Promise.race([reader?.read(), cut]);
    return { status, headers, body: { getReader: () => ({ read, cancel: async () => {} }) } } as never;
  }

  return {
    clock,
    requests,
    start,
    answer,
    crash() {
      handle = undefined;
      for (const socket of open) socket.abort();
      open.clear();
    },
  };
}

async function follow(server: ReturnType<typeof startServer>) {
  const clients = Array.from({ length: CLIENTS }, () =>
    connect('http://localhost/?topic=a', { fetch: server.answer, timers: server.clock }),
  );
  const isAll = (status: string) => () => clients.every((client) => client.status === status);
  await until('all open', isAll('open'));
  // They have lasted, as most have before a restart.
  server.clock.advance(6_000);
  await turn();
  expect(isAll('open')()).toBe(true);
  server.requests.length = 0;
  return { clients, isAll };
}

/** How many requests come in each step of the time after a restart. */
async function requestsByStep(server: ReturnType<typeof startServer>, steps: number): Promise<number[]> {
  const counts: number[] = [];
  for (let step = 0; step < steps; step += 1) {
    const before = server.requests.length;
    server.clock.advance(STEP);
    await turn();
    counts.push(server.requests.length - before);
  }
  return counts;
}

/** Seven standard deviations above the mean of a fair spread. */
const mostOf = (mean: number): number => mean + 7 * Math.sqrt(mean);

describe(`${CLIENTS} clients`, () => {
  test('come back from a planned restart at up to a thousand a second, and none before its retry', async () => {
    const server = startServer();
    const hub = server.start();
    const { clients, isAll } = await follow(server);
    await hub.close();
    await until('all wait', isAll('waiting'));
    const next = server.start();
    const counts = await requestsByStep(server, (RETRY + 2_000) / STEP);
    expect(counts.slice(0, RETRY / STEP - 1)).toEqual(Array.from({ length: RETRY / STEP - 1 }, () => 0));
    expect(Math.max(...counts)).toBeLessThan(mostOf(STEP));
    expect(server.requests).toHaveLength(CLIENTS);
    await until('all open', isAll('open'));
    for (const client of clients) client.close();
    await next.close();
  });

  test('come back from a crash spread over a second, and over longer if the server is not there yet', async () => {
    const server = startServer();
    const hub = server.start();
    const { clients, isAll } = await follow(server);
    server.crash();
    await hub.close({ within: 0 });
    await until('all wait', isAll('waiting'));
    const first = await requestsByStep(server, (RETRY + 1_000) / STEP);
    expect(first.slice(0, RETRY / STEP - 1)).toEqual(Array.from({ length: RETRY / STEP - 1 }, () => 0));
    expect(Math.max(...first)).toBeLessThan(mostOf((CLIENTS * STEP) / 1_000));
    expect(server.requests).toHaveLength(CLIENTS);
    // Nobody answered: the second wait adds up to two seconds, from a time that is spread over one itself.
    await until('all wait', isAll('waiting'));
    const next = server.start();
    const second = await requestsByStep(server, (RETRY + 2_000) / STEP);
    expect(Math.max(...second)).toBeLessThan(mostOf((CLIENTS * STEP) / 2_000));
    expect(server.requests).toHaveLength(2 * CLIENTS);
    await until('all open', isAll('open'));
    for (const client of clients) client.close();
    await next.close();
  });
});
