import { openBody, type Read, toBytes } from './body.ts';
import { within } from './deadline.ts';
import type { Timers } from './timers.ts';
import type { FetchResponse } from './web.ts';

/** A server's own words about a failure: members of problem details, https://www.rfc-editor.org/rfc/rfc9457 */
export interface Problem {
  readonly detail?: string;
  /** Of this library's servers: the code of the error. */
  readonly code?: string;
  readonly [member: string]: unknown;
}

/** Milliseconds to wait for the server's explanation of a failure. */
const TIMEOUT = 2_000;
/** No explanation needs more bytes. */
const MAX_BYTES = 65_536;

/**
 * Reads what a server says about a failure. An answer that goes on for ever, or never begins, must not keep the client from
 * its next step, which aborts the signal and so releases the body.
 */
export async function readProblem(
  timers: Timers,
  { status, body, headers }: FetchResponse,
  signal: AbortSignal,
): Promise<Problem> {
  try {
    const read = openBody(body, signal);
    if (status < 400 || !/^application\/([\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? ''))
      return {};
    const late = (): Error => new Error('It takes too long.');
    const problem: unknown = JSON.parse(await within(timers, TIMEOUT, readAll(read), late, signal));
    const { detail, code, ...rest } = problem as Problem;
    return {
      ...rest,
      ...(typeof detail === 'string' && { detail }),
      ...(typeof code === 'string' && { code }),
    };
  } catch {
    // The status says enough.
    return {};
  }
}

/** The body as text, up to 64 KB of it. */
export async function readAll(read: Read): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  while (text.length < MAX_BYTES) {
    const { done, value } = await read();
    if (done === true) break;
    text += decoder.decode(toBytes(value), { stream: true });
  }
  return text;
}
