import { crc32 } from 'node:zlib';

const PRIME = 0x01000193;
const START = 0x811c9dc5;
/** Up to so many characters a loop here is faster than a call of native code. Measured by `publish`. */
const SHORT = 200;

/** 32 bits of a short text and a hash so far, as FNV-1a makes them: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function mixText(hash: number, text: string | null | undefined): number {
  if (text === null || text === undefined) return Math.imul(hash ^ 0xffff, PRIME);
  const { length } = text;
  let mixed = hash ^ length;
  let i = 0;
  // Two characters at a time: each step waits for the one before it.
  for (; i + 1 < length; i += 2)
    mixed = Math.imul(mixed ^ text.charCodeAt(i) ^ (text.charCodeAt(i + 1) << 8), PRIME);
  return i < length ? Math.imul(mixed ^ text.charCodeAt(i), PRIME) : mixed;
}

export function mixNumber(hash: number, value: number): number {
  // A time has more than 32 bits.
  const low = Math.imul(hash ^ (value >>> 0), PRIME);
  return Math.imul(low ^ Math.floor(value / 4_294_967_296), PRIME);
}

export function beginChecksum(seq: number): number {
  return mixNumber(START, seq);
}

export function checksumOfData(data: string): number {
  // A signed number needs no object of its own.
  return (data.length > SHORT ? crc32(data) : mixText(START, data)) | 0;
}
