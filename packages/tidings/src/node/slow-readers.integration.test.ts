import http, { type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { until } from '../../test/http/deadline.ts';
import type { Frames } from '../../test/http/frames.ts';
import { startHub, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { type Running, listen } from '../../test/http/server.ts';
import { stacks } from '../../test/http/stacks.ts';
import { type Hub, type HubOptions, memoryLog } from '../index.ts';
import { handleOf } from './handle.ts';
import { sse } from './index.ts';

const MEGABYTE = 1_000_000;
/** More than the kernel's buffers on both sides of a loopback connection hold. */
const FLOOD = 24 * MEGABYTE;
const EVENT = 50_000;
const EVENTS = FLOOD / EVENT;
const PAD = 'x'.repeat(EVENT - 10);

async function flood(hub: Hub, each: () => void = () => {}): Promise<void> {
  for (let n = 1; n <= EVENTS; n += 1) {
    await hub.publish('a', `${n} ${PAD}`, { raw: true });
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    each();
  }
}

function numbers(frames: Frames): number[] {
  return frames.events.map(({ data }) => Number.parseInt(data ?? '', 10));
}

const allNumbers = Array.from({ length: EVENTS }, (_, i) => i + 1);

/** Plain `node:http` whose responses a test can look into. */
async function startWatched(
  options: HubOptions = {},
): Promise<Running & { hub: Hub; responses: ServerResponse[] }> {
  const hub = startHub(options);
  const handle = sse(hub);
  const responses: ServerResponse[] = [];
  const server = http.createServer((req, res) => {
    responses.push(res);
    handle(req, res);
  });
  return { hub, responses, ...(await listen(server)) };
}

/** Bytes that wait for the kernel to take them, above the socket's handle and in it. */
function held(response: ServerResponse | undefined): number {
  if (!response?.socket) return 0;
  return response.writableLength + (handleOf(response.socket)?.writeQueueSize ?? 0);
}

const networks = stacks.filter(({ name }) =>
  ['node:http', 'node:http, socket hijacked', 'node:https', 'node:http2', 'Hono'].includes(name),
);

afterEach(() => void vi.restoreAllMocks());

describe.each(networks)('On $name, a peer that stops reading', (stack) => {
  test('gets only what the network takes, and everything once and in order when it reads on', async () => {
    const hub = startHub();
    const { url } = await stack.start(hub);
    const slow = await stack.ask(`${url}/events?topic=a`, { idle: true });
    const fast = await stack.ask(`${url}/events?topic=a`);
    await until('both live', () => hub.stats().live === 2);
    await flood(hub);
    await fast.frames.until('all events', () => fast.frames.events.length === EVENTS);
    await until('fast one at the head', () => hub.stats().live === 1);
    const [behind] = hub.connections();
    expect(behind?.phase).toBe('behind');
    expect(behind?.lag).toBeGreaterThan(0);
    expect(behind?.bytes).toBeLessThan(FLOOD / 2);
    expect(numbers(fast.frames)).toEqual(allNumbers);
    slow.read();
    await slow.frames.until('all events', () => slow.frames.events.length === EVENTS);
    expect(numbers(slow.frames)).toEqual(allNumbers);
    expect(slow.frames.all.filter(({ type }) => type === 'tidings:gap')).toEqual([]);
    await until('both live', () => hub.stats().live === 2);
  });

  test('is dropped after the stall time, and no other peer is', async () => {
    // Hono's server logs every stream that breaks off.
    vi.spyOn(console, 'error').mockImplementation(() => {});
    // Not so short that a busy machine stalls the other peer.
    const hub = startHub({ stallTimeout: 4000 });
    const { url } = await stack.start(hub);
    const slow = await stack.ask(`${url}/events?topic=a`, { idle: true });
    const fast = await stack.ask(`${url}/events?topic=a`);
    await until('both live', () => hub.stats().live === 2);
    await flood(hub);
    await until('one connection', () => hub.connections().length === 1);
    expect(hub.stats().stalled).toBe(1);
    await fast.frames.until('all events', () => fast.frames.events.length === EVENTS);
    expect(numbers(fast.frames)).toEqual(allNumbers);
    slow.read();
    await slow.frames.end();
    // Everything it received up to then is complete and in order.
    const got = numbers(slow.frames);
    expect(got.length).toBeLessThan(EVENTS);
    expect(got).toEqual(allNumbers.slice(0, got.length));
  });
});

describe('For a peer that stops reading', () => {
  test('the response holds no more than about a page', async () => {
    const { hub, port, responses } = await startWatched();
    const peer = await RawClient.connect(port);
    peer.get('/?topic=a');
    await until('live', () => hub.stats().live === 1);
    let most = 0;
    await flood(hub, () => {
      most = Math.max(most, held(responses[0]));
    });
    expect(hub.connections()[0]?.phase).toBe('behind');
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(600_000);
  });

  test('the response holds no more when very much is published at once', async () => {
    const { hub, port, responses } = await startWatched();
    const peer = await RawClient.connect(port);
    peer.get('/?topic=a');
    await until('live', () => hub.stats().live === 1);
    await hub.publishAll(allNumbers.map((n) => ({ topics: 'a', data: `${n} ${PAD}`, raw: true })));
    await until('behind', () => hub.connections()[0]?.phase === 'behind');
    expect(held(responses[0])).toBeLessThan(600_000);
    peer.read();
    await peer.frames.until('all events', () => peer.frames.events.length === EVENTS);
    expect(numbers(peer.frames)).toEqual(allNumbers);
  });

  test('a gap stands in place of the events that retention took meanwhile', async () => {
    const { hub, port } = await startNode({}, { log: memoryLog({ epoch: 'e', retention: { events: 20 } }) });
    const peer = await RawClient.connect(port);
    peer.get('/?topic=a&topic=b');
    await until('live', () => hub.stats().live === 1);
    await flood(hub);
    expect(hub.connections()[0]?.phase).toBe('behind');
    peer.read();
    await peer.frames.until('newest event', () => peer.frames.all.at(-1)?.id === `e.${EVENTS}`);
    const at = peer.frames.all.findIndex(({ type }) => type === 'tidings:gap');
    const before = peer.frames.all.slice(1, at).map(({ id }) => id);
    const after = peer.frames.all.slice(at + 1).map(({ id }) => id);
    expect(before).toEqual(allNumbers.slice(0, before.length).map((n) => `e.${n}`));
    expect(after).toEqual(allNumbers.slice(-20).map((n) => `e.${n}`));
    expect(peer.frames.all[at]).toMatchObject({
      id: before.at(-1),
      data: JSON.stringify({ gaps: [{ topics: ['a'], reason: 'trimmed' }] }),
    });
  });

  test('a hundred of them cost the hub no more than a flush each', async () => {
    const { hub, port, responses } = await startWatched();
    const peers = await Promise.all(Array.from({ length: 100 }, () => RawClient.connect(port)));
    for (const peer of peers) peer.get('/?topic=a');
    await until('all live', () => hub.stats().live === 100);
    await flood(hub);
    const held = responses.reduce((sum, { writableLength }) => sum + writableLength, 0);
    // Each holds up to 256 KiB and the event that exceeds them; many share the same bytes.
    expect(held).toBeLessThan(100 * (262_144 + EVENT + 1000));
    expect(hub.stats().behind).toBe(100);
  });
});
