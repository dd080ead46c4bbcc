import { groupOf } from '../hub/address.ts';
import { createError, tooManyRequests } from '../protocol/errors.ts';
import { exceededBound } from '../protocol/json-shape.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** Enough for a hundred topics of maximum length. */
const MAX_BYTES = 262_144;
/** Milliseconds that a peer may take to send a body. */
const TIMEOUT = 10_000;

/**
 * @param remote the peer's address, if it is known: one address can't take up the room for long bodies.
 * @throws {TidingsError} `request/invalid-body` (400), `request/body-too-large` (413), `request/timeout` (408), `limit/rate`
 * (429).
 */
export async function readJson(
  body: AsyncIterable<unknown> | Iterable<unknown>,
  remote?: string,
): Promise<unknown> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(tooSlow()), TIMEOUT);
  });
  const gathered = new GatheredBytes(remote);
  try {
    return parse(await Promise.race([readText(body, gathered), timeout]));
  } finally {
    clearTimeout(timer);
    // Also if the rest of the body is still awaited: a peer may hold it back as long as it likes.
    gathered.release();
  }
}

async function readText(
  body: AsyncIterable<unknown> | Iterable<unknown>,
  gathered: GatheredBytes,
): Promise<string> {
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      // Not by an error, which would look as if the body had broken off.
      if (!gathered.add(chunk)) break;
    }
  } catch (cause) {
    // Most likely the peer has left; in any case the app didn't fail.
    throw createError('request/invalid-body', 'The body broke off.', { cause });
  }
  return gathered.text();
}

/** A body of up to so many bytes is always read: a request's head may be as large. */
const SHORT = 16_384;
/**
 * Longer ones that this process reads at a time: peers may send slowly, on any number of sockets. Not all of them from one
 * address, or one /64 of IPv6; a private address may be a proxy's, which everybody comes through.
 */
const MAX_LONG = 32;
const MAX_LONG_PER_ADDRESS = 8;

let long = 0;
const longByAddress = new Map<string, number>();

/** The bytes of a body, in one piece: a body may come in a quarter of a million chunks, each of which would take memory. */
class GatheredBytes {
  #bytes: Uint8Array = new Uint8Array(1024);
  #length = 0;
  #isLong = false;
  #isOver = false;
  #refusal: TidingsError | undefined;
  readonly #remote: string | undefined;
  /** The address that its room counts for. */
  #address: string | undefined;

  constructor(remote: string | undefined) {
    this.#remote = remote;
  }

  /** @returns false if that is too much. */
  add(chunk: Uint8Array): boolean {
    if (this.#isOver) return false;
    const length = this.#length + chunk.length;
    this.#refusal = this.#refuse(length);
    if (this.#refusal !== undefined) return false;
    if (length > this.#bytes.length) {
      const bytes = new Uint8Array(Math.min(MAX_BYTES, Math.max(length, 2 * this.#bytes.length)));
      bytes.set(this.#bytes);
      this.#bytes = bytes;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
    return true;
  }

  #refuse(length: number): TidingsError | undefined {
    if (length > MAX_BYTES)
      return createError('request/body-too-large', `The body may have ${MAX_BYTES} bytes.`);
    if (length <= SHORT || this.#isLong) return undefined;
    const address = publicAddress(this.#remote);
    const ofAddress = address === undefined ? 0 : (longByAddress.get(address) ?? 0);
    if (long >= MAX_LONG || ofAddress >= MAX_LONG_PER_ADDRESS)
      return tooManyRequests('Too many long bodies are on their way at the moment.', 1);
    long += 1;
    this.#isLong = true;
    this.#address = address;
    if (address !== undefined) longByAddress.set(address, ofAddress + 1);
    return undefined;
  }

  /** From now on nothing is added. */
  release(): void {
    if (this.#isLong) this.#giveRoom();
    this.#isLong = false;
    this.#isOver = true;
    this.#bytes = new Uint8Array();
  }

  #giveRoom(): void {
    long -= 1;
    if (this.#address === undefined) return;
    const left = (longByAddress.get(this.#address) ?? 1) - 1;
    if (left === 0) longByAddress.delete(this.#address);
    else longByAddress.set(this.#address, left);
  }

  text(): string {
    if (this.#refusal !== undefined) throw this.#refusal;
    return new TextDecoder().decode(this.#bytes.subarray(0, this.#length));
  }
}

function publicAddress(remote: string | undefined): string | undefined {
  if (remote === undefined) return undefined;
  const { key, isPrivate } = groupOf(remote);
  return isPrivate ? undefined : key;
}

/** A change has fewer, whatever the limits of a hub: each value takes a hundred times as long to read as a character. */
const BOUNDS = { depth: 8, values: 10_000 };

function parse(text: string): unknown {
  const exceeded = exceededBound(text, BOUNDS);
  if (exceeded !== undefined) {
    const what = exceeded === 'depth' ? 'levels' : 'values';
    throw createError('request/invalid-body', `The JSON may have ${BOUNDS[exceeded]} ${what}.`);
  }
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
