import type { Checkable } from './check.ts';
import type { Random } from './random.ts';
import type { FuzzRequest } from './requests.ts';
import type { Claim } from './values.ts';

/** What peers of one run share. */
export interface Attack {
  readonly port: number;
  readonly claims: Claim[];
  /** Tells of the request that is sent next. */
  sent(request: FuzzRequest): void;
  /** An answer, whole or as far as it came. @returns the claim of a stream that is open. */
  answered(request: FuzzRequest, answer: Checkable): Promise<Claim | undefined>;
  /**
   * Why there is no answer to it. `ended`: the hub has ended a stream, and the socket with it, before it
   * began; or it has answered before it had a long body, and the socket's reset was faster than the answer.
   */
  unanswered(request: FuzzRequest, why: 'left' | 'closed' | 'ended' | 'odd'): void;
}

/** Comes, asks for this and that, and leaves, politely or not. */
export type Peer = (attack: Attack, random: Random) => Promise<void>;

/** Milliseconds within which every answer has to come; generous, since the machine may be busy. */
export const PATIENCE = 30_000;
/** Milliseconds to wait for an answer to what may get none. */
export const ODD_PATIENCE = 50;
