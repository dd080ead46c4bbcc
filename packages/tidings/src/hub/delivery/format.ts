import type { Expiring, GapNotice, Goodbye, Subscribed, Welcome } from '../../protocol/control.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { MatcherSet } from '../../protocol/matcher-set.ts';
import type { Output } from './sink.ts';

/**
 * Makes a connection's output: frames for a wire (`frames.ts`), items for a reader in this process. All connections of
 * a subscription have the same format and share its output.
 */
export interface Format {
  /** Tells formats apart. */
  readonly name: string;
  /** `cursor` is absent if a snapshot follows: a client cut off within it must not have a cursor beyond it. */
  welcome(welcome: Welcome, retry: number, cursor: string | undefined, greeting: string): Output;
  /**
   * Events of the log, each with its cursor. `areShared`: others will get the same entries, each of which is encoded once
   * for all. A page that the log has read for one reader is encoded as a whole, which costs half as much (`resume`).
   */
  events(entries: readonly LogEntry[], epoch: string, areShared: boolean): Output;
  /**
   * States, without cursors; `cursor` comes with the last of them. Undefined if there is nothing to write. A format without
   * it knows no states: its connections get only changes.
   */
  readonly snapshot?:
    | ((entries: readonly LogEntry[], cursor: string | undefined) => Output | undefined)
    | undefined;
  gap(notice: GapNotice, cursor: string): Output;
  subscribed(subscribed: Subscribed, cursor: string): Output;
  expiring(expiring: Expiring, cursor: string): Output;
  /** `cursor`: where a complete answer ends. */
  goodbye(goodbye: Goodbye, cursor: string | undefined): Output;
  /** Events for one connection alone, encoded already, without cursor. */
  alone(frames: string): Output;
  /** Shows that the stream is alive, and gives its current cursor. While it waits for the log, there is none to give. */
  heartbeat(cursor: string | undefined): Output;
  /** The same format for a subscription, if its output depends on more than the events. */
  readonly forTopics?: (wanted: MatcherSet, granted: MatcherSet) => Format;
}
