/** The load client, a process of its own: thousands of connections over raw sockets. */
import type { ClientHttp2Session } from 'node:http2';
import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { answerCommands } from '../commands.ts';
import { openSession } from './lines.ts';
import { type Reader, type ReaderOptions, openReader } from './reader.ts';
import { type Tally, createTally, resetTally } from './tally.ts';

export interface OpenRequest extends Partial<Omit<ReaderOptions, 'port' | 'session'>> {
  readonly port: number;
  readonly count: number;
  /** Connections of one group are counted together. Default `all`. */
  readonly group?: string;
  /** `{n}` in the path becomes a number below this, the next for each connection. */
  readonly topics?: number;
  /** Over HTTP/2: how many of them share a session. Default 1. */
  readonly streams?: number;
}

export interface Counts {
  /** Events, or bytes if a content coding was asked for. */
  readonly received: number;
  /** Of the reader that has got least, and most, since the last reset. */
  readonly least: number;
  readonly most: number;
  /** Milliseconds from publish to receipt. */
  readonly p50: number;
  readonly p99: number;
  /** Readers whose events were not in order; and the number of the event that all readers have got to. */
  readonly broken: number;
  readonly reached: number;
}

interface Group {
  /** Whether no more are to be opened. */
  closed: boolean;
  readonly readers: Reader[];
  readonly sessions: ClientHttp2Session[];
  readonly tally: Tally;
}

interface InGroup {
  readonly group?: string;
}

/** Connections to open at a time: fewer than a backlog takes. */
const CONCURRENCY = 100;

const groups = new Map<string, Group>();

function groupOf({ group = 'all' }: InGroup): Group {
  const found = groups.get(group) ?? { closed: false, readers: [], sessions: [], tally: createTally() };
  groups.set(group, found);
  return found;
}

/** Calls `work` for 0 to `count - 1`, so many at a time. */
async function forEach(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  async function workOn(): Promise<void> {
    while (next < count) {
      next += 1;
      await work(next - 1);
    }
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, workOn));
}

async function open(wanted: OpenRequest): Promise<void> {
  const group = groupOf(wanted);
  const { readers, sessions, tally } = group;
  group.closed = false;
  const {
    count,
    port,
    path = '/',
    topics = 1,
    lastEventId,
    encoding,
    ordered = false,
    stalled = false,
    wire = 'http',
    streams = 1,
  } = wanted;
  const first = sessions.length;
  if (wire === 'http2') for (let i = 0; i < count; i += streams) sessions.push(openSession(port));
  await forEach(count, (n) => {
    if (group.closed) return Promise.resolve();
    const options = {
      port,
      path: path.replace('{n}', String(n % topics)),
      lastEventId,
      encoding,
      ordered,
      stalled,
      wire,
      session: sessions[first + Math.floor(n / streams)],
    };
    return new Promise((resolve, reject) => {
      const done = (error?: Error): void => (error === undefined ? resolve() : reject(error));
      readers.push(openReader(options, tally, done));
    });
  });
}

/** Connects and leaves again as soon as the stream has begun; every other time without a farewell. */
async function churn({ port, path = '/', count }: OpenRequest): Promise<void> {
  const tally = createTally();
  await forEach(count, (n) => {
    const options = { port, path, ordered: false, stalled: false, wire: 'http' as const };
    return new Promise((resolve, reject) => {
      const onOpen = (error?: Error): void => void (error !== undefined && reject(error));
      const reader = openReader(options, tally, onOpen, leave);
      function leave(): void {
        reader.leaving = true;
        reader.socket.once('close', () => resolve());
        if (n % 2 === 0) endWithReset(reader);
        else reader.socket.destroy();
      }
    });
  });
}

/** Resolves once each reader of the group has got so many events since the last reset. */
async function expect({ events, ...group }: InGroup & { events: number }): Promise<Counts> {
  const { readers, tally } = groupOf(group);
  tally.target = events;
  tally.complete = progress({ events, ...group });
  await new Promise<void>((resolve) => {
    tally.onComplete = () => void (tally.complete === readers.length && resolve());
    tally.onComplete();
  });
  return report(group);
}

function report(group: InGroup): Counts {
  const { readers, tally } = groupOf(group);
  if (tally.lost > 0) throw new Error(`${tally.lost} connections were ended by the subject.`);
  const { received, latency, samples } = tally;
  if (latency.count < samples * 0.9)
    throw new Error(`${latency.count} of ${samples} timestamps were readable.`);
  const [p50, p99] = latency.count === 0 ? [0, 0] : [latency.percentile(50), latency.percentile(99)];
  let [least, most, reached, broken] = [Infinity, 0, Infinity, 0];
  for (const reader of readers) {
    least = Math.min(least, reader.count);
    most = Math.max(most, reader.count);
    reached = Math.min(reached, reader.last);
    if (reader.broken > 0) broken += 1;
  }
  return { received, least, most, p50: p50 / 1000, p99: p99 / 1000, broken, reached };
}

/** How many readers have got so many events. */
function progress({ events, ...group }: InGroup & { events: number }): number {
  return groupOf(group).readers.filter(({ count }) => count >= events).length;
}

function reset({ every = 1, ...group }: InGroup & { every?: number }): void {
  const { readers, tally } = groupOf(group);
  resetTally(tally, every);
  for (const reader of readers) reader.count = 0;
}

function resume(group: InGroup): void {
  for (const reader of groupOf(group).readers) {
    reader.stalled = false;
    reader.socket.resume();
  }
}

/** With a reset, to keep no port waiting for a last packet. */
function close(group: InGroup): void {
  const { readers, sessions } = Object.assign(groupOf(group), { closed: true });
  for (const reader of readers.splice(0)) {
    reader.leaving = true;
    endWithReset(reader);
  }
  for (const session of sessions.splice(0)) session.destroy();
}

function endWithReset({ socket }: Reader): void {
  // A TLS socket has no reset of its own.
  if (socket instanceof Socket && !(socket instanceof TLSSocket)) socket.resetAndDestroy();
  else socket.destroy();
}

answerCommands({ open, churn, expect, progress, report, reset, resume, close });
