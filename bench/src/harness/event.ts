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
/** Bytes of a JSON event without its objects. */
const JSON_FRAME = 49;
const COLOURS = ['Amber', 'Crimson', 'Indigo', 'Olive', 'Teal', 'Umber', 'Violet'];
const METALS = ['Copper', 'Nickel', 'Palladium', 'Platinum', 'Silver', 'Tin', 'Titanium', 'Zinc'];
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

/**
 * The same as JSON, as apps send it: objects that are alike, of which only prices change from event to event. At least
 * `size` long, by less than an object more.
 */
export function makeJson(stamp: number, number: number, size: number): string {
  const quotes: string[] = [];
  for (let length = 0; length < size - JSON_FRAME; length += (quotes.at(-1)?.length ?? 0) + 1) {
    quotes.push(makeQuote(quotes.length, number));
  }
  return `{"sent":"${makeData(stamp, number, 0)}","quotes":[${quotes.join()}]}`;
}

function makeQuote(n: number, number: number): string {
  const id = scatter(n).toString(16).padStart(8, '0');
  const name = `${COLOURS[n % COLOURS.length]} ${METALS[scatter(n) % METALS.length]}`;
  const random = scatter(number * 1000 + n);
  return `{"id":"${id}","name":"${name}","price":${(random % 100_000) / 100},"volume":${random >>> 16}}`;
}

/** The same for the same number, and as good as random from one to the next: the end of MurmurHash3. */
function scatter(n: number): number {
  let hash = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
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
