import type { ClientHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { HEAD_BYTES, MARKER, micros, readNumber, readStamp } from '../event.ts';
import type { Wire } from '../wire.ts';
import { openLine } from './lines.ts';
import { type Tally, recordLatency } from './tally.ts';

export interface ReaderOptions {
  readonly port: number;
  readonly path: string;
  readonly lastEventId?: string | undefined;
  /** The content coding that it accepts. It hides the events, so bytes are counted. */
  readonly encoding?: string | undefined;
  /** Whether every event's number has to be that of the one before, plus one. */
  readonly ordered: boolean;
  /** Whether it reads no further than the beginning of the stream. */
  readonly stalled: boolean;
  readonly wire: Wire;
  /** Over HTTP/2: the one that it is a stream of. */
  readonly session?: ClientHttp2Session | undefined;
}

export interface Reader {
  readonly socket: Duplex;
  /** Events since the last reset, or bytes. */
  count: number;
  /** Number of the newest event, if order is checked; and how many came out of order. */
  last: number;
  broken: number;
  /** Whether it has stopped reading. */
  stalled: boolean;
  /** Whether it is this side that ends the connection. */
  leaving: boolean;
}

/** All sockets are read into one buffer, which saves memory; one byte more, to stop searches. */
const READ_BYTES = 262_144;
const buffer = Buffer.alloc(READ_BYTES + 1);
const onreadBuffer = buffer.subarray(0, READ_BYTES);

/** Opens a connection and counts its events. `onOpen` is called once the response has begun. */
export function openReader(
  options: ReaderOptions,
  tally: Tally,
  onOpen: (error?: Error) => void,
  onBody?: () => void,
): Reader {
  // HTTP/2 separates the head.
  let head: string | undefined = options.wire === 'http2' ? undefined : '';
  let cut: Buffer | undefined;

  const socket = openLine(options, {
    buffer: onreadBuffer,
    head: request(options),
    onRead,
    onResponse: (status) => onOpen(status === 200 ? undefined : new Error(`Answered with status ${status}.`)),
  });
  const reader: Reader = { socket, count: 0, last: 0, broken: 0, stalled: options.stalled, leaving: false };
  socket.on('error', (error) => onOpen(error));
  socket.on('close', () => {
    if (reader.leaving) return onOpen();
    tally.lost += 1;
    onOpen(new Error('The connection was closed before the response.'));
  });
  return reader;

  function onRead(length: number): boolean {
    let start = 0;
    if (head !== undefined) {
      start = readHead(length);
      if (start === -1) return true;
      onOpen();
    }
    if (onBody !== undefined && start < length) onBody();
    if (cut !== undefined) completeCut(length);
    if (options.encoding === undefined) count(start, length);
    else countBytes(length - start);
    return !reader.stalled;
  }

  /** @returns where the body begins, -1 if this wasn't all of the head. */
  function readHead(length: number): number {
    const before = head?.length ?? 0;
    const text = (head ?? '') + buffer.toString('latin1', 0, Math.min(length, 8192));
    const end = text.indexOf('\r\n\r\n');
    head = end === -1 ? text : undefined;
    if (end === -1) return -1;
    if (!text.startsWith('HTTP/1.1 200')) onOpen(new Error(`Answered ${text.split('\r\n', 1)[0]}.`));
    return end + 4 - before;
  }

  /** The hot path: native searches from marker to marker. */
  function count(start: number, length: number): void {
    buffer[length] = MARKER;
    const before = reader.count;
    for (let at = buffer.indexOf(MARKER, start); at < length; at = buffer.indexOf(MARKER, at + 1)) {
      reader.count += 1;
      tally.untilSample -= 1;
      if (tally.untilSample === 0) sample(at, length);
      if (options.ordered) checkOrder(at, length);
    }
    tally.received += reader.count - before;
    if (before >= tally.target || reader.count < tally.target) return;
    tally.complete += 1;
    tally.onComplete?.();
  }

  function countBytes(bytes: number): void {
    reader.count += bytes;
    tally.received += bytes;
  }

  function sample(at: number, length: number): void {
    tally.untilSample = tally.every;
    tally.samples += 1;
    // An event that a read cuts in two is no sample; chance decides which ones those are.
    const stamp = at + HEAD_BYTES <= length ? readStamp(buffer, at) : undefined;
    if (stamp !== undefined) recordLatency(tally, micros() - stamp);
  }

  function checkOrder(at: number, length: number): void {
    if (at + HEAD_BYTES > length) cut = Buffer.from(buffer.subarray(at, length));
    else follow(readNumber(buffer, at));
  }

  function completeCut(length: number): void {
    const whole = Buffer.concat([cut ?? Buffer.alloc(0), buffer.subarray(0, Math.min(length, HEAD_BYTES))]);
    cut = whole.length < HEAD_BYTES ? whole : undefined;
    if (cut === undefined) follow(readNumber(whole, 0));
  }

  function follow(number: number | undefined): void {
    if (number === undefined || (reader.last !== 0 && number !== reader.last + 1)) reader.broken += 1;
    reader.last = number ?? reader.last + 1;
  }
}

function request({ path, lastEventId, encoding }: ReaderOptions): string {
  const coding = encoding === undefined ? '' : `Accept-Encoding: ${encoding}\r\n`;
  const cursor = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n${coding}${cursor}\r\n`;
}
