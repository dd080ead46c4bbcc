import type { Cursor } from '../../protocol/cursor.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { boundsOf } from '../../log/topic-rules.ts';
import { HIDDEN_PREFIX } from '../../protocol/matcher.ts';
import { type Subscription, type Subscriptions, mayRead, wants } from '../delivery/subscription.ts';
import type { Clock } from '../clock.ts';
import { HUB_TOPICS, hubEvent } from './hub-topics.ts';
import type { LedgerReader } from './ledger.ts';

/** A lost event: no more of it than decides who may have received it. */
interface LostEvent {
  readonly topics: readonly [string, ...string[]];
  readonly private: boolean;
  /** A cursor beyond this seq may have received it, or one that it superseded. */
  readonly after: number;
}

/** The events that the log lost when an epoch ended, as far as a hub had received them. */
interface LostEnd {
  readonly epoch: string;
  /** Lost is what comes after it, and known up to `until`. */
  readonly end: number;
  readonly until: number;
  readonly events: readonly LostEvent[];
}

/** The same, to be asked by thousands of subscribers in one turn. */
interface IndexedEnd extends LostEnd {
  readonly byTopic: ReadonlyMap<string, readonly LostEvent[]>;
}

export interface LostEndsOptions {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly subscriptions: Subscriptions;
  readonly append: (event: NewEvent) => Promise<unknown>;
  readonly report: (error: unknown) => void;
}

/**
 * Ends of which a hub doesn't know everything, or that have more events, are not remembered: then every cursor beyond the
 * place where the log now ends gets a gap. Other hubs don't hear of an end that takes more characters.
 */
const MAX_EVENTS = 1000;
const MAX_LENGTH = 65_536;
/** How many are remembered, and for how long, in milliseconds: clients that come later get a gap. */
const MAX_ENDS = 20;
const STANDS = 86_400_000;
/** Milliseconds after a hub began, or its log lost its end, in which others may still tell what they know. */
const TELLING = 5000;
/** Milliseconds before another try when the log has failed. */
const RETRY = 500;
/** The most pairs of a lost event and a subscriber to look at in one turn of the event loop; it takes some milliseconds. */
const MAX_LOOKS = 10_000;
/** Patterns to compare with a topic that nobody has looked up lately, in the time of a look. */
const PATTERNS_A_LOOK = 50;
/** Milliseconds after which looks for all subscribers at once are given up: patterns differ in what they cost. */
const MOST_TIME = 4;

/**
 * Knows which subscribers may have received an event that the log has lost since. A cursor alone doesn't tell: it also
 * moves past events of other topics. Hubs tell each other, for clients that come back to another one.
 */
export class LostEnds implements LedgerReader {
  readonly #options: LostEndsOptions;
  #ends = new Map<string, IndexedEnd>();
  /** Those of this hub that are not on the log yet. */
  #untold: IndexedEnd[] = [];
  /** Up to which seq the tail may lack events that other hubs have given out. */
  #missedUntil = 0;
  /** The newest seq that retention took: the tail lacks its event, too. */
  #newestLoss = 0;
  #isMissing = false;
  #stopped = false;
  /** Of the looks that this turn may take. */
  #looksLeft = MAX_LOOKS;
  /** Those that wait for a later turn. */
  readonly #resting = new Set<{ readonly looks: number; readonly resolve: () => void }>();
  /** The clock's monotonic time until which other hubs may tell more. */
  #telling: number;
  /** Settles with the next record, or at that time; there is one while somebody waits for it. */
  #news: { readonly promise: Promise<void>; readonly tell: () => void } | undefined;

  constructor(options: LostEndsOptions) {
    this.#options = options;
    this.#telling = options.clock.monotonic() + TELLING;
    const { tail } = options.log;
    tail.onMiss((topics) => {
      this.#isMissing ||= topics === undefined || topics.some((topic) => !topic.startsWith(HIDDEN_PREFIX));
    });
    tail.onPush((entries) => {
      this.#newestLoss = Math.max(this.#newestLoss, options.log.newestLoss);
      if (!this.#isMissing) return;
      this.#isMissing = false;
      this.#missedUntil = entries.at(-1)?.seq ?? 0;
    });
  }

  /**
   * Takes note of the tail's entries after `end`, which the log has lost. The tail is about to go back there.
   *
   * @returns for each subscription that gets any of them, the cursor beyond which its connections have; undefined if only
   * the log could tell, which has lost them.
   */
  note(end: number, lost: readonly LogEntry[]): ReadonlyMap<Subscription, number> | undefined {
    const { log, subscriptions, clock } = this.#options;
    this.#telling = clock.monotonic() + TELLING;
    const { epoch, head, floor } = log.tail;
    const isWhole = !this.#isMissing && this.#missedUntil <= end;
    const isKnown = isWhole && floor <= end && Math.max(this.#newestLoss, log.newestLoss) <= end;
    this.#isMissing = false;
    this.#missedUntil = 0;
    this.#newestLoss = 0;
    if (!isKnown) return undefined;
    const events = byAddress(
      lost.map((entry) => ({
        topics: entry.topics,
        private: entry.private,
        after: this.#mayBeOneOfSeveral(entry) ? end : entry.seq - 1,
      })),
    );
    const toTell = events.filter(({ topics }) => !topics[0].startsWith(HIDDEN_PREFIX));
    if (toTell.length <= MAX_EVENTS) {
      const lostEnd = toIndexed({ epoch, end, until: head, events: toTell });
      if (this.#add(lostEnd)) this.#untold.push(lostEnd);
    }
    const concerned = new Map<Subscription, number>();
    let looks = 0;
    const latest = clock.monotonic() + MOST_TIME;
    for (const event of events) {
      looks += 1 + subscriptions.index.patterns / PATTERNS_A_LOOK;
      for (const subscription of subscriptions.index.match(event.topics)) {
        looks += 1;
        if (mayRead(subscription, event))
          concerned.set(subscription, Math.min(event.after, concerned.get(subscription) ?? Infinity));
      }
      // Each of them asks for itself, a few in each turn.
      if (looks > MAX_LOOKS || clock.monotonic() > latest) return undefined;
    }
    return concerned;
  }

  /** A subscriber may have received an older event that the tail no longer has, because this one took its place. */
  #mayBeOneOfSeveral(entry: LogEntry): boolean {
    return entry.key !== undefined || boundsOf(this.#options.log.rules, entry) !== undefined;
  }

  /** Whether a subscriber with this cursor, which is beyond the end of its epoch, may have received a lost event. */
  isConcerned(cursor: Cursor, subscription: Subscription): boolean {
    const lost = this.#lostTo(cursor);
    if (lost === undefined) return true;
    const { topics, patterns } = subscription.wanted;
    return lost.some(({ until, events, byTopic }) => {
      const mayHave = (event: LostEvent): boolean => event.after < until && wants(subscription, event);
      if (patterns.length > 0) return events.some(mayHave);
      return [...topics].some((topic) => byTopic.get(topic)?.some(mayHave) === true);
    });
  }

  /**
   * Resolves once it is known who received the events that were lost before this cursor: other hubs may know more, and
   * tell it on the log. Or after a while, if nobody does; at once for an epoch that the log doesn't descend from, of which
   * no record counts: a replica took over that had not followed since before that epoch. Thousands may wait for the same
   * word, so it resolves in as many turns of the event loop as it takes to judge them all.
   */
  async whenKnown(cursor: Cursor): Promise<void> {
    const { log, clock } = this.#options;
    if (!log.shared) return;
    const isPast = (): boolean => log.lineage.some(({ epoch }) => epoch === cursor.epoch);
    while (isPast() && this.#lostTo(cursor) === undefined) {
      const left = this.#telling - clock.monotonic();
      if (left <= 0) break;
      await (this.#news ??= this.#expectNews(left)).promise;
    }
    const lost = this.#lostTo(cursor) ?? [];
    await this.#rest(lost.reduce((total, { events }) => total + events.length, 1));
  }

  /** Resolves in this turn, or in a later one if so many events have been looked at in this one. */
  #rest(looks: number): Promise<void> | undefined {
    if (this.#looksLeft > 0) {
      this.#look(looks);
      return undefined;
    }
    return new Promise((resolve) => void this.#resting.add({ looks, resolve }));
  }

  #look(looks: number): void {
    if (this.#looksLeft === MAX_LOOKS) this.#options.clock.defer(() => this.#beginTurn());
    this.#looksLeft -= looks;
  }

  #beginTurn(): void {
    this.#looksLeft = MAX_LOOKS;
    for (const next of this.#resting) {
      if (this.#looksLeft <= 0) return;
      this.#resting.delete(next);
      this.#look(next.looks);
      next.resolve();
    }
  }

  #expectNews(within: number): { readonly promise: Promise<void>; readonly tell: () => void } {
    let resolve: () => void = () => {};
    const promise = new Promise<void>((settle) => (resolve = settle));
    const tell = (): void => {
      cancel();
      this.#news = undefined;
      resolve();
    };
    const cancel = this.#options.clock.setTimer(tell, within, true);
    return { promise, tell };
  }

  /** The loss before the cursor, and how far it goes; undefined if that is not known. */
  #lostTo({ epoch, seq }: Cursor): readonly IndexedEnd[] | undefined {
    const { lineage } = this.#options.log;
    const first = lineage.findIndex((past) => past.epoch === epoch);
    if (first === -1) return undefined;
    const found: IndexedEnd[] = [];
    let until = seq;
    // Later epochs may have lost further events that it had received.
    for (const past of lineage.slice(first)) {
      if (until <= past.end) continue;
      const lost = this.#ends.get(past.epoch);
      if (lost === undefined || lost.end > past.end || lost.until < until) return undefined;
      found.push({ ...lost, until });
      // A hub that learned of several epochs at once went back behind all of them.
      until = lost.end;
    }
    return found;
  }

  apply({ topics: [topic], key = '', tombstone, data, seq }: LogEntry): void {
    if (topic !== HUB_TOPICS.lost || tombstone) return;
    const told = JSON.parse(data) as Omit<LostEnd, 'epoch'>;
    const own = this.#ends.get(key);
    if (!this.#add(toIndexed({ ...told, epoch: key })) && own !== undefined && own.until > told.until)
      this.#tell(own, seq);
  }

  stop(): void {
    this.#stopped = true;
  }

  reset(): void {
    // Earlier knowledge stays true, also if the log has lost its record.
  }

  loaded(): void {
    // Others read the log anew as well before they tell.
    this.#telling = Math.max(this.#telling, this.#options.clock.monotonic() + TELLING);
    const untold = this.#untold;
    this.#untold = [];
    for (const lostEnd of untold) this.#tell(lostEnd, 0);
  }

  /** @returns whether it says more than was known. */
  #add(lostEnd: IndexedEnd): boolean {
    const known = this.#ends.get(lostEnd.epoch);
    if (known !== undefined && known.until >= lostEnd.until) return false;
    this.#ends.set(lostEnd.epoch, lostEnd);
    const [oldest] = this.#ends.keys();
    if (this.#ends.size > MAX_ENDS && oldest !== undefined) this.#ends.delete(oldest);
    this.#news?.tell();
    return true;
  }

  /** Every hub tells it: the condition lets one through, and each adds what only it knows. */
  #tell(lostEnd: IndexedEnd, ifSeq: number): void {
    const { log, clock, append, report } = this.#options;
    const { epoch, end, until, events } = lostEnd;
    const event = hubEvent(HUB_TOPICS.lost, epoch, { end, until, events }, { ttl: STANDS, ifSeq });
    if (!log.shared || event.data.length > MAX_LENGTH) return;
    append(event).catch((error: unknown) => {
      if ((error as { code?: string }).code === 'event/conflict') return;
      report(error);
      // While it is what this hub knows.
      const again = (): void => {
        if (!this.#stopped && this.#ends.get(epoch) === lostEnd) this.#tell(lostEnd, ifSeq);
      };
      clock.setTimer(again, RETRY, true);
    });
  }
}

/** One for each list of topics, of private events and of others: for the first of them. */
function byAddress(events: readonly LostEvent[]): LostEvent[] {
  const found = new Map<string, LostEvent>();
  for (const event of events) {
    const address = `${event.private}\n${event.topics.join('\n')}`;
    const known = found.get(address);
    if (known === undefined || event.after < known.after) found.set(address, event);
  }
  return [...found.values()];
}

function toIndexed(lostEnd: LostEnd): IndexedEnd {
  const byTopic = new Map<string, LostEvent[]>();
  for (const event of lostEnd.events) {
    for (const topic of event.topics) {
      const others = byTopic.get(topic);
      if (others === undefined) byTopic.set(topic, [event]);
      else others.push(event);
    }
  }
  return { ...lostEnd, byTopic };
}
