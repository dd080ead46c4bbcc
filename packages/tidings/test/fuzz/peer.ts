import type { Checkable } from './check.ts';
import type { Random } from './random.ts';
import type { FuzzRequest } from './requests.ts';
import type { Target } from './targets.ts';
import type { Claim } from './values.ts';

/** The common state of the peers of one run. */
export interface Attack {
  readonly port: number;
  readonly target: Target;
  readonly claims: Claim[];
  /** Tells of the request that is sent next. */
  sent(request: FuzzRequest): void;
  /** An answer, whole or as far as it came. @returns the claim of a stream that is open. */
  answered(request: FuzzRequest, answer: Checkable): Promise<Claim | undefined>;
  /**
   * Why there is no answer to it. `ended`: the hub has ended a stream, and the socket with it, before it began; or it has refused a
   * body of unknown length. `error`:
   * the code of the socket's error.
   */
  unanswered(request: FuzzRequest, why: Unanswered, error?: string): void;
}

export type Unanswered = 'left' | 'closed' | 'ended' | 'odd';

/** Comes, asks for this and that, and leaves, politely or not. */
export type Peer = (attack: Attack, random: Random) => Promise<void>;

/** Milliseconds within which every answer has to come; generous, since the machine may be busy. */
export const PATIENCE = 30_000;
/** Milliseconds to wait for an answer to what may get none. */
export const ODD_PATIENCE = 50;

/**
 * Why the socket closed before the answer to the batch's request number `n`. Answers come in order, so only that request
 * or one before it may have ended the socket.
 */
export function whyUnanswered(
  batch: readonly Pick<FuzzRequest, 'method' | 'framing' | 'isOdd'>[],
  n: number,
): Unanswered {
  if (batch[n]?.isOdd === true) return 'odd';
  // A peer whose next requests are still being sent when a socket closes may lose the answers, too.
  const mayEnd = batch
    .slice(0, n + 1)
    .some(({ method, framing }) => method === 'GET' || framing === 'chunked' || framing === 'trailers');
  return mayEnd ? 'ended' : 'closed';
}
