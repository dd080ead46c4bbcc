import { constants, crc32, deflateRawSync } from 'node:zlib';
import { concat } from '../protocol/bytes.ts';
import type { CompressedStream, Compression } from '../hub/compression.ts';
import { type Checks, aNumber, assertOptions } from '../protocol/options.ts';
import { remembering } from './once-for-all.ts';

export interface GzipOptions {
  /** 1, the fastest, to 9, the smallest. Default 6. */
  readonly level?: number;
}

const GZIP_OPTIONS: Checks<GzipOptions> = { level: aNumber({ min: 1, max: 9, integer: true }) };

/** A part of a gzip member that can follow any other: it has whole bytes and refers to nothing earlier. */
interface Block {
  readonly bytes: Uint8Array;
  /**
   * Of the uncompressed bytes: the checksum, the length, and the factor by which that length shifts an earlier
   * checksum.
   */
  readonly crc: number;
  readonly length: number;
  readonly shift: number;
}

/** https://www.rfc-editor.org/rfc/rfc1952#section-2.3: deflate, no name, no time, an unknown system. */
const HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);
/** An empty block that is the last: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.3 */
const LAST_BLOCK = Uint8Array.of(3, 0);
/** A stored block's header: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4 */
const STORED_HEADER = 5;
const MAX_STORED = 65_535;
/** Shorter input doesn't shrink. */
const MIN_DEFLATED = 60;

/**
 * Compresses each flush once for all connections that accept gzip, for `createHub({ compression: gzip() })`. Each flush
 * is compressed by itself, so it comes out larger than in a stream that can refer back to what it sent.
 *
 * Measured by the benchmark `compression`.
 *
 * @throws {TidingsError} `hub/invalid-option`.
 */
export function gzip(options: GzipOptions = {}): Compression {
  assertOptions(options, GZIP_OPTIONS);
  const { level = 6 } = options;
  const blockOf = remembering((bytes) => toBlock(bytes, level));
  return { encoding: 'gzip', begin: () => new GzipStream(blockOf) };
}

class GzipStream implements CompressedStream {
  readonly #blockOf: (bytes: Uint8Array) => Block;
  #begun = false;
  #crc = 0;
  #length = 0;

  constructor(blockOf: (bytes: Uint8Array) => Block) {
    this.#blockOf = blockOf;
  }

  write(bytes: Uint8Array): Uint8Array {
    const block = this.#blockOf(bytes);
    this.#crc = (multiply(block.shift, this.#crc) ^ block.crc) >>> 0;
    this.#length = (this.#length + block.length) >>> 0;
    if (this.#begun) return block.bytes;
    this.#begun = true;
    return concat([HEADER, block.bytes]);
  }

  end(bytes: Uint8Array): Uint8Array {
    const written = this.write(bytes);
    const trailer = new DataView(new ArrayBuffer(8));
    trailer.setUint32(0, this.#crc, true);
    trailer.setUint32(4, this.#length, true);
    return concat([written, LAST_BLOCK, new Uint8Array(trailer.buffer)]);
  }
}

function toBlock(bytes: Uint8Array, level: number): Block {
  return {
    bytes: compress(bytes, level),
    crc: crc32(bytes),
    length: bytes.length,
    shift: shiftOf(bytes.length),
  };
}

function compress(bytes: Uint8Array, level: number): Uint8Array {
  if (bytes.length < MIN_DEFLATED) return store(bytes);
  const deflated = deflate(bytes, level);
  const isSmaller = deflated.length < bytes.length + STORED_HEADER;
  return isSmaller || bytes.length > MAX_STORED ? deflated : store(bytes);
}

/** Ends at a whole byte with the empty block of a sync flush, and the client can read all of it at once. */
function deflate(bytes: Uint8Array, level: number): Uint8Array {
  return deflateRawSync(bytes, { level, finishFlush: constants.Z_SYNC_FLUSH });
}

function store(bytes: Uint8Array): Uint8Array {
  const stored = new Uint8Array(STORED_HEADER + bytes.length);
  const header = new DataView(stored.buffer);
  header.setUint16(1, bytes.length, true);
  header.setUint16(3, ~bytes.length & 0xffff, true);
  stored.set(bytes, STORED_HEADER);
  return stored;
}

/*
 * Computes the checksum of a whole from those of its parts. A CRC is the remainder of a polynomial over GF(2): the CRC
 * of AB is the CRC of A times x to the length of B in bits, plus the CRC of B. Bits are reflected: the highest power is
 * the lowest bit.
 */
const POLYNOMIAL = 0xedb88320;
const ONE = 0x80000000;
/** x to the 8th: one byte further. */
const ONE_BYTE = 0x00800000;

/** x to the power of eight times the length. */
function shiftOf(length: number): number {
  let shift = ONE;
  let power = ONE_BYTE;
  for (let rest = length; rest > 0; rest = Math.floor(rest / 2)) {
    if (rest % 2 === 1) shift = multiply(power, shift);
    power = multiply(power, power);
  }
  return shift;
}

function multiply(a: number, b: number): number {
  let product = 0;
  let multiple = b;
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((a & bit) !== 0) product ^= multiple;
    multiple = (multiple & 1) === 0 ? multiple >>> 1 : (multiple >>> 1) ^ POLYNOMIAL;
  }
  return product >>> 0;
}

export type { CompressedStream, Compression } from '../hub/compression.ts';
