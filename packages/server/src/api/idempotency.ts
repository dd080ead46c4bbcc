import { createHash } from 'node:crypto';
import type { EventInput } from 'tidings';
import { createError } from 'tidings/transport';

/** Requests whose bodies are remembered, to tell a retry from a key that is used for something else. */
const REMEMBERED = 10_000;

/** The body that a key was used for, and by how many requests. */
interface Use {
  readonly digest: string;
  requests: number;
}

/**
 * `Idempotency-Key`: the events of a request get ids made of it, and the log stores an id only once. So a retry appends
 * nothing, whichever server gets it and whatever was restarted in between, for as long as the log keeps the events.
 *
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export class Idempotency {
  readonly #uses = new Map<string, Use>();

  /**
   * @param credential keys of different credentials have nothing to do with each other.
   * @throws {TidingsError} `request/invalid-idempotency-key`, `request/idempotency-key-reused`.
   */
  identify(
    header: string,
    credential: string,
    body: Uint8Array,
    events: readonly EventInput[],
  ): { readonly events: readonly EventInput[]; readonly failed: () => void } {
    const name = hash(`${credential}\n${keyOf(header)}`);
    const digest = hash(body);
    const use = this.#uses.get(name) ?? { digest, requests: 0 };
    if (use.digest !== digest) {
      throw createError(
        'request/idempotency-key-reused',
        'This `Idempotency-Key` was used for another body: a new request needs a new key.',
      );
    }
    // At once: another body under the same key may come while this one is being published.
    use.requests += 1;
    this.#remember(name, use);
    return {
      // An id that the publisher chose is at least as good.
      events: events.map((event, i) => ({ ...event, id: event.id ?? `${name}.${i}` })),
      failed: () => {
        // A failed request may be corrected and sent again with the same key, unless another request with this body has succeeded, or still may.
        if (use.requests === 1) this.#uses.delete(name);
      },
    };
  }

  #remember(name: string, use: Use): void {
    this.#uses.delete(name);
    this.#uses.set(name, use);
    if (this.#uses.size <= REMEMBERED) return;
    const [oldest = ''] = this.#uses.keys();
    this.#uses.delete(oldest);
  }
}

/** The draft has a string in quotes; most clients send it bare. */
function keyOf(header: string): string {
  const [, quoted, bare] =
    /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/.exec(header) ?? [];
  const key = quoted ?? bare;
  if (key !== undefined) return key;
  throw createError(
    'request/invalid-idempotency-key',
    'Expected `Idempotency-Key` to be 1 to 255 visible ASCII characters, without quotes or backslashes within.',
  );
}

/** 132 bits. */
function hash(value: string | Uint8Array): string {
  return createHash('sha256').update(value).digest('base64url').slice(0, 22);
}
