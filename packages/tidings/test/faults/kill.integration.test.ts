import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type EventClient, connect } from '../../src/client/index.ts';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { until } from '../http/deadline.ts';
import { freePort } from './free-port.ts';

/** These variables raise both. The counts are printed. */
const kills = Number(process.env['TIDINGS_KILLS'] ?? 50);
const clients = Number(process.env['TIDINGS_CLIENTS'] ?? 200);
const seed = Number(process.env['TIDINGS_SEED'] ?? Date.now() % 1_000_000);

/** Enough for a kill to hit several calls in one commit, and others waiting for the next. */
const PUBLISHERS = 6;
const TOPICS = ['a', 'b', 'c'];

interface Payload {
  /** The number of the call of `publishAll`, and of the event in it. */
  readonly batch: number;
  readonly index: number;
  readonly size: number;
}

/** A client and the events it has seen. */
interface Subscriber {
  readonly client: EventClient;
  readonly topics: ReadonlySet<string>;
  readonly seen: { readonly seq: number; readonly payload: Payload }[];
  gaps: number;
}

test(
  `a hub that is killed ${kills} times loses nothing that it acknowledged, and repeats nothing`,
  { timeout: 3 * DEADLINE + kills * 30_000 },
  async () => {
    const path = mkdtempSync(join(tmpdir(), 'tidings-kill-'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    const random = createRandom(seed);
    const acknowledged = new Map<string, { readonly topic: string; readonly seq: number }>();
    let batches = 0;
    let refused = 0;
    let publishing = true;

    async function publishOn(): Promise<void> {
      while (publishing) {
        const batch = (batches += 1);
        const size = 1 + Math.floor(random() * 3);
        const events = Array.from({ length: size }, (_, index) => {
          const topic = TOPICS[Math.floor(random() * TOPICS.length)] ?? 'a';
          return { topics: topic, data: { batch, index, size }, id: `${batch}-${index}` };
        });
        const published = await post(url, events);
        if (published === undefined) {
          refused += 1;
          await pause(20);
          continue;
        }
        for (const [index, { cursor }] of published.entries()) {
          acknowledged.set(`${batch}-${index}`, { topic: events[index]?.topics ?? '', seq: seqOf(cursor) });
        }
      }
    }

    let server = await start(path, port);
    const subscribers = Array.from({ length: clients }, (_, i) => subscribe(url, topicsOf(i)));
    try {
      await until('all clients are open', () => subscribers.every(({ client }) => client.status === 'open'));
      const publishers = Array.from({ length: PUBLISHERS }, publishOn);
      for (let kill = 0; kill < kills; kill += 1) {
        const enough = acknowledged.size + 2;
        await until('further events acknowledged', () => acknowledged.size >= enough);
        await pause(100 + random() * 400);
        await end(server);
        server = await start(path, port);
      }
      await pause(200);
      publishing = false;
      await Promise.all(publishers);
      const last = TOPICS.map((topic) => ({
        topics: topic,
        data: { batch: -1, index: 0, size: 1 },
        id: `last-${topic}`,
      }));
      for (const giveUp = performance.now() + DEADLINE; (await post(url, last)) === undefined;) {
        expect(performance.now()).toBeLessThan(giveUp);
        await pause(20);
      }
      await until('all clients have the last events', () => subscribers.every(isDone));
    } finally {
      publishing = false;
      for (const { client } of subscribers) client.close();
      await end(server);
      rmSync(path, { recursive: true, force: true });
    }

    let received = 0;
    for (const { topics, seen, gaps } of subscribers) {
      received += seen.length;
      expect(gaps, 'gap notices').toBe(0);
      const seqs = seen.map(({ seq }) => seq);
      expect(seqs, 'in order, none twice').toEqual([...new Set(seqs)].sort((a, b) => a - b));
      const bySeq = new Map(seen.map(({ seq, payload }) => [seq, payload]));
      for (const [id, { topic, seq }] of acknowledged) {
        if (!topics.has(topic)) continue;
        const payload = bySeq.get(seq);
        expect(`${payload?.batch}-${payload?.index}`, `acknowledged event ${seq}`).toBe(id);
      }
    }
    expectWholeBatches(subscribers);
    expect(acknowledged.size).toBeGreaterThan(kills);
    console.log(
      `killed ${kills} times (seed ${seed}): ${acknowledged.size} events acknowledged in ${batches} calls, ` +
        `${refused} calls unanswered; ${clients} clients received ${received} events: 0 lost, 0 twice, 0 gaps`,
    );
  },
);

/** A batch that was never acknowledged may be there or not, but only as a whole. */
function expectWholeBatches(subscribers: readonly Subscriber[]): void {
  const all = subscribers.find(({ topics }) => topics.size === TOPICS.length);
  const counts = new Map<number, { count: number; size: number }>();
  for (const { payload } of all?.seen ?? []) {
    const { count } = counts.get(payload.batch) ?? { count: 0 };
    if (payload.batch > 0) counts.set(payload.batch, { count: count + 1, size: payload.size });
  }
  expect(counts.size).toBeGreaterThan(0);
  for (const [batch, { count, size }] of counts) expect(count, `events of batch ${batch}`).toBe(size);
}

function topicsOf(i: number): string[] {
  return i % 4 === 3 ? TOPICS : [TOPICS[i % 4] ?? 'a'];
}

function subscribe(url: string, topics: readonly string[]): Subscriber {
  const client = connect(url, { topics, cursor: 'earliest', retry: { base: 20, max: 200 } });
  const subscriber: Subscriber = { client, topics: new Set(topics), seen: [], gaps: 0 };
  client.on('message', (event) => {
    subscriber.seen.push({ seq: seqOf(event.cursor), payload: event.json<Payload>() });
  });
  client.onGap((gaps) => {
    subscriber.gaps += gaps.length;
  });
  return subscriber;
}

function isDone({ topics, seen }: Subscriber): boolean {
  return seen.filter(({ payload }) => payload.batch === -1).length === topics.size;
}

async function start(path: string, port: number): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('server.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, path, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (child.stdout === null) throw new Error('no output');
  await Promise.race([
    once(child.stdout, 'data'),
    once(child, 'exit').then(() => Promise.reject(new Error('the server did not start'))),
  ]);
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function post(url: string, events: unknown): Promise<readonly { cursor: string }[] | undefined> {
  try {
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(events) });
    return response.status === 201 ? ((await response.json()) as { cursor: string }[]) : undefined;
  } catch (error) {
    // The server is down or was killed before it answered; whether the events are in the log is unknown.
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

function seqOf(cursor: string): number {
  return Number(cursor.slice(cursor.lastIndexOf('.') + 1));
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** The same kills at the same moments for the same seed, as far as a machine allows that. */
function createRandom(from: number): () => number {
  const values = fc.sample(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
    seed: from,
    numRuns: 10_000,
  });
  let i = 0;
  return () => values[(i += 1) % values.length] ?? 0;
}
