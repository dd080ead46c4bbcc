import type { Start } from '../protocol/cursor.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { Format } from './delivery/format.ts';
import type { Member } from './presence/presence.ts';

/** An incoming connection, as its transport read it: who it is and what it asks for. */
export interface ConnectRequest {
  /** The topics and patterns that the subscriber asks for. */
  readonly wanted: MatcherSet;
  /** The topics granted by name, which private events need. */
  readonly granted: MatcherSet;
  readonly start: Start;
  /** Where to begin if the cursor isn't one of this log: with the next event (the default), or the oldest there is. */
  readonly otherwise?: 'head' | 'earliest' | undefined;
  /** Whether the cursor comes from an earlier connection, which got the snapshot already. */
  readonly reconnects: boolean;
  readonly subject: string | undefined;
  /** The member it counts as in presence. Default: the subject; without one, a member of its own. */
  readonly member?: Member | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAt: number | undefined;
  /** When its authorization was issued, milliseconds since 1970. */
  readonly issuedAt?: number | undefined;
  /** The id of the token that it was authorized by. */
  readonly tokenId?: string | undefined;
  readonly remote: string | undefined;
  readonly userAgent: string | undefined;
  /** Like `HTTP/1.1`. */
  readonly protocol: string;
  /** The stream says by which matchers each event came. */
  readonly labels?: boolean | undefined;
  /** How the stream is written, for a protocol other than the hub's. Not together with `labels`. */
  readonly format?: Format | undefined;
  /** Stands for whom the stream is for, if several of their readers may share it. */
  readonly audience?: string | undefined;
  /** A read that ends at once: nobody stays to be present. */
  readonly isPassing?: boolean | undefined;
  /** The handler that asks. Only it may change the connection, since its `authorize` checked the topics. */
  readonly handler?: object | undefined;
}

/** The fields of a `ConnectRequest` that may change while the connection lasts. */
export type ConnectionTerms = Pick<
  ConnectRequest,
  'wanted' | 'granted' | 'expiresAt' | 'issuedAt' | 'tokenId'
>;
