import { createError } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** Enough for a hundred topics of maximum length. */
const MAX_BYTES = 262_144;
/** Milliseconds that a peer may take to send a body. */
const TIMEOUT = 10_000;

/** @throws {TidingsError} `request/invalid-body` (400), `request/body-too-large` (413), `request/timeout` (408). */
export async function readJson(body: AsyncIterable<unknown> | Iterable<unknown>): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), TIMEOUT);
  });
  try {
    return parse(await Promise.race([readText(body), timeout]));
  } finally {
    clearTimeout(timer);
  }
}

async function readText(body: AsyncIterable<unknown> | Iterable<unknown>): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > MAX_BYTES) break;
      text += decoder.decode(chunk, { stream: true });
    }
  } catch (cause) {
    // Most likely the peer has left; in any case the app didn't fail.
    throw createError('request/invalid-body', 'The body broke off.', { cause });
  }
  if (bytes <= MAX_BYTES) return text + decoder.decode();
  throw createError('request/body-too-large', `The body may have ${MAX_BYTES} bytes.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw createError('request/invalid-body', 'The body is not JSON.', { cause });
  }
}

function tooSlow(): TidingsError {
  return createError('request/timeout', `The body did not come within ${TIMEOUT} ms.`);
}

/** `where`: the property in which the parsed body was expected. */
export function bodyAlreadyRead(where: string): TidingsError {
  return createError(
    'request/body-already-read',
    `Something has read the body before the hub got the request, and left nothing of it in ${where}. Mount the hub ` +
      'before what reads bodies, or let that parse `application/json`.',
  );
}
