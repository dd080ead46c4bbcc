import { startPostgresPair } from '../engines/postgres-pair.ts';
import type { EnginePair, PairDurability } from '../engines/pair.ts';
import { startRedisPair } from '../engines/redis-pair.ts';
import { freePort } from '../faults/free-port.ts';
import { until, untilAsync } from '../http/deadline.ts';
import { MovingReader } from './moving-reader.ts';
import { NodeProcess } from './node-process.ts';
import { type Faults, type Tally, judge } from './tally.ts';

export interface ChaosOptions {
  readonly engine: 'redis' | 'postgres';
  readonly nodes: number;
  readonly clients: number;
  /** How many times something happens to a node; every other time, something happens to the engine as well. */
  readonly kills: number;
  /** With `replica`, a failover loses nothing that was acknowledged. */
  readonly durability: PairDurability;
}

const TOPICS = 8;
/** Of topics on which nothing is published while the engine loses events. */
const QUIET_TOPICS = 4;
const PUBLISHERS = 4;
/** Milliseconds that a node counts as alive without a word: more than it takes to be heard on a busy machine. */
const LEASE = 4000;
/** Events that are acknowledged before each fault, and by a master whose replica gets nothing. */
const BETWEEN_FAULTS = 40;
const TO_LOSE = 20;

/** Runs nodes, readers and publishers while nodes and the engine are killed. @returns what became of the events. */
export async function runChaos(options: ChaosOptions): Promise<Tally> {
  const { engine, clients, durability } = options;
  const pair = await (engine === 'redis' ? startRedisPair() : startPostgresPair(durability));
  const nodes: NodeProcess[] = [];
  for (let i = 0; i < options.nodes; i += 1) {
    const port = await freePort();
    nodes.push(new NodeProcess(port, [engine, pair.url, String(port), durability, String(LEASE)]));
  }
  const anyNode = (): string => (nodes[Math.floor(Math.random() * nodes.length)] as NodeProcess).url;
  const acknowledged = new Map<string, string>();
  const readers: MovingReader[] = [];
  try {
    await Promise.all(nodes.map((node) => node.start()));
    for (let i = 0; i < clients; i += 1)
      readers.push(new MovingReader(anyNode, i % 3 === 2 ? quietTopicOf(i) : topicOf(i), true));
    const stop = startPublishers(anyNode, acknowledged);
    const { faults, presenceTrueAfter } = await harass({
      options,
      pair,
      nodes,
      anyNode,
      readers,
      acknowledged,
    });
    await stop();
    await Promise.all(allTopics().map((topic) => publish(anyNode, [endOf(topic)])));
    await until('all readers are done', () => readers.every(({ isDone }) => isDone));
    const truth = await readTruth(anyNode);
    return { ...faults, ...judge(readers, truth, acknowledged), presenceTrueAfter };
  } finally {
    for (const reader of readers) reader.close();
    await Promise.all(nodes.map((node) => node.kill()));
    await pair.stop();
  }
}

/** Everything that faults can happen to. */
interface Scene {
  readonly options: ChaosOptions;
  readonly pair: EnginePair;
  readonly nodes: readonly NodeProcess[];
  readonly anyNode: () => string;
  readonly readers: readonly MovingReader[];
  readonly acknowledged: Map<string, string>;
}

/** One fault after another. After each, presence becomes true again while publishers go on. */
async function harass(scene: Scene): Promise<{ faults: Faults; presenceTrueAfter: number }> {
  const { options, nodes, anyNode, readers, acknowledged } = scene;
  const faults: Faults = { kills: 0, pauses: 0, restarts: 0, failovers: 0, partitions: 0 };
  let presenceTrueAfter = 0;
  for (let i = 0; i < options.kills; i += 1) {
    const enough = acknowledged.size + BETWEEN_FAULTS;
    await until('further events are acknowledged', () => acknowledged.size >= enough);
    for (const [j, reader] of readers.entries()) if (j % 4 === i % 4) reader.drop();
    const node = nodes[i % nodes.length] as NodeProcess;
    let restarted: Promise<void> | undefined;
    if (i % 5 === 4) {
      faults.pauses += 1;
      await node.pause(LEASE + 1000);
    } else {
      faults.kills += 1;
      await node.kill();
      restarted = node.start();
    }
    if (i % 2 === 1) await disturb(scene, faults, i);
    await restarted;
    const quiet = { topics: quietTopicOf(i), data: { id: `quiet-${i}` }, id: `quiet-${i}` };
    await publish(anyNode, [quiet]);
    acknowledged.set(quiet.id, quiet.topics);
    const since = performance.now();
    await untilPresenceIsTrue(nodes, options.clients);
    if (process.env['TIDINGS_VERBOSE'])
      console.log(
        i,
        JSON.stringify(faults),
        Math.round(performance.now() - since),
        'ms; gaps',
        readers
          .map((r) =>
            r.got
              .filter((g) => 'gap' in g)
              .map((g) => JSON.stringify(g))
              .join(),
          )
          .join(';'),
      );
    presenceTrueAfter = Math.max(presenceTrueAfter, Math.round(performance.now() - since));
  }
  return { faults, presenceTrueAfter };
}

async function disturb({ options, pair, acknowledged }: Scene, faults: Faults, i: number): Promise<void> {
  const what = Math.floor(i / 2) % 3;
  if (what === 0) {
    faults.failovers += 1;
    const enough = acknowledged.size + TO_LOSE;
    const lose = (): Promise<void> => until('events to lose', () => acknowledged.size >= enough);
    await pair.failOver(options.durability === 'server' ? lose : undefined);
  } else if (what === 1) {
    faults.restarts += 1;
    await pair.restart();
  } else {
    faults.partitions += 1;
    await pair.partition(2000);
  }
}

/** Each client is a member of its own: every node is to count exactly those who are there, and no ghosts. */
async function untilPresenceIsTrue(nodes: readonly NodeProcess[], clients: number): Promise<void> {
  let counts: readonly number[] = [];
  const isTrue = async (): Promise<boolean> => {
    counts = await Promise.all(nodes.map((node) => node.countMembers()));
    return counts.every((count) => count === clients);
  };
  await untilAsync(`every node counts ${clients} members`, isTrue).catch((error: unknown) => {
    throw new Error(`The nodes count ${counts.join(', ')} members.`, { cause: error });
  });
}

function topicOf(i: number): string {
  return `t${i % TOPICS}`;
}

function quietTopicOf(i: number): string {
  return `quiet${i % QUIET_TOPICS}`;
}

function allTopics(): string[] {
  return [
    ...Array.from({ length: TOPICS }, (_, i) => topicOf(i)),
    ...Array.from({ length: QUIET_TOPICS }, (_, i) => quietTopicOf(i)),
  ];
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
      await new Promise((resolve) => void setTimeout(resolve, 5));
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

/** The events left in the log, by topic. */
async function readTruth(anyNode: () => string): Promise<Map<string, Set<string>>> {
  const readers = allTopics().map((topic) => new MovingReader(anyNode, topic));
  await until('the log is read', () => readers.every(({ isDone }) => isDone));
  for (const reader of readers) reader.close();
  return new Map(
    readers.map(({ topic, got }) => [
      topic,
      new Set(got.flatMap((each) => ('event' in each ? [each.event] : []))),
    ]),
  );
}
