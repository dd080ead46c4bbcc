import { type ErrorCode, createError } from '../protocol/errors.ts';
import type { TidingsError, TidingsErrorOptions } from '../protocol/tidings-error.ts';

/** The codes that an engine fails with; its options are checked by `assertOptions`. `docs/errors.md` explains each. */
export type LogErrorCode = Extract<ErrorCode, `log/${string}` | 'event/invalid-option' | 'package/missing'>;

/** An error with its code's HTTP status. `details.retryAfter`, in seconds, is passed on to the publisher. */
export function createLogError(
  code: LogErrorCode,
  message: string,
  options: Omit<TidingsErrorOptions, 'status'> = {},
): TidingsError {
  return createError(code, message, options);
}

/** The error of a log that has been closed. */
export function closedError(): TidingsError {
  return createError('log/closed', 'The log is closed; the hub was shut down.');
}
