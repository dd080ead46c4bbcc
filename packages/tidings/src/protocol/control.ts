import type { Matcher } from './matcher.ts';

/** Types with this prefix belong to the protocol; `publish` refuses them. */
export const RESERVED_PREFIX = 'tidings:';

export const WELCOME = 'tidings:welcome';
export const GAP = 'tidings:gap';
export const SUBSCRIBED = 'tidings:subscribed';
export const EXPIRING = 'tidings:expiring';
export const GOODBYE = 'tidings:goodbye';
export const LABEL = 'tidings:label';

/**
 * Why events are missing. `trimmed`: retention removed them. `epoch`: the cursor belongs to another incarnation of the
 * log. `unknown-cursor`: it is malformed, or ahead of the log.
 */
export type GapReason = 'trimmed' | 'epoch' | 'unknown-cursor';

export interface Gap {
  /** The topics and patterns that may have missed events. */
  readonly topics: readonly Matcher[];
  readonly reason: GapReason;
}

/** Data of the first event on every connection. */
export interface Welcome {
  /** Names this connection in `hub.connections()` and in logs. */
  readonly connection: string;
  /** Authorizes requests that change the connection's topics. Only this client knows it. */
  readonly secret: string;
  /** True if the request had a cursor and every event after it follows. */
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
  /** The longest the server stays quiet, in milliseconds: it sends at least a heartbeat. */
  readonly heartbeat: number;
  /** If the request asked for labels: what the connection is for. */
  readonly topics?: readonly Matcher[];
  /** If the request asked for labels: equal for streams that one reader may use in place of another. */
  readonly audience?: string;
}

/** Data of `tidings:label`: the connection's matchers by which the events up to the next label came. */
export interface Label {
  readonly topics: readonly Matcher[];
}

/** Data of `tidings:gap`. */
export interface GapNotice {
  readonly gaps: readonly Gap[];
}

/** Data of `tidings:subscribed`: all topics of the connection from now on. Topics it gained begin after its `id:`. */
export interface Subscribed {
  readonly topics: readonly Matcher[];
}

/** Data of `tidings:expiring`: the authorization ends soon, and with it the stream, unless it is renewed. */
export interface Expiring {
  /** Milliseconds. */
  readonly within: number;
}

/** Body of the POST that changes a connection. Without `add` and `drop` it renews the authorization. */
export interface Change {
  readonly connection: string;
  readonly secret: string;
  readonly add?: readonly Matcher[];
  readonly drop?: readonly Matcher[];
}

/** The response body. */
export interface Changed {
  /** Events of added topics begin after this cursor. */
  readonly cursor: string;
  readonly topics: readonly Matcher[];
}

/**
 * Why the server ends a stream. `drain`: it is going down. `expired`: the authorization ran out. `lifetime`: the
 * connection reached its maximum age. `evicted`: an operator or the app ended it. `wait`: the client asked for an answer
 * that ends.
 */
export type GoodbyeReason = 'drain' | 'expired' | 'lifetime' | 'evicted' | 'wait';

/** Data of `tidings:goodbye`, the last event of a stream that the server ends. */
export interface Goodbye {
  readonly reason: GoodbyeReason;
  /** Milliseconds to wait before connecting again; the same number stands in the frame's `retry:`. */
  readonly retry: number;
}
