import type { GapReason } from '../../protocol/control.ts';
import { formatCursor } from '../../protocol/cursor.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';
import { type LogEntry, sizeOf } from '../../log/entry.ts';
import type { EventLog } from '../../log/event-log.ts';
import type { PageLimit } from '../../log/page.ts';
import { lossesFor, needsSnapshot, newLosses, trimmedGaps } from './gaps.ts';
import type { Verdict } from './resume.ts';
import type { Output } from './sink.ts';
import type { RecentPages } from './recent-pages.ts';
import { looksFor } from './tuning.ts';
import { type SharedPage, type SharedStates, type Subscription, wants } from './subscription.ts';

/** Large enough that a page fills a socket's buffer, small enough that few bytes wait for a slow peer. */
const PAGE: PageLimit = { events: 1000, length: 65_536 };

/** Bytes read for one connection before others get a turn: a peer may take them as fast as they are read. */
const TURN = 262_144;

/** The most bytes to keep for one connection alone: a peer that doesn't read costs its cursor and these. */
const MAX_MAIL = 65_536;

/** Topics that are states, of which the newest events up to `until` are being sent. */
interface Snapshot {
  readonly wanted: MatcherSet;
  readonly until: number;
  after: number;
}

/** The parts of a hub that readers need. */
export interface Source {
  readonly log: EventLog;
  readonly subscriptions: { readonly pages: RecentPages };
  readonly counters: { delivered: number };
  readonly tally: { gap(reason: GapReason): void };
}

/** The result of a read. Calling it moves the cursor past it and returns the output, which must be written then. */
export type Reading = () => Output | undefined;

/**
 * The position of a connection behind the head, and how it reads on: first a snapshot if one is due, then page after
 * page of the log. A connection has a reader only while it is behind.
 *
 * Longer than other files because what a peer gets next is decided in one place, by state that all kinds of reading share.
 */
export class Reader {
  /** The peer has everything up to this seq. */
  cursor: number;
  /** Whether the log is being asked. */
  isWaiting = false;
  /** When reads began to fail, by the clock's monotonic time; undefined while they don't. */
  failingSince: number | undefined;
  /** How often it is being found out whether the peer received events that are lost. */
  asks = 0;
  readonly #source: Source;
  /** Whether the peer knows the connection's present topics. */
  #toldTopics = true;
  #snapshot: Snapshot | undefined;
  /** The log has lost its events after this seq; the peer received some of them and does not know yet. */
  #rewoundTo: number | undefined;
  #toldLosses: Map<string, number> | undefined;
  /** Was read before the notice that comes first. */
  #afterNotice: SharedPage | undefined;
  /** Bytes read since others had their turn. */
  #turn = 0;
  /** Events for this connection alone, which are not in the log. */
  #mail: Output[] | undefined;

  constructor(source: Source, cursor: number) {
    this.#source = source;
    this.cursor = cursor;
  }

  get cursorText(): string {
    return formatCursor({ epoch: this.#source.log.tail.epoch, seq: this.cursor });
  }

  /** Begins where a request's cursor was judged to stand. */
  begin({ seq, snapshot, losses }: Verdict, wanted: MatcherSet): void {
    // The log may have gone back since the cursor was judged.
    if (this.#rewoundTo !== undefined && seq <= this.#rewoundTo) this.#rewoundTo = undefined;
    this.cursor = Math.min(seq, this.#rewoundTo ?? Infinity);
    if (snapshot) this.#beginSnapshot(wanted);
    if (losses.length > 0) newLosses(losses, (this.#toldLosses = new Map<string, number>()));
  }

  /**
   * Goes on with other topics, of which `gained` are new. However often topics change before the peer reads on, it has
   * no more waiting than after one change.
   */
  retarget(wanted: MatcherSet, gained: MatcherSet, isSame: boolean): void {
    this.#toldTopics &&= isSame;
    this.#afterNotice = undefined;
    const due = this.#snapshot?.wanted.matchers.filter((matcher) => wanted.covers(matcher)) ?? [];
    const gainedStates = this.#source.log.rules.canBeState(gained) ? gained.matchers : [];
    // Even if it is empty by now: its end brings the first cursor that the peer gets.
    if (this.#snapshot !== undefined || gainedStates.length > 0)
      this.#beginSnapshot(createMatcherSet([...due, ...gainedStates]));
  }

  /**
   * The log has lost its events after `end`; a peer beyond `received` had got some of them. `isOpening`: the connection's
   * beginning is being decided.
   */
  rewind(end: number, received: number, isOpening: boolean): void {
    if (isOpening || this.cursor > received) this.#rewoundTo = Math.min(end, this.#rewoundTo ?? Infinity);
    this.cursor = Math.min(this.cursor, end);
    this.#afterNotice = undefined;
    if (this.#snapshot !== undefined) this.#beginSnapshot(this.#snapshot.wanted);
  }

  /** The peer received events that are lost. */
  tellLost(): void {
    this.#rewoundTo ??= this.cursor;
  }

  /** Whether the log has gone back behind this seq while the connection's beginning was being decided. */
  isBeyond(seq: number): boolean {
    return this.#rewoundTo !== undefined && seq > this.#rewoundTo;
  }

  /** The connection's beginning is decided anew. */
  forgetRewind(): void {
    this.#rewoundTo = undefined;
  }

  /** Whether the peer has everything up to `end`. */
  isAt(end: number): boolean {
    if (this.#rewoundTo !== undefined) return false;
    const isDone = this.#snapshot === undefined && this.#toldTopics && this.#mail === undefined;
    return isDone && this.cursor >= end;
  }

  /** Whether others should have a turn first. Asking gives it to them. */
  rests(): boolean {
    if (this.#turn <= TURN) return false;
    this.#turn = 0;
    return true;
  }

  /** Others had their turn while the peer was waited for. */
  rested(): void {
    this.#turn = 0;
  }

  /** Adds an event to send next. @returns false if too many bytes of this kind are waiting. */
  post(output: Output): boolean {
    const waiting = this.#mail?.reduce((sum, { length }) => sum + length, 0) ?? 0;
    if (waiting + output.length > MAX_MAIL && waiting > 0) return false;
    this.#mail = [...(this.#mail ?? []), output];
    return true;
  }

  #readMail([next, ...rest]: readonly Output[]): Reading {
    return () => {
      this.#mail = rest.length === 0 ? undefined : rest;
      return next;
    };
  }

  /** Reads on, up to `end` at most. Below the tail this asks the log. */
  read(subscription: Subscription, end: number): Reading | Promise<Reading> {
    const { log } = this.#source;
    if (this.#rewoundTo !== undefined) return this.#tellRewind(subscription);
    if (this.#mail !== undefined) return this.#readMail(this.#mail);
    if (this.#snapshot !== undefined) return this.#readSnapshot(subscription, this.#snapshot);
    if (!this.#toldTopics) return this.#tellTopics(subscription);
    if (this.#afterNotice !== undefined) return this.#taking(this.#afterNotice);
    if (this.cursor < Math.max(log.tail.floor, log.newestLoss)) return this.#readLog(subscription, end);
    return this.#taking(this.#nextPage(subscription, end));
  }

  /** Comes before anything that replaces the lost events. */
  #tellRewind({ format, wanted }: Subscription): Reading {
    return () => {
      this.#rewoundTo = undefined;
      this.#source.tally.gap('epoch');
      const notice = format.gap({ gaps: [{ topics: wanted.matchers, reason: 'epoch' }] }, this.cursorText);
      if (format.snapshot !== undefined && this.#source.log.rules.canBeState(wanted))
        this.#beginSnapshot(wanted);
      return notice;
    };
  }

  /** After the state of the topics that it gained, and before any event of them. */
  #tellTopics({ format, wanted }: Subscription): Reading {
    return () => {
      this.#toldTopics = true;
      return format.subscribed({ topics: wanted.matchers }, this.cursorText);
    };
  }

  #taking(page: SharedPage): Reading {
    return () => {
      this.cursor = page.next;
      this.#afterNotice = undefined;
      return this.#count(page);
    };
  }

  #count({ output, events }: Pick<SharedPage, 'output' | 'events'>): Output | undefined {
    this.#turn += output?.length ?? 0;
    this.#source.counters.delivered += events;
    return output;
  }

  #nextPage(subscription: Subscription, end: number): SharedPage {
    const { tail } = this.#source.log;
    const { pages } = this.#source.subscriptions;
    const last = pages.of(subscription);
    if (last?.after === this.cursor && last.head === tail.head && last.next <= end) return last;
    const { wanted } = subscription;
    const page = tail.read(this.cursor, wantsUpTo(subscription, end), limitFor(wanted), wanted);
    const shared = this.#toShared(subscription, page.entries, Math.min(page.next, end), true);
    if (subscription.receivers > 1) pages.add(subscription, shared, heldBy(shared, page.entries));
    return shared;
  }

  #toShared(
    { format }: Subscription,
    entries: readonly LogEntry[],
    next: number,
    areShared: boolean,
  ): SharedPage {
    const { epoch, head } = this.#source.log.tail;
    const output = entries.length === 0 ? undefined : format.events(entries, epoch, areShared);
    return { after: this.cursor, head, next, output, events: entries.length };
  }

  /** Reads below the tail. A gap notice about events that retention took comes before the page that lacks them. */
  async #readLog(subscription: Subscription, end: number): Promise<Reading> {
    const { log } = this.#source;
    const { wanted, format } = subscription;
    const after = this.cursor;
    const { epoch } = log.tail;
    const page = await log.read({
      after,
      wants: wantsUpTo(subscription, end),
      matchers: wanted,
      limit: limitFor(wanted),
    });
    const all = await lossesFor(log, after, subscription);
    return () => {
      // A page of an earlier epoch may have events that are lost now.
      if (log.tail.epoch !== epoch) return undefined;
      const losses = newLosses(all, (this.#toldLosses ??= new Map<string, number>()));
      const shared = this.#toShared(subscription, page.entries, Math.min(page.next, end), false);
      if (losses.length === 0) return this.#taking(shared)();
      const topics = losses.map(({ matcher }) => matcher);
      this.#source.tally.gap('trimmed');
      const notice = format.gap({ gaps: trimmedGaps(topics) }, this.cursorText);
      if (format.snapshot !== undefined && needsSnapshot(topics, log)) this.#beginSnapshot(wanted);
      else this.#afterNotice = shared;
      return notice;
    };
  }

  /** A snapshot under way begins anew, so `wanted` must include its matchers. */
  #beginSnapshot(wanted: MatcherSet): void {
    this.#snapshot = { wanted, until: this.cursor, after: 0 };
  }

  async #readSnapshot(subscription: Subscription, snapshot: Snapshot): Promise<Reading> {
    const encode = await this.#statesOf(subscription, snapshot);
    return () => {
      if (this.#snapshot !== snapshot) return undefined;
      const page = encode();
      snapshot.after = page.next;
      if (page.next >= snapshot.until) this.#snapshot = undefined;
      return this.#count(page);
    };
  }

  /** Encoded once for all readers at the same cursor, until the next append. */
  #statesOf(subscription: Subscription, { wanted, after, until }: Snapshot): Promise<() => SharedPage> {
    const { head } = this.#source.log.tail;
    const { key } = wanted;
    const last = subscription.lastStates;
    const isSame = last?.key === key && last.after === after && last.until === until && last.head === head;
    if (isSame) return last.page;
    const page = this.#readStates(subscription, wanted, after, until);
    const states: SharedStates = { key, after, until, head, page };
    if (subscription.receivers > 1) {
      subscription.lastStates = states;
      page.catch(() => {
        // Those that ask later ask anew.
        if (subscription.lastStates === states) subscription.lastStates = undefined;
      });
    }
    return page;
  }

  async #readStates(
    subscription: Subscription,
    matchers: MatcherSet,
    after: number,
    until: number,
  ): Promise<() => SharedPage> {
    const { log } = this.#source;
    const { head } = log.tail;
    const wantsEntry = wantsUpTo(subscription, until);
    const { entries, next } = await log.read({
      after,
      wants: wantsEntry,
      matchers,
      limit: limitFor(matchers),
      snapshot: true,
    });
    const cursor = next >= until ? formatCursor({ epoch: log.tail.epoch, seq: until }) : undefined;
    let page: SharedPage | undefined;
    return () =>
      (page ??= {
        after,
        head,
        next,
        output: subscription.format.snapshot?.(entries, cursor),
        events: entries.length,
      });
  }
}

/** Output for readers in this process has no bytes, but holds the entries. */
function heldBy({ output }: SharedPage, entries: readonly LogEntry[]): number {
  if (output === undefined || output.length > 0) return output?.length ?? 0;
  return entries.reduce((sum, entry) => sum + sizeOf(entry), 0);
}

function limitFor(matchers: MatcherSet): PageLimit {
  return { ...PAGE, looks: looksFor(matchers) };
}

function wantsUpTo(subscription: Subscription, end: number): (entry: LogEntry) => boolean {
  return (entry) => entry.seq <= end && wants(subscription, entry);
}
