import { type EventLog, type Gap, type Hub, type MatcherSet, createMatcherSet } from '../internals.ts';
import { Peer, type PeerEvent } from '../peer.ts';
import type { Retention } from '../../src/log/retention.ts';
import type { Tuning } from '../../src/hub/delivery/tuning.ts';
import { startHub } from '../../src/hub/hub.ts';
import type { Action, PublishedEvent } from './actions.ts';
import type { TurnedClock } from './turns.ts';

export interface LogUnderTest {
  readonly openLog: () => EventLog | Promise<EventLog>;
  /** How many processes have the log open, each with a hub of its own. Default 1. */
  readonly processes?: number;
  /** Milliseconds. */
  readonly flushWindow: number;
  /** Whether events can come and go between a question to the log and its answer. */
  readonly answersLate?: boolean;
  /** How much a connection gets of what it missed. Default: everything. */
  readonly replay?: Retention | undefined;
  /** Whether a restart takes the log along. */
  readonly volatile: boolean;
  /** Waits until all that the log has been asked for is done. */
  readonly settle: () => Promise<void>;
}

/** An event the model knows to be in the log; its index in `World.events` is its order. */
interface KnownEvent extends PublishedEvent {
  readonly cursor: string;
  readonly data: string;
}

/** A hub and its log. */
interface Server {
  readonly hub: Hub;
  readonly log: EventLog;
}

interface Follower {
  readonly peer: Peer;
  /** The server that it is connected to, or was: it comes back to the next one. */
  server: number;
  /** How many events there were when it first got a cursor: it must get all later ones. */
  owedFrom: number;
  /** Cursors of events that were gone before it asked for the earliest. */
  readonly notOwed: ReadonlySet<string>;
  /** Whether it has a cursor, which it keeps over drops. It has none before its first welcome. */
  placed: boolean;
  /** For each event that the peer has read: how many were published at that moment. */
  readonly readAt: number[];
}

const ALL_OWED: ReadonlySet<string> = new Set();

/** A hub, or several on one log, with its peers, and a plain list of all events to derive what each peer must get. */
export class World {
  readonly #log: LogUnderTest;
  readonly #clock: TurnedClock;
  readonly #tuning: Tuning;
  readonly #events: KnownEvent[] = [];
  readonly #followers: Follower[] = [];
  readonly #failures: unknown[] = [];
  readonly #servers: Server[] = [];
  #restarts = 0;

  constructor(log: LogUnderTest, clock: TurnedClock, tuning: Tuning) {
    this.#tuning = tuning;
    this.#log = log;
    this.#clock = clock;
  }

  async act(action: Action): Promise<void> {
    await this.#startAll();
    const follower = 'peer' in action ? this.#followers[action.peer % this.#followers.length] : undefined;
    switch (action.do) {
      case 'publish':
        await this.#publish(action.events);
        break;
      case 'connect':
        await this.#connect(action);
        break;
      case 'receive':
        follower?.peer.receive(action.bytes);
        break;
      case 'drop':
        follower?.peer.drop();
        break;
      case 'reconnect':
        await this.#reconnect(follower);
        break;
      case 'disconnect':
        for (const { hub } of this.#servers)
          hub.disconnect(({ id }) => id === follower?.peer.connection?.info.id);
        break;
      case 'tick':
        this.#clock.tick();
        break;
      case 'turn':
        this.#clock.turn();
        break;
      case 'advance':
        this.#clock.advance(action.milliseconds);
        break;
      case 'restart':
        await this.#restart();
        break;
    }
    // Half of all faults happen between a promise and its continuation.
    if (action.do !== 'publish') await this.#log.settle();
  }

  /** Lets every peer come back and read to the end, then compares with the expected events. */
  async finish(): Promise<void> {
    await this.#startAll();
    for (const follower of this.#followers) await this.#reconnect(follower);
    const ready = ({ peer }: Follower): boolean =>
      peer.connection?.info.phase === 'live' && peer.inFlight === 0;
    for (let round = 0; round < 500; round += 1) {
      for (const { log } of this.#servers) await log.catchUp();
      this.#clock.advance(this.#log.flushWindow);
      await this.#log.settle();
      for (const { peer } of this.#followers) peer.receive();
      for (const follower of this.#followers) await this.#reconnect(follower);
      // Room for more is used in a turn of its own.
      this.#clock.tick();
      await this.#log.settle();
      if (this.#followers.every(ready)) break;
    }
    for (const follower of this.#followers) {
      if (!ready(follower))
        throw new Error(`a peer never got to the head: ${follower.peer.connection?.info.phase}`);
      this.#judge(follower);
    }
    if (this.#failures.length > 0) throw new Error('the hub reported failures', { cause: this.#failures });
    for (const { peer } of this.#followers) peer.drop();
    for (const { hub } of this.#servers) {
      if (hub.connections().length > 0) throw new Error('connections are left');
      await hub.close();
    }
    if (this.#clock.timers > 0) throw new Error('timers are left');
  }

  async #startAll(): Promise<void> {
    for (let i = this.#servers.length; i < (this.#log.processes ?? 1); i += 1)
      this.#servers.push(await this.#start());
  }

  async #start(): Promise<Server> {
    const log = await this.#log.openLog();
    const hub = startHub(
      {
        log,
        clock: this.#clock,
        heartbeat: 2000,
        flushWindow: this.#log.flushWindow,
        stallTimeout: 30_000,
        maxLifetime: 100_000,
        replay: this.#log.replay ?? {},
        random: () => 0.5,
        onError: (error) => this.#failures.push(error),
      },
      this.#tuning,
    );
    return { hub, log };
  }

  #server(index: number): Server {
    const server = this.#servers[index % this.#servers.length];
    if (server === undefined) throw new Error('no server runs');
    return server;
  }

  async #publish(events: readonly PublishedEvent[]): Promise<void> {
    const { hub } = this.#server(this.#events.length);
    const inputs = events.map((event, i) => ({
      ...event,
      data: `${this.#events.length + i}:${'x'.repeat(event.size)}`,
    }));
    const published = await hub.publishAll(inputs.map(({ size: _, ...input }) => ({ ...input, raw: true })));
    for (const [i, input] of inputs.entries()) {
      this.#events.push({ ...input, cursor: published[i]?.cursor ?? '' });
    }
  }

  async #connect(action: Extract<Action, { do: 'connect' }>): Promise<void> {
    const { topics, granted, capacity, from } = action;
    if (this.#followers.length >= 8) return;
    const server = this.#followers.length;
    const { hub, log } = this.#server(server);
    // Where a hub begins, and so which events it must deliver, is known only if it is up to date.
    await log.catchUp();
    const readAt: number[] = [];
    const peer = new Peer({ topics, granted, capacity, onEvent: () => readAt.push(this.#events.length) });
    peer.connect(hub, from === 'earliest' ? 'earliest' : undefined);
    const notOwed = from === 'earliest' ? await this.#taken(log) : ALL_OWED;
    const owedFrom = from === 'earliest' ? 0 : this.#events.length;
    this.#followers.push({ peer, server, owedFrom, notOwed, placed: false, readAt });
  }

  /** Cursors of events that retention has taken by now, or a restart. */
  async #taken(log: EventLog): Promise<Set<string>> {
    const taken = new Set(this.#events.map(({ cursor }) => cursor));
    const everything = createMatcherSet([{ pattern: '*' }]);
    for (let after = 0; after < log.tail.head;) {
      const limit = { events: 100, length: 1e9 };
      const page = await log.read({ after, wants: () => true, matchers: everything, limit });
      for (const { seq } of page.entries) taken.delete(`${log.tail.epoch}.${seq}`);
      after = page.next;
    }
    return taken;
  }

  async #reconnect(follower: Follower | undefined): Promise<void> {
    if (follower === undefined || follower.peer.connection !== undefined) return;
    follower.placed ||= (follower.peer.lastEventId ?? '') !== '';
    follower.server += 1;
    const { hub, log } = this.#server(follower.server);
    // A peer that never got a cursor begins anew, at the head.
    if (!follower.placed) {
      await log.catchUp();
      follower.owedFrom = this.#events.length;
    }
    follower.peer.connect(hub);
  }

  /** Like a crash of one process: bytes in flight are lost. */
  async #restart(): Promise<void> {
    const index = (this.#restarts += 1) % this.#servers.length;
    for (const { peer, server } of this.#followers) if (server % this.#servers.length === index) peer.drop();
    await this.#server(index).hub.close();
    this.#servers[index] = await this.#start();
  }

  #judge({ peer, owedFrom, notOwed, readAt }: Follower): void {
    const wanted = createMatcherSet(peer.options.topics);
    const granted = createMatcherSet(peer.options.granted ?? []);
    const mayRead = (event: KnownEvent): boolean =>
      wanted.matches(event.topics) && (!event.private || granted.matches(event.topics));
    const place = new Map(this.#events.map((event, i) => [event.data, i]));
    let next = owedFrom;
    /** The gap notices, and how many events there were when they were read: later losses need their own. */
    const excuses: { readonly lost: MatcherSet; readonly until: number }[] = [];
    // `earliest` gives the events that are left when the answer comes.
    const isLate = this.#log.answersLate === true && notOwed !== ALL_OWED;
    if (isLate) excuses.push({ lost: createMatcherSet([{ pattern: '*' }]), until: readAt[0] ?? 0 });
    const skipTo = (end: number): void => {
      for (; next < end; next += 1) {
        const missed = this.#events[next];
        if (missed === undefined || !mayRead(missed) || notOwed.has(missed.cursor)) continue;
        if (excuses.some(({ lost, until }) => next < until && lost.matches(missed.topics))) continue;
        throw new Error(`missing without a gap notice: ${missed.cursor} on ${missed.topics.join()}`);
      }
    };
    for (const [i, event] of peer.events.entries()) {
      const gaps = gapsIn(event);
      if (!this.#log.volatile && gaps.some(({ reason }) => reason !== 'trimmed'))
        throw new Error('a known cursor was refused');
      const lost = gaps.flatMap(({ topics }) => topics);
      if (lost.length > 0) excuses.push({ lost: createMatcherSet(lost), until: readAt[i] ?? 0 });
      if (event.type.startsWith('tidings:')) continue;
      const at = place.get(event.data);
      const known = at === undefined ? undefined : this.#events[at];
      if (at === undefined || known === undefined)
        throw new Error(`never published: ${event.data.slice(0, 20)}`);
      if (at < next) throw new Error(`twice or out of order: ${known.cursor}`);
      if (event.id !== known.cursor) throw new Error(`cursor ${event.id} instead of ${known.cursor}`);
      if (!mayRead(known)) throw new Error(`not for this peer: ${known.cursor}`);
      skipTo(at);
      next = at + 1;
    }
    skipTo(this.#events.length);
  }
}

function gapsIn(event: PeerEvent): readonly Gap[] {
  if (event.type !== 'tidings:welcome' && event.type !== 'tidings:gap') return [];
  return (JSON.parse(event.data) as { gaps: readonly Gap[] }).gaps;
}
