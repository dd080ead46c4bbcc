import { type EventLog, Hub, type Matcher, createMatcherSet } from '../internals.ts';
import { Peer, type PeerEvent, settle } from '../peer.ts';
import type { ManualClock } from '../../src/testing/manual-clock.ts';
import type { Action, PublishedEvent } from './actions.ts';

export interface LogUnderTest {
  readonly openLog: () => EventLog | Promise<EventLog>;
  /** Whether a log opened after a restart still has the events. */
  readonly durable: boolean;
  /** Milliseconds. */
  readonly flushWindow: number;
}

/** An event the model knows to be in the log; its place in `World.events` is the order of all. */
interface KnownEvent extends PublishedEvent {
  readonly cursor: string;
  readonly data: string;
}

interface Follower {
  readonly peer: Peer;
  /** How many events there were when it first took its place: it is owed those after. */
  owedFrom: number;
  /** Whether it has a place, which it keeps over drops. Until the welcome came through, it has none. */
  placed: boolean;
}

/** A hub and its peers, beside the plain list of all events that says what each peer must get. */
export class World {
  readonly #log: LogUnderTest;
  readonly #clock: ManualClock;
  readonly #events: KnownEvent[] = [];
  readonly #followers: Follower[] = [];
  readonly #failures: unknown[] = [];
  #hub: Hub | undefined;
  #openLog: EventLog | undefined;

  constructor(log: LogUnderTest, clock: ManualClock) {
    this.#log = log;
    this.#clock = clock;
  }

  async act(action: Action): Promise<void> {
    const hub = (this.#hub ??= await this.#start());
    const follower = 'peer' in action ? this.#followers[action.peer % this.#followers.length] : undefined;
    switch (action.do) {
      case 'publish':
        await this.#publish(hub, action.events);
        break;
      case 'connect':
        this.#connect(hub, action);
        break;
      case 'receive':
        follower?.peer.receive(action.bytes);
        break;
      case 'drop':
        follower?.peer.drop();
        break;
      case 'reconnect':
        this.#reconnect(hub, follower);
        break;
      case 'disconnect':
        hub.disconnect(({ id }) => id === follower?.peer.connection?.id);
        break;
      case 'tick':
        this.#clock.tick();
        break;
      case 'advance':
        this.#clock.advance(action.milliseconds);
        break;
      case 'restart':
        await this.#restart();
        break;
    }
    // Half of what can go wrong is in what happens between a promise and its continuation.
    if (action.do !== 'publish') await settle();
  }

  /** Lets every peer come back and read to the end, then compares with what it was owed. */
  async finish(): Promise<void> {
    const hub = (this.#hub ??= await this.#start());
    for (const follower of this.#followers) this.#reconnect(hub, follower);
    const ready = ({ peer }: Follower): boolean => peer.connection?.state === 'live' && peer.inFlight === 0;
    for (let round = 0; round < 500; round += 1) {
      this.#clock.advance(this.#log.flushWindow);
      await settle();
      for (const { peer } of this.#followers) peer.receive();
      for (const follower of this.#followers) this.#reconnect(hub, follower);
      if (this.#followers.every(ready)) break;
    }
    for (const follower of this.#followers) {
      if (!ready(follower)) throw new Error(`a peer never got to the head: ${follower.peer.connection?.state}`);
      this.#judge(follower);
    }
    if (this.#failures.length > 0) throw new Error('the hub reported failures', { cause: this.#failures });
    for (const { peer } of this.#followers) peer.drop();
    if (hub.connections().length > 0) throw new Error('connections are left');
    await hub.close();
    if (this.#clock.timers > 0) throw new Error('timers are left');
  }

  async #start(): Promise<Hub> {
    this.#openLog = await this.#log.openLog();
    return new Hub({
      log: this.#openLog,
      clock: this.#clock,
      heartbeat: 2000,
      flushWindow: this.#log.flushWindow,
      stallTimeout: 30_000,
      maxLifetime: 100_000,
      random: () => 0.5,
      onError: (error) => this.#failures.push(error),
    });
  }

  async #publish(hub: Hub, events: readonly PublishedEvent[]): Promise<void> {
    const inputs = events.map((event, i) => ({ ...event, data: `${this.#events.length + i}:${'x'.repeat(event.size)}` }));
    const published = await hub.publishAll(inputs.map((input) => ({ ...input, raw: true })));
    for (const [i, input] of inputs.entries()) {
      this.#events.push({ ...input, cursor: published[i]?.cursor ?? '' });
    }
  }

  #connect(hub: Hub, { topics, granted, capacity, from }: Extract<Action, { do: 'connect' }>): void {
    if (this.#followers.length >= 8) return;
    const peer = new Peer({ topics, granted, capacity });
    peer.connect(hub, from === 'earliest' ? 'earliest' : undefined);
    // What retention had taken by then was not asked for.
    const retained = this.#openLog === undefined ? 0 : this.#openLog.tail.head - this.#openLog.floor;
    const owedFrom = this.#events.length - (from === 'head' ? 0 : retained);
    this.#followers.push({ peer, owedFrom, placed: false });
  }

  #reconnect(hub: Hub, follower: Follower | undefined): void {
    if (follower === undefined || follower.peer.connection !== undefined) return;
    follower.placed ||= follower.peer.lastEventId !== undefined;
    // Who never got a cursor begins anew, at the head.
    if (!follower.placed) follower.owedFrom = this.#events.length;
    follower.peer.connect(hub);
  }

  /** As a crash does it: what was in flight is lost. */
  async #restart(): Promise<void> {
    for (const { peer } of this.#followers) peer.drop();
    await this.#hub?.close();
    this.#hub = undefined;
    this.#hub = await this.#start();
  }

  #judge({ peer, owedFrom }: Follower): void {
    const wanted = createMatcherSet(peer.options.topics);
    const granted = createMatcherSet(peer.options.granted ?? []);
    const mayRead = (event: KnownEvent): boolean =>
      wanted.matches(event.topics) && (!event.private || granted.matches(event.topics));
    const place = new Map(this.#events.map((event, i) => [event.data, i]));
    let next = owedFrom;
    let excused = createMatcherSet([]);
    const skipTo = (end: number): void => {
      for (; next < end; next += 1) {
        const missed = this.#events[next];
        if (missed === undefined || !mayRead(missed) || excused.matches(missed.topics)) continue;
        throw new Error(`missing without a gap notice: ${missed.cursor} on ${missed.topics.join()}`);
      }
    };
    for (const event of peer.events) {
      const gaps = gapsIn(event);
      if (gaps.length > 0) excused = createMatcherSet([...excused.matchers, ...gaps]);
      if (event.type.startsWith('tidings:')) continue;
      const at = place.get(event.data);
      const known = at === undefined ? undefined : this.#events[at];
      if (at === undefined || known === undefined) throw new Error(`never published: ${event.data.slice(0, 20)}`);
      if (at < next) throw new Error(`twice or out of order: ${known.cursor}`);
      if (event.id !== known.cursor) throw new Error(`cursor ${event.id} instead of ${known.cursor}`);
      if (!mayRead(known)) throw new Error(`not for this peer: ${known.cursor}`);
      skipTo(at);
      next = at + 1;
      // A notice tells of what lies before the next event; later losses need a notice of their own.
      excused = createMatcherSet([]);
    }
    skipTo(this.#events.length);
  }
}

function gapsIn(event: PeerEvent): readonly Matcher[] {
  if (event.type !== 'tidings:welcome' && event.type !== 'tidings:gap') return [];
  const { gaps } = JSON.parse(event.data) as { gaps: readonly { topics: readonly Matcher[] }[] };
  return gaps.flatMap(({ topics }) => topics);
}
