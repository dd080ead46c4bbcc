import { openBody, toBytes } from './body.ts';
import { within } from './deadline.ts';
import type { Timers } from './options.ts';
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
 * Reads what a server says about a failure, then lets go of the body: an answer that goes on for ever, or never begins,
 * must not keep the client from its next step.
 */
export async function readProblem(
  timers: Timers,
  { body, headers }: FetchResponse,
  signal: AbortSignal,
): Promise<Problem> {
  const isJson = /^application\/([\w.-]+\+)?json\b/i.test(headers.get('content-type') ?? '');
  let source;
  try {
    source = openBody(body);
    if (source === undefined || !isJson) return {};
    const reading = readText(source.read);
    return parseProblem(await within(timers, TIMEOUT, reading, late, signal));
  } catch {
    // The status says enough.
    return {};
  } finally {
    source?.cancel();
  }
}

const late = (): Error => new Error('It takes too long.');

/** The body as text, up to 64 KB of it. */
export async function readAll(body: unknown): Promise<string> {
  const source = openBody(body);
  if (source === undefined) return '';
  try {
    return await readText(source.read);
  } finally {
    source.cancel();
  }
}

async function readText(
  read: () => Promise<{ done?: boolean | undefined; value?: unknown }>,
): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  while (text.length < MAX_BYTES) {
    const { done, value } = await read();
    if (done === true) break;
    text += decoder.decode(toBytes(value), { stream: true });
  }
  return text;
}

function parseProblem(text: string): Problem {
  const problem: unknown = JSON.parse(text);
  if (typeof problem !== 'object' || problem === null) return {};
  const { detail, code, ...rest } = problem as Record<string, unknown>;
  return {
    ...rest,
    ...(typeof detail === 'string' && { detail }),
    ...(typeof code === 'string' && { code }),
  };
}
