/** How long the hub itself takes for an event: there are connections, but their bytes go nowhere. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, type Hub, type Matcher, createHub, memoryLog } from 'tidings';
import { lmdbLog } from 'tidings/lmdb';
import { type Sink, gatewayOf, parseStart } from 'tidings/transport';
import { answerCommands } from '../../harness/commands.ts';
import { MARKER, makeData } from '../../harness/event.ts';

/** Without timers: it is the publishing and reading that is measured, not the visits each second or rests in between. */
const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: () => () => undefined,
  defer: (task) => void setImmediate(task),
};

const nowhere: Sink = { write: () => true, end: () => undefined, destroy: () => undefined };
/** Of resuming, over and over. */
const MAX_MS = 5000;

function connect(hub: Hub, matchers: readonly Matcher[], cursor?: string, sink = nowhere) {
  const gateway = gatewayOf(hub);
  const wanted = gateway.wanted(matchers);
  const connection = gateway.admit({
    wanted,
    granted: wanted,
    start: parseStart(cursor),
    reconnects: cursor !== undefined,
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: undefined,
    protocol: 'HTTP/1.1',
  });
  connection.open(sink, '');
  return connection;
}

export interface PublishCase {
  readonly topics: number;
  /** Connections that each of them has. */
  readonly subscribers: number;
  /** Topics that a connection asks for. */
  readonly each: number;
  /** Patterns with subscribers that match none of the topics. */
  readonly patterns: number;
  readonly events: number;
}

async function publish({ topics, subscribers, each, patterns, events }: PublishCase): Promise<number> {
  const hub = createHub({ clock, catchUpShare: 1, limits: { connections: Infinity } });
  const connections = (topics * subscribers) / each;
  for (let i = 0; i < connections; i += 1) {
    connect(
      hub,
      Array.from({ length: each }, (_, j) => `t/${(i * each + j) % topics}`),
    );
  }
  for (let i = 0; i < patterns; i += 1) connect(hub, [{ pattern: `room/${i}/:id` }]);
  while (hub.stats().live < connections + patterns) await turn();
  const names = Array.from({ length: topics }, (_, i) => `t/${i}`);
  await publishTo(hub, names, events / 10);
  const { delivered } = hub.stats();
  const start = process.hrtime.bigint();
  await publishTo(hub, names, events);
  const nanoseconds = Number(process.hrtime.bigint() - start);
  const got = hub.stats().delivered - delivered;
  if (got !== events * subscribers) throw new Error(`${got} deliveries of ${events * subscribers}`);
  return nanoseconds / 1000 / events;
}

/** One per turn, to give each a flush of its own. */
async function publishTo(hub: Hub, names: readonly string[], events: number): Promise<void> {
  const data = makeData(0, 0, 100);
  for (let sent = 0; sent < events; sent += 1) {
    // By a step that has no divisor in common with the numbers of topics: neighbours are not asked for together.
    await hub.publish(names[(sent * 7919) % names.length] ?? '', data, { raw: true });
    await turn();
  }
}

export interface QuietCase {
  readonly length: number;
  /** At most. */
  readonly resumes: number;
  readonly path: string;
}

/** The median time of a resume for a client of a quiet topic, whose 100 events lie evenly in a long log. */
async function resumeQuiet({ length, resumes, path }: QuietCase): Promise<number> {
  const retention = { events: length + 1000 };
  // The tail is small, to measure reads of the log itself.
  const log =
    path === ''
      ? memoryLog({ retention: { ...retention, bytes: Infinity } })
      : lmdbLog({ path, retention, tail: { events: 100 } });
  const hub = createHub({ log, clock, catchUpShare: 1, limits: { connections: Infinity } });
  const cursor = hub.cursor();
  const data = makeData(0, 0, 100);
  for (let i = 0; i < 100; i += 1) {
    await hub.publish('quiet', data, { raw: true });
    for (let left = length / 100; left > 0; left -= 1000) {
      const busy = Array.from({ length: Math.min(left, 1000) }, (_, n) => `busy/${n % 50}`);
      await hub.publishAll(busy.map((topics) => ({ topics, data, raw: true })));
    }
  }
  const times: number[] = [];
  const began = performance.now();
  while (times.length < resumes && performance.now() - began < MAX_MS) {
    const start = process.hrtime.bigint();
    await readAll(hub, cursor);
    times.push(Number(process.hrtime.bigint() - start) / 1000);
  }
  await hub.close();
  return times.sort((a, b) => a - b)[times.length >> 1] ?? 0;
}

/** Connects, waits for the 100 events, and leaves. */
async function readAll(hub: Hub, cursor: string): Promise<void> {
  let left = 100;
  await new Promise<void>((resolve) => {
    const write = (bytes: Uint8Array): boolean => {
      for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + 1)) left -= 1;
      if (left === 0) setImmediate(() => (connection.closed(), resolve()));
      return true;
    };
    const connection = connect(hub, ['quiet'], cursor, { ...nowhere, write });
  });
  if (left !== 0) throw new Error(`${100 - left} events of 100`);
}

answerCommands({ publish, resumeQuiet });
