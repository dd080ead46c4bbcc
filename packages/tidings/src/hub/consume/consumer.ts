import type { EventLog } from '../../log/event-log.ts';
import type { Gap } from '../../protocol/control.ts';
import { createError } from '../../protocol/errors.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { TidingsError } from '../../protocol/tidings-error.ts';
import type { Clock } from '../clock.ts';
import { HUB_TOPICS, hubDeletion, hubEvent, hubMatchers } from '../cluster/hub-topics.ts';
import { newId } from '../cluster/nodes.ts';
import type { Item } from '../delivery/items.ts';
import type { SubscribeOptions } from '../subscribe.ts';
import type { ConsumeHandler, ConsumeOptions, ConsumedEvent, Consumer } from './options.ts';

export interface ConsumerParts {
  readonly log: EventLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly report: (error: unknown) => void;
  readonly cursor: () => string;
  readonly subscribe: (
    topics: Matcher | readonly Matcher[],
    options: SubscribeOptions,
  ) => AsyncIterableIterator<Item>;
}

const DEFAULTS = { from: 'head', attempts: Infinity, retry: 1000, checkpoint: 1000, lease: 10_000 } as const;
/** The longest wait before an event is tried again, in milliseconds. */
const MAX_RETRY = 60_000;
/** A lease is renewed so many times before it would expire. */
const RENEWALS = 3;
/** Milliseconds before another try when the log has failed. */
const LOG_RETRY = 1000;
const PAGE = { events: 500, length: 262_144 };

/** A value of the hub's own on the log; `seq` 0: none. */
interface Stored {
  readonly seq: number;
  readonly cursor?: string | undefined;
}

/** The holder's time with the lease. */
interface Term {
  leaseSeq: number;
  cursorSeq: number;
  /** The cursor that the log has; `cursor` is that of the last event handled. */
  stored: string;
  cursor: string;
  readonly over: AbortController;
  /** When the lease was asked for last with success, by the clock's monotonic time: the log has it at least from then. */
  heldFrom: number;
  /** Ends the term when the lease expires. */
  cancel: () => void;
}

/**
 * A named reader with a cursor on the log. Of all hubs that have it, the one with the lease reads on from the cursor, one
 * event after the other. Lease and cursor are states on the log, written under conditions: a hub that has lost the lease
 * without noticing can't move the cursor.
 *
 * Longer than other files because the order of lease, cursor and handler, on which "at least once" rests, should be in one view.
 */
export class NamedConsumer implements Consumer {
  readonly #name: string;
  readonly #topics: Matcher | readonly Matcher[];
  readonly #handler: ConsumeHandler;
  readonly #options: Required<ConsumeOptions>;
  readonly #parts: ConsumerParts;
  readonly #id = newId();
  readonly #stopping = new AbortController();
  /** It has been stopped, and its handler has ended. */
  readonly ended: Promise<void>;
  #wake: () => void = () => {};
  #active = false;

  constructor(
    name: string,
    topics: Matcher | readonly Matcher[],
    handler: ConsumeHandler,
    options: ConsumeOptions,
    parts: ConsumerParts,
  ) {
    this.#name = name;
    this.#topics = topics;
    this.#handler = handler;
    this.#options = { ...DEFAULTS, ...options };
    this.#parts = parts;
    this.ended = this.#run();
  }

  get active(): boolean {
    return this.#active;
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    return this.ended;
  }

  async #run(): Promise<void> {
    const { log } = this.#parts;
    // The lease is free.
    const stopListening = log.tail.onPush((entries) => {
      for (const { topics, key, tombstone } of entries)
        if (tombstone && key === this.#name && topics[0] === HUB_TOPICS.consumers) this.#wake();
    });
    while (!this.#stopping.signal.aborted) {
      try {
        const term = await this.#acquire();
        if (term === undefined) await this.#rest(this.#options.lease / RENEWALS);
        else await this.#serve(term);
      } catch (error) {
        if (this.#stopping.signal.aborted) break;
        this.#parts.report(error);
        await this.#rest(LOG_RETRY);
      }
    }
    stopListening();
  }

  /** Takes the lease, and the cursor with it. Undefined if somebody else has it. */
  async #acquire(): Promise<Term | undefined> {
    const heldFrom = this.#parts.clock.monotonic();
    const leaseSeq = await this.#write(this.#lease(0));
    if (leaseSeq === undefined) return undefined;
    const before = await this.#read();
    const cursor = before.cursor ?? (this.#options.from === 'earliest' ? 'earliest' : this.#parts.cursor());
    // Even if it stays the same: from now on the one who had it before can't write it.
    const cursorSeq = await this.#write(this.#cursorEvent(cursor, before.seq));
    if (cursorSeq === undefined) return undefined;
    const over = new AbortController();
    return { leaseSeq, cursorSeq, stored: cursor, cursor, over, heldFrom, cancel: () => {} };
  }

  async #serve(term: Term): Promise<void> {
    const { clock } = this.#parts;
    const end = (): void => {
      term.cancel();
      term.over.abort();
    };
    this.#endInTime(term);
    this.#stopping.signal.addEventListener('abort', end);
    if (this.#stopping.signal.aborted) end();
    const renewing = this.#repeat(this.#options.lease / RENEWALS, term, () => this.#renew(term));
    const storing = this.#repeat(Math.max(1, this.#options.checkpoint), term, () => this.#store(term));
    this.#active = true;
    try {
      await this.#readOn(term);
    } finally {
      this.#active = false;
      end();
      this.#stopping.signal.removeEventListener('abort', end);
      await Promise.all([renewing, storing]);
      await this.#store(term).catch(this.#parts.report);
      // Another one needn't wait until it expires.
      await this.#write(hubDeletion(HUB_TOPICS.consumers, this.#name, term.leaseSeq)).catch(() => {});
    }
    // The stream was cut off, or the hub is closing.
    if (!this.#stopping.signal.aborted) await new Promise<void>((resolve) => clock.defer(resolve));
  }

  async #readOn(term: Term): Promise<void> {
    const { signal } = term.over;
    for await (const item of this.#parts.subscribe(this.#topics, { cursor: term.cursor, signal })) {
      if (item.kind === 'start' || item.kind === 'gap') this.#reportGap(item.gaps);
      if (item.kind === 'event' || item.kind === 'state') {
        const cursor = item.kind === 'event' ? item.cursor : undefined;
        if (!(await this.#handle({ ...item, cursor }, term))) return;
      }
      if (item.kind !== 'state' && item.cursor !== undefined) term.cursor = item.cursor;
      if (signal.aborted) return;
    }
  }

  /** @returns whether the event is done with. */
  async #handle(event: ConsumedEvent, term: Term): Promise<boolean> {
    const { attempts, retry } = this.#options;
    const { signal } = term.over;
    for (let attempt = 1; ; attempt += 1) {
      // The event loop may have been blocked, and the timer with it.
      if (this.#left(term) <= 0) term.over.abort();
      if (signal.aborted) return false;
      try {
        await this.#handler(event, { attempt, signal });
        return true;
      } catch (cause) {
        if (attempt >= attempts) {
          this.#reportSkipped(event, attempt, cause);
          return true;
        }
        const wait = Math.min(MAX_RETRY, retry * 2 ** Math.min(attempt - 1, 30));
        await this.#rest(wait * (0.5 + this.#parts.random() / 2), signal);
      }
    }
  }

  async #renew(term: Term): Promise<void> {
    const heldFrom = this.#parts.clock.monotonic();
    const seq = await this.#write(this.#lease(term.leaseSeq));
    if (seq === undefined) return term.over.abort();
    term.leaseSeq = seq;
    term.heldFrom = heldFrom;
    this.#endInTime(term);
  }

  /** Without a renewal, the term ends no later than the lease: another hub may take it then. */
  #endInTime(term: Term): void {
    term.cancel();
    if (term.over.signal.aborted) return;
    const end = (): void => term.over.abort();
    term.cancel = this.#parts.clock.setTimer(end, Math.max(0, this.#left(term)), true);
  }

  /** Milliseconds. */
  #left({ heldFrom }: Term): number {
    return heldFrom + this.#options.lease - this.#parts.clock.monotonic();
  }

  async #store(term: Term): Promise<void> {
    const { cursor } = term;
    if (cursor === term.stored) return;
    const seq = await this.#write(this.#cursorEvent(cursor, term.cursorSeq));
    if (seq === undefined) return term.over.abort();
    term.cursorSeq = seq;
    term.stored = cursor;
  }

  /** Does it again and again until the term is over. */
  async #repeat(milliseconds: number, { over: { signal } }: Term, task: () => Promise<void>): Promise<void> {
    for (;;) {
      await this.#rest(milliseconds, signal, false);
      if (signal.aborted) return;
      await task().catch(this.#parts.report);
    }
  }

  /** @returns the seq; undefined if its condition failed: somebody else was here. */
  async #write(event: ReturnType<typeof hubEvent>): Promise<number | undefined> {
    try {
      const [appended] = await this.#parts.log.append([event]);
      return appended?.seq;
    } catch (error) {
      if (error instanceof TidingsError && error.code === 'event/conflict') return undefined;
      throw error;
    }
  }

  #lease(ifSeq: number): ReturnType<typeof hubEvent> {
    const ttl = this.#options.lease;
    return hubEvent(HUB_TOPICS.consumers, this.#name, { holder: this.#id }, { ttl, ifSeq });
  }

  #cursorEvent(cursor: string, ifSeq: number): ReturnType<typeof hubEvent> {
    return hubEvent(HUB_TOPICS.cursors, this.#name, { cursor }, { ifSeq });
  }

  async #read(): Promise<Stored> {
    const { log } = this.#parts;
    await log.catchUp();
    const matchers = hubMatchers(false);
    let found: Stored = { seq: 0 };
    for (let after = 0; after < log.tail.head;) {
      const page = await log.read({
        after,
        matchers,
        wants: ({ topics, key }) => topics[0] === HUB_TOPICS.cursors && key === this.#name,
        limit: PAGE,
        snapshot: true,
      });
      for (const { seq, data } of page.entries)
        found = { seq, cursor: (JSON.parse(data) as { cursor: string }).cursor };
      after = Math.max(after + 1, page.next);
    }
    return found;
  }

  /** Waits, until `signal` is aborted; also, if it may be woken, until the lease is free. */
  #rest(milliseconds: number, signal = this.#stopping.signal, isWoken = true): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#parts.clock.setTimer(end, milliseconds, true);
      signal.addEventListener('abort', end);
      if (isWoken && signal === this.#stopping.signal) this.#wake = end;
    });
  }

  #reportGap(gaps: readonly Gap[]): void {
    if (gaps.length === 0) return;
    const message = `The consumer "${this.#name}" has missed events that are no longer in the log.`;
    this.#parts.report(createError('consumer/gap', message, { details: { consumer: this.#name, gaps } }));
  }

  #reportSkipped({ cursor }: ConsumedEvent, attempts: number, cause: unknown): void {
    const message = `The consumer "${this.#name}" skips an event after ${attempts} failures.`;
    const details = { consumer: this.#name, cursor, attempts };
    this.#parts.report(createError('consumer/skipped', message, { details, cause }));
  }
}
