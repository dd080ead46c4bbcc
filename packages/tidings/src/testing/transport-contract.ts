import assert from 'node:assert/strict';
import type { Hub } from '../hub/hub.ts';
import type { HubOptions } from '../hub/options.ts';
import type { HandlerOptions } from '../http/handler-options.ts';
import { TestReader, eventually } from './transport-steps.ts';

/** A hub on the network, by the transport that is tested. */
export interface RunningTransport {
  readonly hub: Hub;
  /** Of the stream, such as `http://127.0.0.1:1234/events`. */
  readonly url: string;
  /** Releases everything, including streams that are still open. */
  stop(): Promise<void>;
}

/** Puts a hub of `createHub(hubOptions)` on the network, with a handler of these options. */
export type TransportFactory = (
  hubOptions: HubOptions,
  options: HandlerOptions<unknown>,
) => Promise<RunningTransport>;

export interface TransportCase {
  readonly name: string;
  /** Rejects if the transport fails the duty. */
  run(start: TransportFactory): Promise<void>;
}

function transportCase(
  name: string,
  options: { readonly hub?: HubOptions; readonly handler?: HandlerOptions<unknown> },
  check: (running: RunningTransport) => Promise<void>,
): TransportCase {
  return {
    name,
    async run(start) {
      const running = await start(options.hub ?? {}, options.handler ?? {});
      try {
        await check(running);
      } finally {
        await running.stop();
      }
    },
  };
}

const requests: readonly TransportCase[] = [
  transportCase(
    'sends welcome, greeting and events, in this order and without delay',
    // No heartbeat may push out bytes that a transport keeps back.
    { hub: { heartbeat: 600_000 }, handler: { greeting: () => ({ type: 'hello', data: 'you' }) } },
    async ({ hub, url }) => {
      const reader = await TestReader.open(`${url}?topic=a`);
      assert.equal(reader.status, 200);
      assert.match(String(reader.headers['content-type']), /^text\/event-stream/);
      assert.match(String(reader.headers['cache-control']), /no-store/);
      await reader.until('the greeting', () => reader.types.length === 2);
      for (let n = 0; n < 3; n += 1) {
        await hub.publish('a', n);
        // The next one is published only once this one has arrived.
        await reader.until('the event', () => reader.data.includes(String(n)));
      }
      assert.deepEqual(reader.types, ['tidings:welcome', 'hello', 'message', 'message', 'message']);
    },
  ),
  transportCase('resumes after the cursor that the request has', {}, async ({ hub, url }) => {
    await hub.publish('a', 1);
    const cursor = hub.cursor();
    await hub.publish('a', 2);
    const reader = await TestReader.open(`${url}?topic=a`, { headers: { 'last-event-id': cursor } });
    await reader.until('the event', () => reader.data.length === 2);
    assert.equal(reader.data[1], '2');
    assert.match(reader.data[0] ?? '', /"resumed":true,"gaps":\[\]/);
  }),
  transportCase(
    'sends refusals as problem documents, with their status and headers',
    { hub: { limits: { connections: 1 } } },
    async ({ url }) => {
      await TestReader.open(`${url}?topic=a`);
      const refused = await TestReader.open(`${url}?topic=a`, { headers: { accept: '*/*' } });
      await refused.ended();
      assert.equal(refused.status, 503);
      assert.match(String(refused.headers['retry-after']), /^\d+$/);
      assert.match(String(refused.headers['content-type']), /^application\/problem\+json/);
      assert.match(refused.text, /"code":"hub\/unavailable"/);
    },
  ),
  transportCase('answers HEAD and OPTIONS without a body or a stream', {}, async ({ hub, url }) => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['OPTIONS', 204],
      ['DELETE', 405],
    ] as const) {
      const reader = await TestReader.open(`${url}?topic=a`, { method });
      await reader.ended();
      assert.equal(reader.status, status);
      if (status < 400) assert.equal(reader.text, '');
    }
    assert.equal(hub.stats().connected, 0);
  }),
  transportCase('changes an open stream by a POST', {}, async ({ hub, url }) => {
    const reader = await TestReader.open(`${url}?topic=a`);
    await reader.until('the welcome', () => reader.data.length > 0);
    const { connection, secret } = JSON.parse(reader.data[0] ?? '') as Record<string, string>;
    const body = JSON.stringify({ connection, secret, add: ['b'], drop: ['a'] });
    const headers = { 'content-type': 'application/json' };
    const changed = await TestReader.open(url, { method: 'POST', headers, body });
    await changed.ended();
    assert.deepEqual(
      [changed.status, JSON.parse(changed.text)],
      [200, { cursor: hub.cursor(), topics: ['b'] }],
    );
    await hub.publish('b', 'new');
    await reader.until('the event', () => reader.data.includes('"new"'));
    const bad = await TestReader.open(url, { method: 'POST', headers, body: '{' });
    await bad.ended();
    assert.equal(bad.status, 400);
  }),
  transportCase(
    'leaves nothing behind after a failure of the app',
    {
      handler: {
        greeting: () => {
          throw new Error('The transport contract throws this.');
        },
      },
    },
    async ({ hub, url }) => {
      const reader = await TestReader.open(`${url}?topic=a`);
      await reader.ended();
      assert.equal(reader.status, 500);
      assert.deepEqual(hub.connections(), []);
    },
  ),
];

/** Until the network takes nothing more for a peer that doesn't read. */
async function blocked(hub: Hub): Promise<void> {
  let before = -1;
  // Turns of the event loop, as a process that wasn't given the processor for a while has written nothing, either.
  let idleTurns = 0;
  await eventually('a peer whose buffers are full', () => {
    const { behind, bytes } = hub.stats();
    idleTurns = bytes === before ? idleTurns + 1 : 0;
    before = bytes;
    return behind === 1 && idleTurns > 40;
  });
}

const DATA = 'x'.repeat(50_000);

const streams: readonly TransportCase[] = [
  transportCase(
    'keeps little for a peer that does not read, and sends it everything in order once it does',
    {},
    async ({ hub, url }) => {
      const reader = await TestReader.open(`${url}?topic=a`, { idle: true });
      await eventually('a live connection', () => hub.stats().live === 1);
      for (let n = 0; n < 400; n += 1) {
        await hub.publish('a', `${n} ${DATA}`, { raw: true });
        if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await eventually('a connection that is behind', () => hub.stats().behind === 1);
      const [connection] = hub.connections();
      assert.ok((connection?.bytes ?? 0) < 15_000_000, 'The peer reads nothing and is handed everything.');
      reader.read();
      await reader.until('all events', () => reader.data.length === 401);
      assert.deepEqual(
        reader.data.slice(1).map((text) => Number.parseInt(text, 10)),
        Array.from({ length: 400 }, (_, n) => n),
      );
      await eventually('a live connection', () => hub.stats().live === 1);
    },
  ),
  transportCase('forgets a peer that leaves', {}, async ({ hub, url }) => {
    const reader = await TestReader.open(`${url}?topic=a`);
    await reader.until('the welcome', () => reader.data.length > 0);
    reader.cut();
    await eventually('no connections', () => hub.connections().length === 0);
  }),
  transportCase(
    'drops a peer that reads nothing for the stall time',
    { hub: { stallTimeout: 200 } },
    async ({ hub, url }) => {
      const reader = await TestReader.open(`${url}?topic=a`, { idle: true });
      await eventually('a live connection', () => hub.stats().live === 1);
      for (let n = 0; n < 400 && hub.connections().length > 0; n += 1) {
        await hub.publish('a', DATA, { raw: true });
        if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await eventually('no connections', () => hub.connections().length === 0);
      assert.equal(hub.stats().stalled, 1);
      reader.read();
      await reader.ended();
      assert.ok(!reader.types.includes('tidings:goodbye'));
      assert.ok(reader.error !== undefined, 'The stream ended in order, instead of being cut off.');
    },
  ),
  transportCase('ends a stream with all that was sent and the goodbye', {}, async ({ hub, url }) => {
    const reader = await TestReader.open(`${url}?topic=a`);
    await eventually('a live connection', () => hub.stats().live === 1);
    await hub.publish('a', 1);
    hub.disconnect(() => true);
    await reader.ended();
    assert.deepEqual(reader.types, ['tidings:welcome', 'message', 'tidings:goodbye']);
    assert.equal(reader.error, undefined);
    await eventually('no connections', () => hub.connections().length === 0);
  }),
  transportCase('makes a closing hub wait until a peer has taken the goodbye', {}, async ({ hub, url }) => {
    const reader = await TestReader.open(`${url}?topic=a`, { idle: true });
    await eventually('a live connection', () => hub.stats().live === 1);
    for (let n = 0; n < 400; n += 1) await hub.publish('a', `${n} ${DATA}`, { raw: true });
    await blocked(hub);
    let isClosed = false;
    const closed = hub.close({ within: 20_000 }).then(() => (isClosed = true));
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isClosed, false, 'The hub closed before the peer had read anything.');
    reader.read();
    await closed;
    await reader.ended();
    assert.equal(reader.types.at(-1), 'tidings:goodbye');
  }),
];

/**
 * The duties of a transport, as tests over a real network. Run each case on your own: `for (const { name, run } of
 * transportContract) test(name, () => run(start))`.
 */
export const transportContract: readonly TransportCase[] = [...requests, ...streams];
