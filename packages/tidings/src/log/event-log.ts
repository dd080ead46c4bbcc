import type { NewEvent } from '../protocol/event.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { LogEntry } from './entry.ts';
import type { Lineage } from './lineage.ts';
import type { Page, PageLimit } from './page.ts';
import type { Tail } from './tail.ts';
import type { TopicRules } from './topic-rules.ts';

/** The outcome for one event given to `append`. */
export interface Appended {
  readonly seq: number;
  /** The log already had an event with this `id`: nothing was appended, and `seq` is the earlier one's. */
  readonly duplicate: boolean;
  /**
   * The event comes too soon for its `pace`: nothing was appended. Send it again after so many milliseconds, with what
   * it has waited then. `seq` is that of the key's newest event.
   */
  readonly wait?: number;
}

export interface LogQuery {
  /** A cursor: entries with a greater seq are wanted. May lie below every retained entry. */
  readonly after: number;
  /**
   * Backwards, newest first: entries below this seq, down to `after`. Go on with the page's `next` as `before`, until it
   * is `after + 1`. Never together with `snapshot`.
   */
  readonly before?: number;
  readonly wants: (entry: LogEntry) => boolean;
  /** The matchers behind `wants`, for engines that have an index by topic. */
  readonly matchers: MatcherSet;
  readonly limit: PageLimit;
  /** Only the newest event of each key on state topics, without tombstones. */
  readonly snapshot?: boolean;
}

/** The events that retention took from one matcher's topics. */
export interface Loss {
  readonly matcher: Matcher;
  /** The newest event taken. */
  readonly seq: number;
  /** The total of events retention had taken when it took the last of these; they don't go in seq order. */
  readonly count: number;
}

/**
 * The port to an engine that keeps events. `tidings/testing` has the contract as code.
 *
 * An implementer owes:
 * - **One order.** Events get consecutive seqs in the order in which `append` was called, those of one call
 *   side by side. `tail` is pushed to in just that order, before `append` resolves.
 * - **All or nothing.** `append` resolves once the events are as safe as the engine makes them; when it rejects,
 *   none of that call is in the log.
 * - **Ids once.** An event whose `id` is known is not appended again. An event's `supersededIds` count as its own,
 *   unless they are known; they, and the ids of superseded events, are remembered for `SUPERSEDED_ID_WINDOW` events.
 * - **Conditions.** If an event's `ifSeq` is not the seq of its key's value when the call is written (0 stands for no
 *   value), nothing of that call is appended, and it rejects with `event/conflict`, whose `details.seq` is the value's.
 *   Other calls, even those written together with it, are not affected. All conditions of a call are judged before its
 *   first event is appended, by all that any process has appended, and with the epoch that the tail had when `append`
 *   was called: in a later one they fail. An event whose `id` is known has no condition: it is a duplicate.
 *   (`valueSeqOf` and `conflictError` are for this.)
 * - **Keys expire.** A value with a `ttl` is deleted when that has passed, by the log's time. A newer value of the key
 *   ends that: its own `ttl` counts, or none. The deletion is an event, `expiryOf` the key's values, appended as any
 *   other and before anything newer, by the next `append` or `trim`; in steps, if very many expire at once. For conditions, a key has no value
 *   from the moment on at which it expires. `nextExpiry` says when to call `trim`.
 * - **One clock.** The log's time, which entries have as `time`, never goes back (`advanceTime`), and for all processes
 *   it is the same clock's: a server's, where there is one. Clocks of several machines would drive each other on.
 * - **No silent trimming.** From then on `losses` reports every event that retention took; if in doubt, it reports one
 *   too many. A reader that reads first and asks for losses afterwards learns of everything it missed. Public and
 *   private events are counted apart, since whoever may read only the former must not learn of the latter. On a state topic
 *   an event whose key has a newer one is no loss, and retention leaves the newest of each key alone.
 * - **One order for all processes**, if it is `shared`. Another process's events are pushed to the tail before anything
 *   newer, soon and without being asked; `catchUp` asks. Where `push` can't bring them all, `tail.miss` or
 *   `tail.skip` says so first.
 * - **One pace for all processes**, if it is `shared`. An event with a `pace` is appended only if the newest event of its
 *   key is at least `interval` old, by the log's time. Before that, `append` answers it with `wait`, and appends the
 *   call's other events. If the newest event was published later than it, the answer is a duplicate of that one.
 *   (`judgePace` decides it; the entry has `publishedAt`.)
 * - **A lost end is reported.** An engine that may have lost events it gave out (it failed over to a copy that was
 *   behind, was put back from a backup, lost power before the disk had them) begins a new epoch and goes on with the seq
 *   after the last one it has. `lineage` remembers where the old epoch ended. If that happens while the log is open,
 *   `tail.rewind` says so before anything of the new epoch is pushed. Appends are fenced: one that began in the old
 *   epoch writes nothing, and rejects with `log/write-failed`; so no process with an older view appends to the new one.
 * - **Away is not broken.** While the engine can't be reached, `read` and `losses` reject with `log/unavailable`, and the
 *   hub asks again. Any other error closes the streams that wanted to read.
 * - **After `close`**, `append` and `read` reject with `log/closed`.
 */
export interface EventLog {
  /** The newest events. Its epoch and head are the log's. */
  readonly tail: Tail;
  /** The oldest cursor that can be read from; `earliest` stands for it. */
  readonly floor: number;
  /** The newest seq that retention has taken, 0 if none: a cursor from here on has lost nothing. */
  readonly newestLoss: number;
  readonly rules: TopicRules;
  /** The epochs that this log descends from; empty if it never began a new one. */
  readonly lineage: Lineage;
  /** Whether other processes append to it as well; then no hub knows all connections. */
  readonly shared: boolean;
  /** When the next key expires, in milliseconds since 1970, as far as this process knows; Infinity if none does. */
  readonly nextExpiry: number;
  append(events: readonly NewEvent[]): Promise<readonly Appended[]>;
  read(query: LogQuery): Promise<Page>;
  /**
   * The matchers that lost an event after the cursor to retention. Asked only below `newestLoss`.
   *
   * @param publicOnly the subscriber may not read private events, so the answer must not depend on any: neither on
   * those lost nor on how many topics have lost some. By a pattern it may not read presence either (`isLossOf`).
   */
  losses(after: number, matchers: MatcherSet, publicOnly?: boolean): Promise<readonly Loss[]>;
  /** Trims events that are too old at `now` (ms since 1970), and deletes keys that have expired: for logs without appends. */
  trim(now: number): Promise<void>;
  /** Resolves once the tail has every event that was in the log at the call. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}
