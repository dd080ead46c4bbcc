import { crc32 } from 'node:zlib';

const PRIME = 0x01000193;
const START = 0x811c9dc5;
/** Up to so many characters a loop here is faster than a call of native code. Measured by `publish`. */
const SHORT = 200;

/** 32 bits of a short text and a hash so far, by FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function mixText(hash: number, text: string | null | undefined): number {
  if (text === null || text === undefined) return Math.imul(hash ^ 0xffff, PRIME);
  let mixed = hash ^ text.length;
  for (let i = 0; i < text.length; i += 1) mixed = Math.imul(mixed ^ text.charCodeAt(i), PRIME);
  return mixed;
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
  return data.length > SHORT ? crc32(data) : mixText(START, data) >>> 0;
}
