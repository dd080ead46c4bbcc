import type { TidingsError } from 'tidings';
import { createError } from 'tidings/transport';

/**
 * Refusals of credentials. The message answers the client and never quotes the credential; `why` has the details for the
 * operator's log (as the error's cause).
 */
export function invalidToken(message: string, why?: unknown): TidingsError {
  return createError('auth/invalid-token', message, { cause: why });
}

export function invalidRequest(message: string): TidingsError {
  return createError('auth/invalid-request', message);
}

/** For the operator: facts of a credential that are no secrets. */
export class Why extends Error {
  override readonly name = 'Why';
}
