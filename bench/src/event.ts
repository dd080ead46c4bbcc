/**
 * The events that are sent, alike for all subjects: `~`, when it was sent in µs (16 digits), its number (10 digits),
 * padding. The clock is the monotonic one, which all processes of a machine share.
 *
 * The marker is a single byte that stands nowhere else in a stream: not in ids, the welcome, heartbeats or the sizes
 * of chunks. So counting markers counts events exactly, wherever chunks and reads cut the stream.
 */
export const MARKER = 0x7e;
const STAMP_DIGITS = 16;
const NUMBER_DIGITS = 10;
/** Bytes from the marker to the padding. */
export const HEAD_BYTES = 1 + STAMP_DIGITS + NUMBER_DIGITS;

export function micros(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

export function makeData(stamp: number, number: number, size: number): string {
  const digits = String(stamp).padStart(STAMP_DIGITS, '0') + String(number).padStart(NUMBER_DIGITS, '0');
  return `~${digits}`.padEnd(size, 'x');
}

/** The stamp of the event whose marker is at `at`; undefined if a chunk's border cuts it. */
export function readStamp(bytes: Uint8Array, at: number): number | undefined {
  return readDigits(bytes, at + 1, STAMP_DIGITS);
}

export function readNumber(bytes: Uint8Array, at: number): number | undefined {
  return readDigits(bytes, at + 1 + STAMP_DIGITS, NUMBER_DIGITS);
}

function readDigits(bytes: Uint8Array, start: number, count: number): number | undefined {
  let value = 0;
  for (let i = start; i < start + count; i += 1) {
    const digit = (bytes[i] ?? 0) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
