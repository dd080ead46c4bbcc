import type { NewEvent } from '../protocol/event.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { LogEntry } from './entry.ts';
import type { Lineage } from './lineage.ts';
import type { Page, PageLimit } from './page.ts';
import type { Tail } from './tail.ts';
import type { TopicRules } from './topic-rules.ts';

/** What became of one event handed to `append`. */
export interface Appended {
  readonly seq: number;
  /** An event of the same `id` was there before: nothing was appended, and `seq` is that one's. */
  readonly duplicate: boolean;
}

export interface LogQuery {
  /** Cursor: entries with a greater seq are meant. May lie below everything that is retained. */
  readonly after: number;
  readonly wants: (entry: LogEntry) => boolean;
  /** What `wants` looks for, for engines that have an index by topic. */
  readonly matchers: MatcherSet;
  readonly limit: PageLimit;
  /** Only the newest event of each key on topics that are states, and not those that delete the key. */
  readonly snapshot?: boolean;
}

/** What retention took of what a matcher matches. */
export interface Loss {
  readonly matcher: Matcher;
  /** The newest event taken. */
  readonly seq: number;
  /** How many events retention had taken in all when it took the last of these: events don't go in seq order. */
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
 * - **No silent trimming.** Whatever retention takes, `losses` tells of from then on, if in doubt too often:
 *   a reader that reads first and asks for losses after it has missed nothing unawares. An event whose key has a
 *   newer one, on a topic that is a state, is no loss, and retention leaves the newest of each key alone.
 * - **One order for all processes**, if it is `shared`. What another process appended is pushed to the tail before
 *   anything newer, soon and without being asked; `catchUp` asks. Where `push` can't bring all, `tail.miss` or
 *   `tail.skip` says so first.
 * - **An end that was lost is told.** An engine that may have lost events it gave out (it failed over to a copy that was
 *   behind, was put back from a backup, lost power before the disk had them) begins a new epoch and goes on with the seq
 *   after the last one it has. `lineage` remembers where the old epoch ended. If that happens while the log is open,
 *   `tail.rewind` says so before anything of the new epoch is pushed. Appends are fenced: one that began in the old
 *   epoch writes nothing, and rejects with `log/write-failed`; so no process with an older view appends to the new one.
 * - **After `close`**, `append` and `read` reject with `log/closed`.
 */
export interface EventLog {
  /** The newest events. Its epoch and head are the log's. */
  readonly tail: Tail;
  /** The oldest cursor anything can be read after: what `earliest` stands for. */
  readonly floor: number;
  /** The newest seq that retention has taken, 0 if none: a cursor from here on has lost nothing. */
  readonly newestLoss: number;
  readonly rules: TopicRules;
  /** The epochs that this log descends from; empty if it never began a new one. */
  readonly lineage: Lineage;
  /** Whether other processes append to it as well, so that no hub knows of all that is connected. */
  readonly shared: boolean;
  append(events: readonly NewEvent[]): Promise<readonly Appended[]>;
  read(query: LogQuery): Promise<Page>;
  /** Which matchers lost an event after the cursor to retention. Asked only below `newestLoss`. */
  losses(after: number, matchers: MatcherSet): Promise<readonly Loss[]>;
  /** Lets go of what has grown too old by `now` (ms since 1970), for logs nobody appends to. */
  trim(now: number): Promise<void>;
  /** Resolves once the tail has what was in the log when this was called. */
  catchUp(): Promise<void>;
  close(): Promise<void>;
}
