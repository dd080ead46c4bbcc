import type { Start } from '../protocol/cursor.ts';
import type { Matcher } from '../protocol/matcher.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { Member } from './presence/presence.ts';

/** An incoming connection, as its transport read it: who it is and what it asks for. */
export interface ConnectRequest {
  /** The topics and patterns that the subscriber asks for. */
  readonly wanted: MatcherSet;
  /** The topics granted by name, which private events need. */
  readonly granted: MatcherSet;
  readonly start: Start;
  /** Whether the cursor comes from an earlier connection, which got the snapshot already. */
  readonly reconnects: boolean;
  readonly subject: string | undefined;
  /** The member it counts as in presence. Default: the subject; without one, a member of its own. */
  readonly member?: Member | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  /** Like `HTTP/1.1`. */
  readonly protocol: string;
  /** The stream says by which matchers each event came. */
  readonly labels?: boolean | undefined;
  /** Stands for whom the stream is for, if several of their readers may share it. */
  readonly audience?: string | undefined;
  /** The handler that asks. Only it may change the connection, since its `authorize` checked the topics. */
  readonly handler?: object | undefined;
}

/** The fields of a `ConnectRequest` that may change while the connection lasts. */
export type ConnectionTerms = Pick<ConnectRequest, 'wanted' | 'granted' | 'expiresAt'>;

/** `opening`: admitted, nothing sent. `behind`: reads from its cursor. `live`: at the head. `ending`: said goodbye. */
export type ConnectionPhase = 'opening' | 'behind' | 'live' | 'ending' | 'closed';

/** A connection's public details. */
export interface ConnectionInfo {
  readonly id: string;
  readonly subject: string | undefined;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  readonly protocol: string;
  readonly topics: readonly Matcher[];
  readonly phase: ConnectionPhase;
  /** Events of the log, matching or not, that are still ahead of this connection's cursor. */
  readonly lag: number;
  /** Bytes of frames handed to the transport. */
  readonly bytes: number;
  /** Milliseconds since 1970. */
  readonly connectedAt: number;
}
