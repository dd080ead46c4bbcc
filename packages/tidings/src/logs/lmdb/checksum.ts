import { crc32 } from 'node:zlib';

const PRIME = 0x01000193;
const START = 0x811c9dc5;

/** Encoded here, a text is summed up four bytes at a time: half the cost of a loop over its characters (`publish`). */
const scratch = Buffer.from(new ArrayBuffer(65_536));
const words = new Int32Array(scratch.buffer);
/** The most characters that fit, whatever they are. */
const MOST = scratch.length / 3;

/** 32 bits of a short text and a hash so far, as FNV-1a makes them: http://www.isthe.com/chongo/tech/comp/fnv/ */
export function mixText(hash: number, text: string): number {
  const { length } = text;
  let mixed = hash ^ length;
  let i = 0;
  // Two characters at a time: each step waits for the one before it.
  for (; i + 1 < length; i += 2)
    mixed = Math.imul(mixed ^ text.charCodeAt(i) ^ (text.charCodeAt(i + 1) << 8), PRIME);
  return i < length ? Math.imul(mixed ^ text.charCodeAt(i), PRIME) : mixed;
}

/** The same for one that may be absent. */
export function mixOptional(hash: number, text: string | null | undefined): number {
  return text === null || text === undefined ? Math.imul(hash ^ 0xffff, PRIME) : mixText(hash, text);
}

export function mixNumber(hash: number, value: number): number {
  // A time has more than 32 bits.
  const low = Math.imul(hash ^ (value >>> 0), PRIME);
  return Math.imul(low ^ Math.floor(value / 4_294_967_296), PRIME);
}

export function beginChecksum(seq: number): number {
  return mixNumber(START, seq);
}

/** 32 bits in which any single altered bit of the text's UTF-8 makes a difference. A signed number needs no object of its own. */
export function checksumOfData(data: string): number {
  if (data.length > MOST) return crc32(data) | 0;
  const bytes = scratch.write(data);
  const end = (bytes + 3) >> 2;
  // Bytes of an earlier text may follow.
  if ((bytes & 3) !== 0) words[end - 1] = (words[end - 1] as number) & ((1 << ((bytes & 3) << 3)) - 1);
  // Two sums: each step waits for the one before it.
  let even = START ^ bytes;
  let odd = START;
  let i = 0;
  for (; i + 1 < end; i += 2) {
    even = Math.imul(even ^ (words[i] as number), PRIME);
    odd = Math.imul(odd ^ (words[i + 1] as number), PRIME);
  }
  if (i < end) even = Math.imul(even ^ (words[i] as number), PRIME);
  return Math.imul(even, PRIME) ^ odd;
}
