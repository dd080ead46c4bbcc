import { describe, expect, it, onTestFinished } from 'vitest';
import { createFakeBrowser, type FakeTab } from '../../../test/client/fake-browser.ts';
import { until } from '../../../test/http/deadline.ts';
import { startHub } from '../../../test/http/hub.ts';
import { sse } from '../../fetch/index.ts';
import { type Hub, type HubOptions, memoryLog } from '../../index.ts';
import { type ClientOptions, connect, type EventClient } from '../index.ts';
import type { Timers } from '../timers.ts';
// Parts that clients load on demand are here from the start: with clocks that are so fast, a busy machine would be too late.
import '../changing-topics.ts';
import '../sharing.ts';

/** How much faster than a real browser's the clocks are, where the others must notice that a leader is gone. */
const SPEED = 10;
const HEARTBEAT = 100;

interface Tab extends FakeTab {
  readonly client: EventClient;
  readonly data: unknown[];
  readonly statuses: string[];
  readonly errors: string[];
  readonly gaps: unknown[];
}

interface Scene {
  readonly hub: Hub;
  /** Requests for streams and whole answers. */
  readonly requests: string[];
  open(options?: ClientOptions, wrap?: (timers: Timers) => Timers): Tab;
}

type Handler = Parameters<typeof sse>[1];

/** `change`: what a network might do to the answers. */
function start(
  handler: Handler = {},
  hubOptions: HubOptions = {},
  speed = 1,
  change: (response: Response) => Response = (response) => response,
): Scene {
  const hub = startHub(hubOptions);
  const handle = sse(hub, handler);
  const requests: string[] = [];
  const browser = createFakeBrowser(
    async (url: string, init: RequestInit) => {
      const request = new Request(url, init);
      requests.push(`${request.method} ${new URL(url).search}`);
      return change(await handle(request));
    },
    speed,
    () => 1,
  );
  const open: Scene['open'] = (options = {}, wrap = (timers) => timers) => {
    const tab = browser.openTab();
    const client = connect('/events', {
      shared: { environment: tab.shared },
      environment: tab.environment,
      timers: wrap(tab.timers),
      fetch: tab.fetch,
      topics: ['a'],
      ...options,
    });
    onTestFinished(() => client.close());
    const seen = {
      data: [] as unknown[],
      statuses: [] as string[],
      errors: [] as string[],
      gaps: [] as unknown[],
    };
    client.on('message', (event) => seen.data.push(event.json()));
    client.onStatus((status) => seen.statuses.push(status));
    client.onError((error) => {
      // With a clock that is so fast, a busy machine looks like a silent server.
      if (error.code !== 'client/silent') seen.errors.push(`${error.code}: ${error.message}`);
    });
    client.onGap((gaps) => seen.gaps.push(...gaps));
    return { ...tab, client, ...seen };
  };
  return { hub, requests, open };
}

/** Brings two pieces at a time, as a socket may that is read late. */
function pairChunks(response: Response): Response {
  let held: Uint8Array | undefined;
  const pairs = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (held === undefined) held = chunk;
      else {
        controller.enqueue(Buffer.concat([held, chunk]));
        held = undefined;
      }
    },
    flush(controller) {
      if (held !== undefined) controller.enqueue(held);
    },
  });
  return new Response(response.body?.pipeThrough(pairs), response);
}

/** Requests of other kinds don't count. */
const isShared = (hub: Hub) =>
  until('one connection', () => hub.stats().live === 1 && hub.connections().length === 1);

describe('tabs that share a stream', () => {
  it('have one connection, by which each gets the events of its topics', async () => {
    const { hub, open } = start();
    const tabs = [
      open({ topics: ['a'] }),
      open({ topics: ['b'] }),
      open({ topics: ['a', { pattern: 'b*' }] }),
    ];
    await until('open', () => tabs.every(({ client }) => client.status === 'open'));
    await until('all topics', () => hub.connections().some(({ topics }) => topics.length === 3));
    await isShared(hub);
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    await hub.publish(['a', 'b'], 3);
    await hub.publish('bb', 4);
    await until('last', () => tabs[2]?.data.length === 4);
    expect(tabs.map(({ data }) => data)).toEqual([
      [1, 3],
      [2, 3],
      [1, 2, 3, 4],
    ]);
    expect(tabs.flatMap(({ errors }) => errors)).toEqual([]);
  });

  it('begin where their pages were rendered', async () => {
    const { hub, open } = start();
    const first = open();
    await isShared(hub);
    const cursor = hub.cursor();
    await hub.publish('a', 1);
    await hub.publish('a', 2);
    await until('first', () => first.data.length === 2);
    const second = open({ cursor });
    await hub.publish('a', 3);
    await until('third', () => [first, second].every(({ data }) => data.length === 3));
    expect([first.data, second.data]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  it('get from the stream what is published while it opens, and don’t ask for it again', async () => {
    const handler: Handler = {
      async authorize({ url }) {
        if (!url.includes('wait=0')) await hub.publish('a', 1);
        return {};
      },
    };
    const { hub, requests, open } = start(handler, {}, 1, pairChunks);
    const { data } = open();
    await until('event', () => data.length === 1);
    expect(requests).toEqual(['GET ?topic=a&labels=1&wait=0', 'GET ?labels=1&topic=a']);
  });

  it.each(['close', 'crash', 'freeze', 'hang'] as const)('go on when the leader is gone: %s', async (how) => {
    const { hub, open } = start({}, { heartbeat: HEARTBEAT }, SPEED);
    const leader = open();
    await isShared(hub);
    const others = [open(), open()];
    await until('open', () => others.every(({ client }) => client.status === 'open'));
    await hub.publish('a', 1);
    if (how === 'close') leader.client.close();
    if (how === 'crash') leader.crash();
    if (how === 'freeze') leader.freeze(true);
    if (how === 'hang') leader.freeze(false);
    await hub.publish('a', 2);
    await until('second', () => others.every(({ data }) => data.length >= 2));
    await hub.publish('a', 3);
    await until('third', () => others.every(({ data }) => data.length >= 3));
    expect(others.map(({ data }) => data)).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(others.flatMap(({ errors }) => errors)).toEqual([]);
    if (how === 'freeze' || how === 'hang') {
      leader.thaw();
      await until('thawed', () => leader.data.length >= 3);
      expect(leader.data).toEqual([1, 2, 3]);
    }
    await isShared(hub);
  });

  it('get the values of states, each its own', async () => {
    const log = memoryLog({ topics: [{ match: 's', state: true }] });
    const { hub, open } = start({}, { log });
    await hub.publish('s', 1, { key: 'k' });
    const first = open({ topics: ['s'] });
    await until('first', () => first.data.length === 1);
    await isShared(hub);
    const second = open({ topics: ['a'] });
    await until('open', () => second.client.status === 'open');
    await hub.publish('s', 2, { key: 'k' });
    await second.client.subscribe('s');
    await until('value', () => second.data.length === 1);
    await hub.publish('s', 3, { key: 'k' });
    await until('change', () => second.data.length === 2 && first.data.length === 3);
    expect([first.data, second.data]).toEqual([
      [1, 2, 3],
      [2, 3],
    ]);
  });

  it('drop a topic only when the last of them does', async () => {
    const { hub, open } = start();
    const first = open({ topics: ['a', 'b'] });
    const second = open({ topics: ['a', 'b'] });
    await isShared(hub);
    await until('open', () => [first, second].every(({ client }) => client.status === 'open'));
    await first.client.unsubscribe('b');
    await hub.publish('b', 1);
    await until('second', () => second.data.length === 1);
    await second.client.unsubscribe('b');
    await until('dropped', () => JSON.stringify(hub.connections()[0]?.topics) === '["a"]');
    expect(first.data).toEqual([]);
  });

  it('count what is subscribed to within a page', async () => {
    const { hub, open } = start();
    const { client, data } = open();
    await isShared(hub);
    await client.subscribe('b');
    await client.subscribe('b', 'a');
    await client.unsubscribe('b');
    await client.unsubscribe('a');
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    await until('both', () => data.length === 2);
    await client.unsubscribe('b');
    await hub.publish('b', 3);
    await hub.publish('a', 4);
    await until('last', () => data.length === 3);
    expect(data).toEqual([1, 2, 4]);
  });

  it('share also if they are two clients of one page, and one of them leaves', async () => {
    const { hub, open } = start();
    const first = open();
    await isShared(hub);
    const second = open({ shared: { environment: first.shared }, topics: ['a', 'b'] });
    await until('open', () => second.client.status === 'open');
    await until('topics', () => hub.connections()[0]?.topics.length === 2);
    await hub.publish('a', 1);
    await until('both', () => first.data.length + second.data.length === 2);
    first.client.close();
    await hub.publish('b', 2);
    await hub.publish('a', 3);
    await until('last', () => second.data.length === 3);
    expect([first.data, second.data, second.errors]).toEqual([[1], [1, 2, 3], []]);
    await isShared(hub);
  });

  it('fail for good at an event that is too large, as with a stream of their own', async () => {
    const { hub, open } = start();
    const tabs = [open({ maxEventBytes: 10_000 }), open({ maxEventBytes: 10_000 })];
    await isShared(hub);
    await until('open', () => tabs.every(({ client }) => client.status === 'open'));
    await hub.publish('a', 'x'.repeat(20_000));
    await until('end', () => tabs.every(({ client }) => client.status === 'failed'));
    for (const { errors } of tabs) expect(errors.at(-1)).toMatch(/^decode\/event-too-large/);
  });

  it('are told apart by the subject that the server sees', async () => {
    const { hub, open } = start({
      authorize: (req) => ({ subject: req.headers.get('authorization') ?? 'nobody' }),
    });
    const tabs = ['ann', 'ann', 'bob'].map((authorization) => open({ headers: () => ({ authorization }) }));
    await until('open', () => tabs.every(({ client }) => client.status === 'open'));
    await until('connections', () => hub.stats().live === 2 && hub.connections().length === 2);
    expect(new Set(hub.connections().map(({ subject }) => subject))).toEqual(new Set(['ann', 'bob']));
  });

  it('are told apart by the topics that the app chooses for them', async () => {
    const { hub, open } = start({ topics: (req) => [`user/${req.headers.get('authorization')}`] });
    const tabs = ['ann', 'ann', 'bob'].map((authorization) =>
      open({ topics: [], headers: () => ({ authorization }) }),
    );
    await until('open', () => tabs.every(({ client }) => client.status === 'open'));
    await until('connections', () => hub.stats().live === 2 && hub.connections().length === 2);
    await hub.publish('user/ann', 1);
    await hub.publish('user/bob', 2);
    await until('events', () => tabs.every(({ data }) => data.length > 0));
    expect(tabs.map(({ data }) => data)).toEqual([[1], [1], [2]]);
  });

  it('have streams of their own where the app adds topics to those of the URL', async () => {
    const { hub, open } = start({
      topics: (req) => [...new URL(req.url).searchParams.getAll('topic'), 'for-all'],
    });
    const tabs = [open(), open()];
    await until('open', () => tabs.every(({ client }) => client.status === 'open'));
    await until('connections', () => hub.stats().live === 2 && hub.connections().length === 2);
    await hub.publish('for-all', 1);
    await hub.publish('a', 2);
    await until('second', () => tabs.every(({ data }) => data.includes(2)));
    expect(tabs.map(({ data }) => data)).toEqual([
      [1, 2],
      [1, 2],
    ]);
  });

  it('have streams of their own from a server that is no hub, and says nothing', async () => {
    const events: (() => void)[] = [];
    const browser = createFakeBrowser(
      async () => {
        const body = new ReadableStream<Uint8Array>({
          start(controller) {
            const send = (text: string): void => controller.enqueue(new TextEncoder().encode(text));
            send(': hello\n\n');
            events.push(() => send('data: 1\n\n'));
          },
        });
        return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
      },
      SPEED,
      () => 1,
    );
    const { shared, environment, timers, fetch } = browser.openTab();
    const client = connect('/events', { shared: { environment: shared }, environment, timers, fetch });
    onTestFinished(() => client.close());
    const data: unknown[] = [];
    client.on('message', (event) => data.push(event.json()));
    await until('open', () => client.status === 'open');
    events.at(-1)?.();
    await until('event', () => data.length === 1);
  });

  it('have streams of their own if the browser turns out to give them no locks', async () => {
    const { hub, requests, open } = start();
    const { shared: withLocks } = open();
    await isShared(hub);
    const environment: typeof withLocks = {
      ...withLocks,
      lock(_name, _steal, hooks) {
        const timer = setTimeout(() => hooks.denied(), 1);
        return () => clearTimeout(timer);
      },
    };
    const { data, errors } = open({ shared: { environment } });
    await until('request', () => requests.includes('GET ?topic=a'));
    await until('connections', () => hub.stats().live === 2 && hub.connections().length === 2);
    await hub.publish('a', 1);
    await until('event', () => data.length === 1);
    expect([data, errors]).toEqual([[1], []]);
  });

  it('stay open when the time to wait for an answer has passed', async () => {
    const { hub, open } = start();
    const patience = new Set<() => void>();
    const tab = open({}, (timers) => ({
      ...timers,
      setTimer(task, delay) {
        if (delay !== 30_000) return timers.setTimer(task, delay);
        patience.add(task);
        return () => patience.delete(task);
      },
    }));
    await isShared(hub);
    await until('open', () => tab.client.status === 'open');
    for (const runOut of patience) runOut();
    await hub.publish('a', 1);
    await until('event', () => tab.data.length === 1);
    expect([tab.errors, tab.client.status]).toEqual([[], 'open']);
  });
});
