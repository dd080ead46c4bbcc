import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { startRedisPair } from '../engines/redis-pair.ts';
import { freePort } from '../faults/free-port.ts';
import { until, untilAsync } from '../http/deadline.ts';
import { type Got, MovingReader } from './moving-reader.ts';

export interface ChaosOptions {
  readonly nodes: number;
  readonly clients: number;
  /** How many times a node is killed; after every other one, something happens to the engine. */
  readonly kills: number;
  /** With `replica`, a failover loses nothing that was acknowledged. */
  readonly durability: 'server' | 'replica';
}

export interface Tally {
  readonly acknowledged: number;
  readonly deliveries: number;
  readonly kills: number;
  readonly pauses: number;
  readonly restarts: number;
  readonly failovers: number;
  readonly partitions: number;
  /** Acknowledged events that the engine has lost, in a failover to a replica that was behind. */
  readonly lostByEngine: number;
  /** In the log, and not received by a reader that was not told. */
  readonly lostSilently: number;
  readonly doubled: number;
  /** Readers that had received a lost event, and those of them that were told. */
  readonly concerned: number;
  readonly told: number;
  /** Told of a gap, though they had received all that was left, and nothing else. */
  readonly toldForNothing: number;
}

const TOPICS = 8;
const PUBLISHERS = 4;

/** One of the nodes, on a port of its own for all its lives. */
class Node {
  readonly url: string;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  constructor(port: number, args: readonly string[]) {
    this.url = `http://127.0.0.1:${port}/`;
    this.#args = args;
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL('node.mjs', import.meta.url));
    const child = spawn(process.execPath, [program, ...this.#args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    if (child.stdout !== null) await once(child.stdout, 'data');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Longer than its lease: it comes back as a node that the others have given up. */
  async pause(milliseconds: number): Promise<void> {
    this.#child?.kill('SIGSTOP');
    await rest(milliseconds);
    this.#child?.kill('SIGCONT');
  }
}

/** Runs nodes, readers and publishers while nodes and the engine are killed. @returns what became of the events. */
export async function runChaos(options: ChaosOptions): Promise<Tally> {
  const redis = await startRedisPair();
  const nodes: Node[] = [];
  for (let i = 0; i < options.nodes; i += 1) {
    const port = await freePort();
    nodes.push(new Node(port, [redis.url, String(port), options.durability]));
  }
  const anyNode = (): string => (nodes[Math.floor(Math.random() * nodes.length)] as Node).url;
  const counts = { kills: 0, pauses: 0, restarts: 0, failovers: 0, partitions: 0 };
  const acknowledged = new Map<string, string>();
  const readers: MovingReader[] = [];
  try {
    await Promise.all(nodes.map((node) => node.start()));
    for (let i = 0; i < options.clients; i += 1) readers.push(new MovingReader(anyNode, topicOf(i), true));
    const stop = startPublishers(anyNode, acknowledged);
    for (let i = 0; i < options.kills; i += 1) {
      const enough = acknowledged.size + 40;
      await until('further events are acknowledged', () => acknowledged.size >= enough);
      for (const [j, reader] of readers.entries()) if (j % 4 === i % 4) reader.drop();
      const node = nodes[i % nodes.length] as Node;
      if (i % 5 === 4) {
        counts.pauses += 1;
        await node.pause(2500);
      } else {
        counts.kills += 1;
        await node.kill();
        void node.start();
      }
      if (i % 2 === 1) await disturb(redis, options, counts, i, acknowledged);
    }
    await stop();
    await Promise.all(Array.from({ length: TOPICS }, (_, i) => publish(anyNode, [endOf(topicOf(i))])));
    await until('all readers are done', () => readers.every(({ isDone }) => isDone));
    await assertPresence(nodes, options.clients);
    const truth = await readTruth(anyNode);
    return { ...counts, ...judge(readers, truth, acknowledged) };
  } finally {
    for (const reader of readers) reader.close();
    await Promise.all(nodes.map((node) => node.kill()));
    await redis.stop();
  }
}

async function disturb(
  redis: Awaited<ReturnType<typeof startRedisPair>>,
  { durability }: ChaosOptions,
  counts: { restarts: number; failovers: number; partitions: number },
  i: number,
  acknowledged: ReadonlyMap<string, string>,
): Promise<void> {
  const what = Math.floor(i / 2) % 3;
  if (what === 0) {
    counts.failovers += 1;
    const enough = acknowledged.size + 20;
    const lose = (): Promise<void> => until('events to lose', () => acknowledged.size >= enough);
    await redis.failOver(durability === 'server' ? lose : undefined);
  } else if (what === 1) {
    counts.restarts += 1;
    await redis.restart();
  } else {
    counts.partitions += 1;
    await redis.partition(2000);
  }
}

function topicOf(i: number): string {
  return `t${i % TOPICS}`;
}

interface ChaosEvent {
  readonly topics: string;
  readonly data: { readonly id: string };
  readonly id: string;
}

function endOf(topic: string): ChaosEvent {
  return { topics: topic, data: { id: 'end' }, id: `end-${topic}` };
}

/** @returns a function that stops them, and waits for the last answers. */
function startPublishers(anyNode: () => string, acknowledged: Map<string, string>): () => Promise<void> {
  let isOn = true;
  const all = Array.from({ length: PUBLISHERS }, async (_, publisher) => {
    for (let batch = 0; isOn; batch += 1) {
      const events = [0, 1, 2].map((i) => {
        const id = `${publisher}-${batch}-${i}`;
        return { topics: topicOf(batch + i), data: { id }, id };
      });
      await publish(anyNode, events);
      for (const { id, topics } of events) acknowledged.set(id, topics);
      await rest(5);
    }
  });
  return async () => {
    isOn = false;
    await Promise.all(all);
  };
}

/** Again and again, at any node, until one has acknowledged all. */
async function publish(anyNode: () => string, events: readonly ChaosEvent[]): Promise<void> {
  await untilAsync('the events are acknowledged', async () => {
    try {
      const signal = AbortSignal.timeout(5000);
      const response = await fetch(anyNode(), { method: 'POST', body: JSON.stringify(events), signal });
      await response.text();
      return response.status === 201;
    } catch {
      return false;
    }
  });
}

/** Each client is a member of its own. After all of this, every node knows exactly those who are there. */
async function assertPresence(nodes: readonly Node[], clients: number): Promise<void> {
  for (const { url } of nodes) {
    await untilAsync(`every node counts ${clients} members`, async () => {
      // A node that was killed last may still be starting.
      const count = await fetch(`${url}presence`).then(
        (response) => response.text(),
        () => '',
      );
      return Number(count) === clients;
    });
  }
}

/** What is left in the log, by topic. */
async function readTruth(anyNode: () => string): Promise<Map<string, Set<string>>> {
  const readers = Array.from({ length: TOPICS }, (_, i) => new MovingReader(anyNode, topicOf(i)));
  await until('the log is read', () => readers.every(({ isDone }) => isDone));
  for (const reader of readers) reader.close();
  return new Map(
    readers.map(({ topic, got }) => [
      topic,
      new Set(got.flatMap((each) => ('event' in each ? [each.event] : []))),
    ]),
  );
}

function judge(
  readers: readonly MovingReader[],
  truth: ReadonlyMap<string, ReadonlySet<string>>,
  acknowledged: ReadonlyMap<string, string>,
): Omit<Tally, 'kills' | 'pauses' | 'restarts' | 'failovers' | 'partitions'> {
  const tally = { lostSilently: 0, doubled: 0, concerned: 0, told: 0, toldForNothing: 0, deliveries: 0 };
  for (const { topic, got } of readers) {
    const left = truth.get(topic) ?? new Set();
    const seen = new Set(got.flatMap((each) => ('event' in each ? [each.event] : [])));
    tally.deliveries += got.length;
    for (const id of left) if (!seen.has(id)) tally.lostSilently += 1;
    const wasTold = got.some((each) => 'gap' in each);
    tally.doubled += countDoubled(got);
    // Received before the engine lost it. It may have come again, since its publisher had no answer.
    const isConcerned = [...seen].some((id) => !left.has(id)) || hasAgain(got);
    if (isConcerned) tally.concerned += 1;
    if (isConcerned && wasTold) tally.told += 1;
    if (!isConcerned && wasTold) tally.toldForNothing += 1;
  }
  const lostByEngine = [...acknowledged].filter(([id, topic]) => truth.get(topic)?.has(id) !== true).length;
  return { ...tally, acknowledged: acknowledged.size, lostByEngine };
}

/** Events that came twice without a gap in between. */
function countDoubled(got: readonly Got[]): number {
  let doubled = 0;
  const sinceGap = new Set<string>();
  for (const each of got) {
    if ('gap' in each) sinceGap.clear();
    else if (sinceGap.has(each.event)) doubled += 1;
    else sinceGap.add(each.event);
  }
  return doubled;
}

function hasAgain(got: readonly Got[]): boolean {
  const events = got.flatMap((each) => ('event' in each ? [each.event] : []));
  return new Set(events).size < events.length;
}

function rest(milliseconds: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, milliseconds));
}
