import type { ErrorCode } from './errors.ts';

export interface TidingsErrorOptions {
  /**
   * The HTTP status that answers a request which failed like this; absent if the caller didn't cause it (500). Of an
   * error of the client, the status of the response.
   */
  readonly status?: number;
  /** Facts for programs, merged into the problem details of an HTTP answer: no secrets here. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** The one error class of the library. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  readonly code: ErrorCode;
  readonly status: number | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: TidingsErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : options);
    this.code = code;
    this.status = options.status;
    this.details = options.details ?? {};
  }
}
