/// <reference lib="esnext.disposable" preserve="true" />
import type { Gap } from '../protocol/control.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { Status } from './machine.ts';
import type { Opening } from './opening.ts';

export interface ReceivedEvent {
  /** `message` unless the publisher named it. */
  readonly type: string;
  readonly data: string;
  /** A connection that starts from this cursor gets everything after the event; empty if the server sends no ids. */
  readonly cursor: string;
  /** @throws {SyntaxError} if the data is not JSON. */
  json<T = unknown>(): T;
}

/**
 * With `retryIn`, in milliseconds, the client goes on by itself; without it, the client has failed for good. If the
 * authorization couldn't be renewed, `retryIn` is the time until it expires and the client connects anew.
 */
export interface NextTry {
  readonly retryIn?: number;
}

/**
 * A stream of events that outlives its connections.
 *
 * A listener that throws harms neither the stream nor the other listeners: its error becomes the runtime's uncaught
 * one, as with `EventTarget`. (In Node that ends the process, unless `uncaughtException` is handled.)
 *
 * Iterating yields all events but those of reserved types, from the first call of `next` on. The client reads the
 * stream no faster than the slowest iterator, and listeners wait along with it: the server keeps the cursor, and
 * nothing is queued here. Iteration ends when the client is closed and throws when it fails. Leaving a `for await` over
 * the client closes the client; to leave it open, iterate over `events()`.
 */
export interface EventClient extends AsyncIterable<ReceivedEvent, undefined>, AsyncDisposable {
  readonly status: Status;
  /** The cursor of the last event that listeners and iterators have received. */
  readonly cursor: string | undefined;
  /**
   * When bytes came last, heartbeats included, in milliseconds since 1970. With the `heartbeat` of `onOpen`, a page can say
   * that a network has gone silent before the client gives the connection up.
   */
  readonly heardAt: number | undefined;
  /**
   * Events of one type, reserved ones included; events without a name have the type `message`.
   * @returns a function that removes the listener.
   */
  on(type: string, listener: (event: ReceivedEvent) => void): () => void;
  /** Called once for each connection, before its events. */
  onOpen(listener: (opening: Opening) => void): () => void;
  /** Events are missing: fetch your state anew, unless `load` does that. */
  onGap(listener: (gaps: readonly Gap[]) => void): () => void;
  onError(listener: (error: TidingsError, next: NextTry) => void): () => void;
  onStatus(listener: (status: Status) => void): () => void;
  /** Comments of the stream, without the colon: some servers put their heartbeats there. */
  onComment(listener: (text: string) => void): () => void;
  /** The same events as iterating over the client, but leaving the loop doesn't close the client. */
  events(): AsyncIterableIterator<ReceivedEvent, undefined>;
  /**
   * Adds topics without a new connection. A server that doesn't take topics from the URL refuses. Changes are made one
   * after the other and last over all later connections; without a connection, a change waits for one.
   *
   * State topics send their values first. If the connection breaks before the stream has announced the change, the
   * client asks for the topics again; if it missed events in between, `onGap` says so.
   *
   * @returns the cursor after which the events of these topics begin. Empty if the server doesn't say.
   * @throws {TidingsError} if the server refuses, and the stream goes on as it was: `auth/forbidden`,
   * `auth/unauthorized`, or `client/http-status` with the server's own code in `details.code`; `client/content-type` if
   * no hub answers, `client/headers-failed` if the request could not be made. `topic/invalid` for anything but a topic
   * or a `{ pattern }`. `client/closed` if the client was closed before it had an answer; if the client failed, its
   * error.
   */
  subscribe(...topics: Matcher[]): Promise<string>;
  /**
   * Drops topics, as `subscribe` adds them.
   *
   * @returns the cursor up to which their events came.
   * @throws {TidingsError} as `subscribe`; and `topic/missing` if none would be left.
   */
  unsubscribe(...topics: Matcher[]): Promise<string>;
  /** Closes the connection and keeps everything else: `resume` goes on from the cursor. */
  pause(): void;
  resume(): void;
  /** Asks for another connection at once, even while the client waits for its next try. Nothing is lost in between. */
  reconnect(): void;
  /** Ends everything at once and for good; listeners are removed and iterators end. */
  close(): void;
}
