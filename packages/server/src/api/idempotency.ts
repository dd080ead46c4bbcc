import { createHash } from 'node:crypto';
import type { EventInput } from 'tidings';
import { createError } from 'tidings/transport';

/** Requests whose bodies are remembered, to tell a retry from a key that is used for something else. */
const REMEMBERED = 10_000;

/**
 * `Idempotency-Key`: the events of a request get ids made of it, and the log stores an id only once. So a retry appends
 * nothing, whichever server gets it and whatever was restarted in between, for as long as the log keeps the events.
 *
 * https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
export class Idempotency {
  readonly #digests = new Map<string, string>();

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
    const known = this.#digests.get(name);
    if (known !== undefined && known !== digest) {
      throw createError(
        'request/idempotency-key-reused',
        'This `Idempotency-Key` was used for another body: a new request needs a new key.',
      );
    }
    // At once: another body under the same key may come while this one is being published.
    this.#remember(name, digest);
    return {
      // An id that the publisher chose is at least as good.
      events: events.map((event, i) => ({ ...event, id: event.id ?? `${name}.${i}` })),
      failed: () => {
        // What failed may be mended under the same key.
        if (known === undefined) this.#digests.delete(name);
      },
    };
  }

  #remember(name: string, digest: string): void {
    this.#digests.delete(name);
    this.#digests.set(name, digest);
    if (this.#digests.size <= REMEMBERED) return;
    const [oldest = ''] = this.#digests.keys();
    this.#digests.delete(oldest);
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
