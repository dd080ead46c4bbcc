import http, { type ServerResponse } from 'node:http';
import { expect, test, vi } from 'vitest';
import { collectGarbage } from '../../test/collect-garbage.ts';
import { type Ask, ask } from '../../test/http/client.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { startHub } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { listen } from '../../test/http/server.ts';
import { stacks } from '../../test/http/stacks.ts';
import type { Hub } from '../index.ts';
import { sse } from './index.ts';

const MEGABYTE = 1_000_000;

/** Bytes of the heap that are in use after garbage collection. */
async function heapUsed(): Promise<number> {
  for (let i = 0; i < 3; i += 1) {
    await turn();
    collectGarbage();
  }
  return process.memoryUsage().heapUsed;
}

/** Timers and sockets of the process, by kind. */
function resources() {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return { timers: counts['Timeout'] ?? 0, sockets: counts['TCPSocketWrap'] ?? 0 };
}

async function comeAndGo(hub: Hub, url: string, connect: Ask, rounds: number, atOnce: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const replies = await Promise.all(
      Array.from({ length: atOnce }, (_, i) =>
        connect(`${url}/events?topic=${round}/${i}&topic=all&pattern=p${i}/:id`),
      ),
    );
    await hub.publish(['all', `p1/${round}`], round);
    await Promise.all(replies.map(({ frames }) => frames.until('event', () => frames.events.length === 1)));
    for (const { cut } of replies) cut();
    await until('no connections', () => hub.connections().length === 0);
  }
}

const networks = stacks.filter(({ name }) =>
  ['Express behind compression', 'Hono', 'node:http, socket hijacked', 'node:http2'].includes(name),
);

test.each(networks)('A thousand connects and disconnects leave nothing behind on $name', async (stack) => {
  const warnings = vi.fn();
  process.on('warning', warnings);
  const hub = startHub();
  let ended = 0;
  const { url, server, sockets } = await stack.start(hub, { onConnect: () => () => void (ended += 1) });
  await comeAndGo(hub, url, stack.ask, 4, 50);
  await until('closed sockets', () => sockets.size === 0);
  const before = { ...resources(), heap: await heapUsed(), listeners: listenersOf(server) };
  await comeAndGo(hub, url, stack.ask, 20, 50);
  await until('closed sockets', () => sockets.size === 0);
  // A timer of Node's own may have been running before, and end in between.
  await until('no more resources', () => {
    const { timers, sockets: open } = resources();
    return timers <= before.timers && open <= before.sockets;
  });
  const heap = await heapUsed();
  process.off('warning', warnings);
  expect(hub.connections()).toEqual([]);
  expect(hub.stats()).toMatchObject({ connections: 0, live: 0, behind: 0, topics: 0, connected: 1200 });
  expect(ended).toBe(1200);
  expect(listenersOf(server)).toEqual(before.listeners);
  expect(heap - before.heap).toBeLessThan(2.5 * MEGABYTE);
  expect(warnings).not.toHaveBeenCalled();
});

test('Streams that end and begin on one socket leave no listeners on it', async () => {
  const warnings = vi.fn();
  process.on('warning', warnings);
  const hub = startHub();
  const handle = sse(hub);
  const responses: ServerResponse[] = [];
  const { port, sockets } = await listen(
    http.createServer((req, res) => {
      responses.push(res);
      handle(req, res);
    }),
  );
  const peer = await RawClient.connect(port);
  peer.read();
  let before: Record<string, number> = {};
  for (let n = 1; n <= 50; n += 1) {
    peer.get(`/?topic=${n}`);
    await until('live', () => hub.stats().live === 1);
    hub.disconnect(() => true);
    await until('no connections', () => hub.connections().length === 0);
    await until('goodbye', () => peer.text.split('tidings:goodbye').length === n + 1);
    const [socket] = sockets;
    if (socket !== undefined && n === 2) before = listenersOf(socket);
    if (socket !== undefined && n > 2) expect(listenersOf(socket)).toEqual(before);
  }
  expect(sockets.size).toBe(1);
  process.off('warning', warnings);
  expect(warnings).not.toHaveBeenCalled();
});

test('A thousand refusals leave nothing behind', async () => {
  const hub = startHub({ limits: { connections: 1 } });
  const stack = stacks[0];
  if (stack === undefined) throw new Error('There are no stacks.');
  const { url, sockets } = await stack.start(hub);
  await ask(`${url}/events?topic=a`);
  const refuse = async (): Promise<void> => {
    const replies = await Promise.all([
      ask(`${url}/events?topic=a`),
      ask(`${url}/events`),
      ask(`${url}/events?topic=a`, { method: 'PUT' }),
      ask(`${url}/events?topic=a`, { headers: { accept: 'image/png' } }),
      ask(`${url}/events?topic=a`, { method: 'OPTIONS' }),
    ]);
    expect(replies.map(({ status }) => status)).toEqual([503, 503, 405, 406, 204]);
    for (const { frames, cut } of replies) {
      await frames.end();
      cut();
    }
  };
  for (let i = 0; i < 20; i += 1) await refuse();
  await until('closed sockets', () => sockets.size === 1);
  const before = await heapUsed();
  for (let i = 0; i < 200; i += 1) await refuse();
  await until('closed sockets', () => sockets.size === 1);
  expect((await heapUsed()) - before).toBeLessThan(2.5 * MEGABYTE);
  expect(hub.stats().connected).toBe(1);
});

function listenersOf(emitter: NodeJS.EventEmitter): Record<string, number> {
  return Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]));
}

test('An open stream on a hijacked socket keeps no request, response or socket in memory', async () => {
  const hub = startHub();
  const handle = sse(hub, { hijack: true });
  const seen: WeakRef<object>[] = [];
  const { url } = await listen(
    http.createServer((req, res) => {
      seen.push(new WeakRef(req), new WeakRef(res), new WeakRef(req.socket));
      handle(req, res);
    }),
  );
  const { frames } = await ask(`${url}/?topic=a`);
  await until('no objects of node:http', () => {
    collectGarbage();
    return seen.every((ref) => ref.deref() === undefined);
  });
  expect(seen).toHaveLength(3);
  await hub.publish('a', 1);
  await frames.until('event', () => frames.events.length === 1);
});
