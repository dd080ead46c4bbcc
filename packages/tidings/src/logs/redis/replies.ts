import { TidingsError, createLogError } from '../../log/index.ts';

/** An answer of Redis, as clients give it: text, numbers, null, and lists of these. */
export type Reply = string | number | null | readonly Reply[];

/**
 * Replies of a server that does nothing now and may do so later, or another one in its place: it starts, was made a
 * replica, is busy, or the cluster is changing. https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
 */
const PASSING = [
  'LOADING',
  'READONLY',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
  'BUSY',
  'TIDINGS-MOVING',
];

/** The word that Redis puts first if it refuses a command, and has done nothing; undefined for other errors. */
export function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error instanceof TidingsError) return undefined;
  return /^([A-Z][A-Z0-9-]+) /.exec(error.message)?.[1];
}

export function isReplyError(error: unknown): error is Error {
  return replyCode(error) !== undefined;
}

function isPassing(error: Error): boolean {
  return PASSING.includes(replyCode(error) ?? '');
}

export interface WaitOptions {
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
  /** Milliseconds that all tries may take, if this is one of several; for the message. Default `timeout`. */
  readonly inAll?: number;
  /** Is called if there is none, or if the server takes no writes: another connection may lead to another server. */
  readonly onStuck?: () => void;
}

/**
 * Without a connection, clients queue commands for any length of time.
 *
 * @throws {TidingsError} `log/unavailable`; or the client's error if Redis refuses the command.
 */
export function inTime<T>(
  answer: Promise<T>,
  { timeout, inAll = timeout, onStuck }: WaitOptions,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      onStuck?.();
      reject(unanswered(inAll));
    }, timeout);
    answer.then(
      (reply) => {
        clearTimeout(timer);
        resolve(reply as Reply);
      },
      (error: unknown) => {
        clearTimeout(timer);
        if (replyCode(error) === 'READONLY') onStuck?.();
        reject(isReplyError(error) && !isPassing(error) ? error : unavailable(error));
      },
    );
  });
}

/** The error for a connection that failed, or a server that takes no commands. */
export function unavailable(cause: unknown): TidingsError {
  if (cause instanceof TidingsError) return cause;
  const code = replyCode(cause);
  const message = code === undefined ? 'Redis can’t be reached.' : `Redis takes no commands now: ${code}.`;
  return createLogError('log/unavailable', message, { details: { retryAfter: 5 }, cause });
}

/** The same for a log that is opened: what Redis refuses then, for lack of a right or of room say, it can't do without. */
export function notOpened(cause: unknown): unknown {
  if (!isReplyError(cause)) return cause;
  const message = `Redis refuses a command that the log needs: ${cause.message}`;
  return createLogError('log/unavailable', message, { cause });
}

function unanswered(timeout: number): TidingsError {
  const message = `Redis has not answered within ${Math.ceil(timeout)} ms; whether it did what was asked is not known.`;
  return createLogError('log/unavailable', message, { details: { retryAfter: 5 } });
}
