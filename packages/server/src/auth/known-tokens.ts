import { type KeyObject, hash } from 'node:crypto';
import type { Algorithm } from './algorithms.ts';
import type { VerifiedToken } from './tokens.ts';

/** A token whose signature was checked, and how. */
export interface KnownToken {
  readonly token: VerifiedToken;
  readonly algorithm: Algorithm;
  readonly kid: string | undefined;
  readonly typ: unknown;
  /** Its signature is by this one. */
  readonly key: KeyObject;
}

/** Publishers are few and send the same token again and again; a stream needs its token only once. */
const MAX_TOKENS = 1000;
/** Characters of all tokens, whose claims are kept. */
const MAX_LENGTH = 1_000_000;

/**
 * Checking a signature takes most of the time of a small request (`bench` suite `server`), so it is done once for each token.
 * A token that is found here still has to pass the clock, the type and whether its key is in use.
 */
export class KnownTokens {
  /** By hash: tokens are secrets. The one that was used longest ago comes first. */
  readonly #tokens = new Map<string, { readonly known: KnownToken; readonly length: number }>();
  #length = 0;

  find(text: string): KnownToken | undefined {
    const name = nameOf(text);
    const entry = this.#tokens.get(name);
    if (entry === undefined) return undefined;
    this.#tokens.delete(name);
    this.#tokens.set(name, entry);
    return entry.known;
  }

  /** Call this for tokens with a valid signature alone: strangers then can't push out those of others. */
  add(text: string, known: KnownToken): void {
    this.forget(text);
    this.#tokens.set(nameOf(text), { known, length: text.length });
    this.#length += text.length;
    for (const [name, { length }] of this.#tokens) {
      if (this.#tokens.size <= MAX_TOKENS && this.#length <= MAX_LENGTH) return;
      this.#tokens.delete(name);
      this.#length -= length;
    }
  }

  forget(text: string): void {
    const name = nameOf(text);
    this.#length -= this.#tokens.get(name)?.length ?? 0;
    this.#tokens.delete(name);
  }

  get size(): number {
    return this.#tokens.size;
  }
}

function nameOf(text: string): string {
  return hash('sha256', text, 'base64url');
}
