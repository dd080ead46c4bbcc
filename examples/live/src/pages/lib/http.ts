import type { Problem } from '../../shared/api.ts';

/** A request that was refused, or (`status` 0) never answered. `message` is fit to be shown. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  /** Seconds, if the server said when to come back. */
  readonly retryAfter: number | undefined;
  readonly fields: NonNullable<Problem['errors']>;

  constructor(
    status: number,
    problem: Partial<Problem>,
    options: { retryAfter?: number; cause?: unknown } = {},
  ) {
    super(problem.detail ?? `The server answered ${status}.`, { cause: options.cause });
    this.status = status;
    this.code = problem.code ?? 'client/unknown';
    this.retryAfter = options.retryAfter;
    this.fields = problem.errors ?? [];
  }

  /** Whether the same request is likely to succeed later. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/**
 * Asks the app's API.
 *
 * @param signal once it aborts, the answer is no longer wanted, even if it has arrived
 * @throws {ApiError}
 * @throws the signal's reason
 */
export async function ask<Answer>(
  method: Method,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<Answer> {
  try {
    return await request<Answer>(method, path, body, signal);
  } finally {
    signal?.throwIfAborted();
  }
}

async function request<Answer>(
  method: Method,
  path: string,
  body: unknown,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const init: RequestInit = { method, headers: { Accept: 'application/json' }, signal: signal ?? null };
  if (body !== undefined) {
    init.headers = { Accept: 'application/json', 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (cause) {
    throw new ApiError(0, { code: 'client/network', detail: 'The server cannot be reached.' }, { cause });
  }
  if (!response.ok) throw await refusal(response);
  return (response.status === 204 ? undefined : await readJson(response)) as Answer;
}

async function readJson(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    const detail = 'The server’s answer was cut short.';
    throw new ApiError(0, { code: 'client/network', detail }, { cause });
  }
}

async function refusal(response: Response): Promise<ApiError> {
  const type = response.headers.get('Content-Type') ?? '';
  const problem = type.startsWith('application/problem+json') ? ((await readJson(response)) as Problem) : {};
  const seconds = Number(response.headers.get('Retry-After') ?? NaN);
  return new ApiError(response.status, problem, Number.isFinite(seconds) ? { retryAfter: seconds } : {});
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 15_000;

/** Asks again and again while the failure is a temporary one. @throws {ApiError} any other failure */
export async function untilAnswered<Answer>(request: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ApiError) || !error.temporary) throw error;
      const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);
      await sleep(error.retryAfter === undefined ? wait : error.retryAfter * 1000);
    }
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** The message for the user about an error. */
export function words(error: unknown): string {
  return error instanceof ApiError ? error.message : 'Something went wrong on this page.';
}
