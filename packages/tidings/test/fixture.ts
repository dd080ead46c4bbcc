import type { HubOptions } from '../src/hub/options.ts';
import type { Retention } from '../src/log/retention.ts';
import type { TopicRule } from '../src/log/topic-rules.ts';
import { memoryLog } from '../src/logs/memory/index.ts';
import { type ManualClock, createManualClock } from '../src/testing/manual-clock.ts';
import {
  type EventLog,
  type Hub,
  type Matcher,
  type OwnConnection,
  createHub,
  createMatcherSet,
  gatewayOf,
} from './internals.ts';
import { type TurnedClock, inTurns } from './model/turns.ts';
import { Peer, type PeerOptions, settle } from './peer.ts';

export interface FixtureOptions extends Omit<HubOptions, 'clock' | 'log' | 'onError'> {
  readonly retention?: Retention;
  readonly topics?: readonly TopicRule[];
  /** The clock's; it has none by default. */
  readonly soon?: (task: () => void) => void;
  /** Puts something between the hub and its memory log. */
  readonly wrapLog?: (log: EventLog) => EventLog;
}

/** A hub on a memory log of the epoch `e`, on a clock that stands still. */
export interface Fixture {
  readonly hub: Hub;
  readonly clock: ManualClock;
  readonly log: EventLog;
  /** Errors that the hub passed to `onError`. */
  readonly failures: unknown[];
  /** A peer that is at the head, or as far as it can get, and has read all that was sent to it. */
  follow(options?: Partial<PeerOptions>, cursor?: string): Promise<Peer>;
  /** Publishes one event after another, each with its number as raw data. @returns the cursor of the last. */
  publish(topics: string | readonly string[], ...numbers: readonly number[]): Promise<string>;
}

export function startHub({
  retention = {},
  topics = [],
  soon,
  wrapLog = (log) => log,
  ...options
}: FixtureOptions = {}): Fixture {
  const clock = Object.assign(createManualClock(), soon && { soon });
  const log = wrapLog(memoryLog({ epoch: 'e', retention, topics, now: clock.now }));
  const failures: unknown[] = [];
  const hub = createHub({
    random: () => 0.5,
    ...options,
    clock,
    log,
    onError: (error) => failures.push(error),
  });
  return {
    hub,
    clock,
    log,
    failures,
    async follow(peerOptions, cursor) {
      const peer = new Peer({ topics: ['a'], ...peerOptions }).connect(hub, cursor);
      await settle();
      peer.receive();
      await settle();
      return peer;
    },
    async publish(topics, ...numbers) {
      let last = '';
      for (const number of numbers) last = (await hub.publish(topics, String(number), { raw: true })).cursor;
      return last;
    },
  };
}

/** Replaces some methods of a log, keeping its getters. */
export function withMethods(log: EventLog, methods: Partial<EventLog>): EventLog {
  const wrapped = Object.create(log) as EventLog;
  for (const [name, value] of Object.entries(methods)) Object.defineProperty(wrapped, name, { value });
  return wrapped;
}

/** A peer that only records its writes, as the same objects. */
export interface Recorder {
  readonly connection: OwnConnection;
  readonly writes: Uint8Array[];
  /** The last bytes, once the server has ended the stream. */
  end: string | undefined;
  destroyed: boolean;
  /** The return value of `write`. */
  takes: boolean;
  /** Called in each write, about once a second, at the end, when it is destroyed. */
  onWrite: () => void;
  onTend: () => void;
  onEnd: () => void;
  onDestroy: () => void;
  text(): string;
}

export interface RecorderOptions {
  readonly topics?: readonly Matcher[];
  readonly granted?: readonly Matcher[];
  readonly greeting?: string;
  /** Calls `closed` within `end`, as a transport does that has nothing to wait for. */
  readonly closesAtOnce?: boolean;
}

/** Connects a recorder. Settle to see its welcome. */
export function record(hub: Hub, options: RecorderOptions = {}): Recorder {
  const { topics = ['a'], granted = [], greeting = '', closesAtOnce = false } = options;
  const connection = gatewayOf(hub).admit({
    wanted: createMatcherSet(topics),
    granted: createMatcherSet(granted),
    start: 'head',
    reconnects: false,
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: 'recorder',
    protocol: 'test',
  });
  const writes: Uint8Array[] = [];
  const recorder: Recorder = {
    connection,
    writes,
    end: undefined,
    destroyed: false,
    takes: true,
    onWrite: () => {},
    onTend: () => {},
    onEnd: () => {},
    onDestroy: () => {},
    text: () => writes.map(decode).join(''),
  };
  const sink = {
    write(bytes: Uint8Array) {
      writes.push(bytes);
      recorder.onWrite();
      return recorder.takes;
    },
    tend: () => recorder.onTend(),
    end(bytes: Uint8Array) {
      recorder.end = decode(bytes);
      recorder.onEnd();
      if (closesAtOnce) connection.closed();
    },
    destroy() {
      recorder.destroyed = true;
      recorder.onDestroy();
    },
  };
  connection.open(sink, greeting);
  return recorder;
}

/** Connects recorders to a hub whose deferred tasks run one turn at a time. `time` is its clock without them. */
export async function recordMany(count: number): Promise<{
  readonly hub: Hub;
  readonly clock: TurnedClock;
  readonly time: ManualClock;
  readonly recorders: readonly Recorder[];
}> {
  const time = createManualClock();
  const clock = inTurns(time);
  const hub = createHub({ clock, log: memoryLog({ epoch: 'e', now: clock.now }) });
  const recorders = Array.from({ length: count }, () => record(hub));
  await settle();
  return { hub, clock, time, recorders };
}

export function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** The data of the events that aren't the protocol's own. */
export function dataOf(peer: Peer): string[] {
  return peer.received.map(({ data }) => data);
}

/** The data of the protocol's own events of a type. */
export function told(peer: Peer, type: 'welcome' | 'gap' | 'goodbye'): unknown[] {
  const events = peer.events.filter((event) => event.type === `tidings:${type}`);
  return events.map(({ data }) => JSON.parse(data) as unknown);
}
