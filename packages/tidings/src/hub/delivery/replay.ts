import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { type Matcher, matcherKey } from '../../protocol/matcher.ts';
import { type LogEntry, sizeOf } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import type { Page, PageLimit } from '../../log/page.ts';
import type { Retention } from '../../log/retention.ts';
import type { Clock } from '../clock.ts';
import { type SharedReplay, type Subscription, wants } from './subscription.ts';
import { looksFor } from './tuning.ts';
import type { Task, Turns } from './turns.ts';

/** Where a connection begins that asked for everything after its cursor. */
export interface Replay {
  /** The cursor, or a later seq if more matching events come after the cursor than the bounds allow. */
  readonly seq: number;
  /** The matchers that have events in between, which the connection doesn't get. */
  readonly skipped: readonly Matcher[];
}

/** The parts of a hub that decide how far back a connection may begin. */
export interface ReplaySource {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly turns: Turns;
  /** The most that one connection gets of what it missed. */
  readonly replay: Required<Retention>;
}

/**
 * The most events looked at in vain for one connection: those that it doesn't want or may not read, and those that are
 * looked at only to say which topics have a gap. Entries beyond that count as skipped.
 */
const MAX_LOOKS = 100_000;

/** UTF-16 units of a page, which is looked through in one go. */
const PAGE_LENGTH = 65_536;

/**
 * How far back a connection of this subscription may begin. Connections with the same cursor share the answer until the
 * next append. Once no connection that `isWaiting` speaks for is left, the search ends without an answer.
 */
export function boundReplay(
  source: ReplaySource,
  subscription: Subscription,
  after: number,
  isWaiting: () => boolean,
): Replay | Promise<Replay> {
  if (fits(source, after)) return { seq: after, skipped: [] };
  const { epoch, head } = source.log.tail;
  const last = subscription.lastReplay;
  if (last?.after === after && last.head === head && last.epoch === epoch) {
    last.waiting?.push(isWaiting);
    return last.replay;
  }
  const { promise: replay, resolve, reject } = promiseOf<Replay>();
  const shared: SharedReplay = { epoch, head, after, replay, waiting: [isWaiting] };
  // Those that ask later ask anew.
  const forget = (): void => {
    if (subscription.lastReplay === shared) subscription.lastReplay = undefined;
  };
  const search = new ReplaySearch(source, subscription, after, {
    resolve(found) {
      shared.waiting = undefined;
      resolve(found);
    },
    reject(error) {
      forget();
      reject(error);
    },
    isAwaited() {
      const { waiting = [] } = shared;
      while (waiting.length > 0 && waiting.at(-1)?.() === false) waiting.pop();
      if (waiting.length === 0) forget();
      return waiting.length > 0;
    },
  });
  if (subscription.receivers > 1) subscription.lastReplay = shared;
  source.turns.take(search);
  return replay;
}

/** As `Promise.withResolvers`, which Node 20 lacks. */
function promiseOf<T>(): { promise: Promise<T> } & Pick<Answer<T>, 'resolve' | 'reject'> {
  let answer: Pick<Answer<T>, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    answer = { resolve, reject };
  });
  return { promise, ...(answer as unknown as Pick<Answer<T>, 'resolve' | 'reject'>) };
}

/** Whether all events after the cursor are within the bounds, whatever matches. */
function fits({ log: { tail }, replay: { events, bytes, age } }: ReplaySource, after: number): boolean {
  if (after >= tail.head) return true;
  const isSmall = bytes === Infinity || (after >= tail.floor && tail.bytes <= bytes);
  return tail.head - after <= events && isSmall && age === Infinity;
}

interface Answer<T> {
  resolve(this: void, found: T): void;
  reject(this: void, error: unknown): void;
  /** Whether anybody still waits for it. */
  isAwaited(this: void): boolean;
}

/**
 * Counts matching events from the head backwards until one of them is beyond the bounds, and then finds out which
 * matchers have events between the cursor and there. One page in each step, in turns with all that catch up.
 */
class ReplaySearch implements Task {
  readonly #source: ReplaySource;
  readonly #subscription: Subscription;
  readonly #after: number;
  readonly #answer: Answer<Replay>;
  readonly #oldest: number;
  /** The matchers to look for: all of them at first; later those of which no skipped event is known. */
  #wanted: MatcherSet;
  readonly #skipped = new Set<string>();
  #before: number;
  #events = 0;
  #bytes = 0;
  /** Events looked at in vain so far. */
  #looks = 0;
  /** The newest event beyond the bounds: the connection begins after it. */
  #end: number | undefined;
  /** Was read, and is to be counted in the next step. */
  #page: Page | undefined;

  constructor(source: ReplaySource, subscription: Subscription, after: number, answer: Answer<Replay>) {
    const { clock, log, replay } = source;
    this.#source = source;
    this.#subscription = subscription;
    this.#after = after;
    this.#answer = answer;
    this.#oldest = clock.now() - replay.age;
    this.#wanted = subscription.wanted;
    this.#before = log.tail.head + 1;
  }

  step(): 'more' | 'done' {
    if (!this.#answer.isAwaited()) return 'done';
    const page = this.#page;
    if (page === undefined) return this.#read();
    this.#page = undefined;
    for (const entry of page.entries) this.#take(entry);
    this.#before = page.next;
    if (this.#before <= this.#after + 1 || this.#knowsAll || this.#looks >= MAX_LOOKS) return this.#finish();
    this.#narrow();
    return 'more';
  }

  #read(): 'more' | 'done' {
    const { log, turns } = this.#source;
    const { tail } = log;
    const subscription = this.#subscription;
    const matchers = this.#wanted;
    const limit: PageLimit = { events: 1000, length: PAGE_LENGTH, looks: looksFor(matchers) };
    const wantsEntry = (entry: LogEntry): boolean => {
      this.#looks += 1;
      return wants(subscription, entry) && matchers.matches(entry.topics);
    };
    // Without asking the log, as far as the tail has the events.
    if (this.#before > tail.floor + 1) {
      const after = Math.max(this.#after, tail.floor);
      this.#page = tail.readBack(this.#before, after, wantsEntry, limit, matchers);
      return 'more';
    }
    log.read({ after: this.#after, before: this.#before, wants: wantsEntry, matchers, limit }).then(
      (page) => {
        this.#page = page;
        turns.take(this);
      },
      (error: unknown) => this.#answer.reject(error),
    );
    return 'done';
  }

  #take(entry: LogEntry): void {
    if (this.#end === undefined && this.#fits(entry)) {
      this.#looks -= 1;
      return;
    }
    this.#end ??= entry.seq;
    for (const topic of entry.topics) if (this.#wanted.topics.has(topic)) this.#skipped.add(topic);
    for (const compiled of this.#wanted.patterns) {
      const { pattern } = compiled;
      if (entry.topics.some((topic) => compiled.matches(topic))) this.#skipped.add(matcherKey({ pattern }));
    }
  }

  #fits(entry: LogEntry): boolean {
    const { events, bytes } = this.#source.replay;
    this.#events += 1;
    this.#bytes += sizeOf(entry);
    return this.#events <= events && this.#bytes <= bytes && entry.time >= this.#oldest;
  }

  get #knowsAll(): boolean {
    const { topics, patterns } = this.#subscription.wanted;
    return this.#skipped.size === topics.size + patterns.length;
  }

  /** Goes on without the matchers that are known to have a gap. Not after each page: an index is then asked anew. */
  #narrow(): void {
    const { matchers } = this.#wanted;
    const rest = matchers.filter((matcher) => !this.#skipped.has(matcherKey(matcher)));
    if (rest.length <= matchers.length / 2) this.#wanted = createMatcherSet(rest);
  }

  #finish(): 'done' {
    const { matchers } = this.#subscription.wanted;
    const isAtCursor = this.#before <= this.#after + 1;
    if (!isAtCursor) this.#end ??= this.#before - 1;
    if (this.#end === undefined) {
      this.#answer.resolve({ seq: this.#after, skipped: [] });
    } else {
      const isKnown = isAtCursor || this.#knowsAll;
      const skipped = matchers.filter((matcher) => !isKnown || this.#skipped.has(matcherKey(matcher)));
      this.#answer.resolve({ seq: this.#end, skipped });
    }
    return 'done';
  }
}
