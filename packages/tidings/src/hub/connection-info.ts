import type { Matcher } from '../protocol/matcher.ts';
import type { EndReason } from './tally.ts';

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

/** The report on a connection that is over. */
export interface ConnectionEnd {
  readonly reason: EndReason;
  /** Events handed to the transport. */
  readonly delivered: number;
  /** Bytes of frames handed to the transport. */
  readonly bytes: number;
  /** Milliseconds. */
  readonly duration: number;
}
