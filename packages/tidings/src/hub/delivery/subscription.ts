import type { LogEntry } from '../../log/entry.ts';
import { PRESENCE_PREFIX } from '../../protocol/matcher.ts';
import type { MatcherSet } from '../../protocol/matcher-set.ts';
import type { Format } from './format.ts';
import { RecentPages } from './recent-pages.ts';
import type { Replay } from './replay.ts';
import type { Output } from './sink.ts';
import { TopicIndex } from './topic-index.ts';

/** A connection, as fan-out sees it. */
export interface Receiver {
  /**
   * Hands over the output of a flush, which brings the receiver up to `seq`. `now`: the clock's monotonic time.
   * Records nothing per receiver: every extra object a write touches costs a few percent (`fanout`). The
   * subscription's `pushed` counts the bytes given to its live receivers.
   */
  push(output: Output, seq: number, now: number): void;
  /** Ends it: its events can't be encoded. */
  fail(error: unknown): void;
  /** Grows with each receiver that goes live; the lower one is pushed to first. */
  readonly order: number;
}

/**
 * The topics that one or many connections ask for and may read. Equal connections share a subscription: an event is
 * matched, and a flush's output is put together, once for all of them.
 */
export interface Subscription {
  readonly key: string;
  readonly wanted: MatcherSet;
  /** The topics granted by name, which private events need. */
  readonly granted: MatcherSet;
  readonly format: Format;
  /** The receivers that have everything up to the last flush: new events are pushed to them. By `order`. */
  readonly live: Set<Receiver>;
  /** Bytes and events pushed to each of the live receivers, and when last, by the clock's monotonic time. */
  readonly pushed: { bytes: number; events: number; at: number };
  /** How many receivers there are, live or behind. */
  receivers: number;
  /** The entries that the next flush has for the receivers. */
  batch: LogEntry[];
  /** The page of a snapshot read last, for the next receiver at the same cursor. */
  lastStates: SharedStates | undefined;
  /** Where connections with the same cursor begin. */
  lastReplay: SharedReplay | undefined;
}

export interface SharedPage {
  readonly after: number;
  /** The tail's when it was read: a newer event may supersede some of the page's. */
  readonly head: number;
  /** Everything up to here was looked at. */
  readonly next: number;
  readonly output: Output | undefined;
  readonly events: number;
}

/** A page of a snapshot, or the promise of one: many connections that come at once ask the log once. */
export interface SharedStates {
  /** The matchers that it is of, as the `key` of their set. */
  readonly key: string;
  readonly after: number;
  readonly until: number;
  /** The log's head when it was asked: states may have changed since. */
  readonly head: number;
  /** Encodes the page, at the first call. */
  readonly page: Promise<() => SharedPage>;
}

/** The answer for one cursor, until the next append. */
export interface SharedReplay {
  readonly epoch: string;
  readonly head: number;
  readonly after: number;
  readonly replay: Promise<Replay>;
  /** Say whether their connections still wait for it; undefined once it is there. */
  waiting: (() => boolean)[] | undefined;
}

/** The fields of an entry that decide who gets it. */
export type Addressed = Pick<LogEntry, 'topics' | 'private'>;

/** Whether an event is for the subscription. Live and replayed delivery both ask here. */
export function wants(subscription: Subscription, entry: Addressed): boolean {
  return subscription.wanted.matches(entry.topics) && mayRead(subscription, entry);
}

/**
 * Private events need a grant by name. So does presence if the subscriber asks by a pattern: `presence/*`, or `*`,
 * would reveal who is in every room. Asking for one room by its name is allowed unless the app refuses it.
 */
export function mayRead(subscription: Subscription, entry: Addressed): boolean {
  const isOpen =
    !entry.private &&
    (!entry.topics[0].startsWith(PRESENCE_PREFIX) || subscription.wanted.topics.has(entry.topics[0]));
  return isOpen || subscription.granted.matches(entry.topics);
}

/** All subscriptions, by their topics and grants. */
export class Subscriptions {
  readonly index: TopicIndex<Subscription> = new TopicIndex();
  readonly pages: RecentPages;
  readonly #byKey = new Map<string, Subscription>();

  constructor(pages: RecentPages = new RecentPages()) {
    this.pages = pages;
  }

  get size(): number {
    return this.#byKey.size;
  }

  values(): Iterable<Subscription> {
    return this.#byKey.values();
  }

  /** Finds or makes the subscription, and counts the caller as a receiver. */
  join(wanted: MatcherSet, granted: MatcherSet, format: Format): Subscription {
    const key = `${format.name}\n${wanted.key}\n\n${granted.key}`;
    let subscription = this.#byKey.get(key);
    if (subscription === undefined) {
      subscription = {
        key,
        wanted,
        granted,
        format: format.forTopics?.(wanted, granted) ?? format,
        live: new Set(),
        pushed: { bytes: 0, events: 0, at: 0 },
        receivers: 0,
        batch: [],
        lastStates: undefined,
        lastReplay: undefined,
      };
      this.#byKey.set(key, subscription);
      this.index.add(subscription);
    }
    subscription.receivers += 1;
    return subscription;
  }

  leave(subscription: Subscription, receiver: Receiver): void {
    subscription.live.delete(receiver);
    subscription.receivers -= 1;
    if (subscription.receivers > 0) return;
    this.#byKey.delete(subscription.key);
    this.index.remove(subscription);
    this.pages.drop(subscription);
  }
}
