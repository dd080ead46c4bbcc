import type { Expiring, GapNotice, Goodbye, Subscribed, Welcome } from '../../protocol/control.ts';
import type { LogEntry } from '../../log/entry.ts';
import type { Output } from './sink.ts';

/**
 * What a connection's output is made of: frames for a wire (`frames.ts`), items for a reader in this process. All
 * connections of a subscription have the same one and share what it makes of events.
 */
export interface Format {
  /** Tells formats apart. */
  readonly name: string;
  /** `cursor` is absent if a snapshot follows: a client that is cut off within it must have no cursor behind it. */
  welcome(welcome: Welcome, retry: number, cursor: string | undefined, greeting: string): Output;
  /** Events of the log, each with its cursor. */
  events(entries: readonly LogEntry[], epoch: string): Output;
  /** States, without cursors; `cursor` comes with the last of them. Undefined if there is nothing to write. */
  snapshot(entries: readonly LogEntry[], cursor: string | undefined): Output | undefined;
  gap(notice: GapNotice, cursor: string): Output;
  subscribed(subscribed: Subscribed, cursor: string): Output;
  expiring(expiring: Expiring, cursor: string): Output;
  goodbye(goodbye: Goodbye): Output;
  /** Events for one connection alone, encoded already, without cursor. */
  alone(frames: string): Output;
  /** Says that the stream is alive, and where it stands. */
  heartbeat(cursor: string): Output;
}
