import { createError } from 'tidings/transport';

/** Names and values, in the order in which they came. */
export type Pairs = readonly (readonly [name: string, value: string])[];

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const PERCENT = 0x25;
const PLUS = 0x2b;
const SPACE = 0x20;

/** The most fields of a form: reading half a million, which a body of the default limit may have, takes more than a second. */
const MAX_FIELDS = 2000;

/**
 * Reads `application/x-www-form-urlencoded` as https://url.spec.whatwg.org/#urlencoded-parsing does, except that it refuses
 * what is no UTF-8, where `URLSearchParams` puts a replacement character.
 *
 * @throws {TidingsError} `request/invalid-body`, `request/body-too-large`.
 */
export function parseForm(bytes: Buffer): Pairs {
  const pairs: [string, string][] = [];
  for (const pair of split(bytes, '&')) {
    if (pair.length === 0) continue;
    if (pairs.length === MAX_FIELDS)
      throw createError('request/body-too-large', `A form may have ${MAX_FIELDS} fields.`);
    const at = pair.indexOf('=');
    const name = at === -1 ? pair : pair.subarray(0, at);
    pairs.push([decode(name), at === -1 ? '' : decode(pair.subarray(at + 1))]);
  }
  return pairs;
}

/** The query of a request's URL, as Node gives it: each character is a byte. */
export function parseQuery(url: string): Pairs {
  const at = url.indexOf('?');
  return at === -1 ? [] : parseForm(Buffer.from(url.slice(at + 1), 'latin1'));
}

function* split(bytes: Buffer, separator: string): Generator<Buffer> {
  let from = 0;
  for (let to = bytes.indexOf(separator); to !== -1; to = bytes.indexOf(separator, from)) {
    yield bytes.subarray(from, to);
    from = to + 1;
  }
  yield bytes.subarray(from);
}

function decode(bytes: Buffer): string {
  const decoded = Buffer.alloc(bytes.length);
  let length = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i] as number;
    const escaped = byte === PERCENT ? hexadecimal(bytes, i + 1) : undefined;
    if (escaped !== undefined) i += 2;
    decoded[length] = escaped ?? (byte === PLUS ? SPACE : byte);
    length += 1;
  }
  try {
    return decoder.decode(decoded.subarray(0, length));
  } catch (cause) {
    throw createError('request/invalid-body', 'A name or a value is no UTF-8.', { cause });
  }
}

/** Two hexadecimal digits; undefined if there are none, and "%" stands for itself. */
function hexadecimal(bytes: Buffer, at: number): number | undefined {
  const digits = bytes.toString('latin1', at, at + 2);
  return /^[0-9a-fA-F]{2}$/.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

export function all(pairs: Pairs, name: string): readonly string[] {
  return pairs.filter(([each]) => each === name).map(([, value]) => value);
}

export function first(pairs: Pairs, name: string): string | undefined {
  return pairs.find(([each]) => each === name)?.[1];
}
