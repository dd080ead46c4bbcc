/**
 * Reading the event stream format, a chunk at a time. The rules quoted are those of
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 *
 * A chunk becomes text before its lines are looked for: one native call, and searches in a string, are several
 * times faster than looking at bytes from JavaScript.
 */
import { TidingsError } from './tidings-error.ts';
import { createUtf8Reader, utf8Length } from './utf8.ts';

export interface DecodedEvent {
  /** `message` unless the stream named it. */
  readonly type: string;
  readonly data: string;
  /** The last event ID as of this event, set by this event or an earlier one; empty if none was set. */
  readonly id: string;
}

export interface DecoderOptions {
  /** Called in the order of the stream, during `feed`. None of these callbacks may throw. */
  readonly onEvent: (event: DecodedEvent) => void;
  /** A block without data set the last event ID, as the hub's heartbeats do. */
  readonly onId?: (id: string) => void;
  /** Milliseconds; whatever the digits say, up to Infinity. */
  readonly onRetry?: (delay: number) => void;
  readonly onComment?: (text: string) => void;
  /** The last event ID of the connection before, for events that come before the first `id:`. */
  readonly lastEventId?: string;
  /** The most bytes, in UTF-8, that the data of one event and the line being read may take together. */
  readonly maxEventBytes?: number;
}

export interface Decoder {
  /**
   * Takes the next bytes of the stream and keeps no reference to them. There is nothing to call at the end of the
   * stream: an incomplete event is discarded.
   *
   * @throws {TidingsError} `decode/event-too-large`, after the events before it were handed out, and on every later
   * call.
   */
  feed(chunk: Uint8Array): void;
}

/** Four times the characters that the hub lets an event have; each takes three bytes at most. */
export const DEFAULT_MAX_EVENT_BYTES: number = 4 * 1_048_576;

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const BOM = 0xfeff;
const A = 97;
const D = 100;
const E = 101;
const I = 105;
const N = 110;
const T = 116;
const V = 118;
/** Of one UTF-16 unit; a pair of surrogates takes four. */
const MAX_UNIT_BYTES = 3;

export function createDecoder(options: DecoderOptions): Decoder {
  const { onEvent, onId, onRetry, onComment, maxEventBytes = DEFAULT_MAX_EVENT_BYTES } = options;
  const read = createUtf8Reader();
  let failure: TidingsError | undefined;
  let atStart = true;
  let afterCr = false;
  let nulPossible = false;
  /** The beginning of a line. Until the line is complete it only grows: looking into it would copy it each time. */
  let held = '';
  let type = '';
  let data: string | undefined;
  let id = options.lastEventId ?? '';
  let idMoved = false;
  // At least what `held` and `data` take in UTF-8: exact only once the limit may be near.
  let heldBytes = 0;
  let dataBytes = 0;

  return { feed };

  function feed(chunk: Uint8Array): void {
    if (failure !== undefined) throw failure;
    const text = read(chunk);
    if (text === '') return;
    // "one leading U+FEFF BYTE ORDER MARK character must be ignored if any are present"
    let at = atStart && text.charCodeAt(0) === BOM ? 1 : 0;
    atStart = false;
    if (afterCr && text.charCodeAt(0) === LF) at = 1;
    afterCr = false;
    // Looked for once per chunk, where that is quick: in text of one byte per unit.
    nulPossible ||= text.length !== chunk.length || text.includes('\0');
    readLines(text, held === '' ? at : finishHeld(text, at));
  }

  /**
   * The hot path. It handles data lines and the blank line after them itself instead of through `readLine`: with small
   * events, that makes a quarter of the speed.
   */
  function readLines(text: string, start: number): void {
    let at = start;
    // "a U+000D CARRIAGE RETURN U+000A LINE FEED (CRLF) character pair, a single LF, a single CR" end a line. Either
    // is searched for again only after it was passed: text without a CR is scanned for one only once.
    let lf = -1;
    let cr = -1;
    while (at < text.length) {
      if (lf < at) lf = indexOrLength(text, '\n', at);
      if (cr < at) cr = indexOrLength(text, '\r', at);
      let end = lf;
      let next = lf + 1;
      if (cr < lf) {
        end = cr;
        next = skipLineEnd(text, cr);
      } else if (lf === text.length) {
        return hold(text.slice(at));
      }
      if (!isData(text, at)) {
        readLine(text, at, end);
        at = next;
        continue;
      }
      checkSize(text, at, end);
      const value = text.slice(valueAfter(text, at + 4), end);
      const following = text.charCodeAt(next);
      if (data === undefined && (following === LF || following === CR)) {
        dispatch(value);
        at = following === LF ? next + 1 : skipLineEnd(text, next);
      } else {
        appendData(value);
        at = next;
      }
    }
  }

  /** @returns where the next line begins; for a CR at the end of the chunk, its LF may still come. */
  function skipLineEnd(text: string, at: number): number {
    if (text.charCodeAt(at) === LF) return at + 1;
    afterCr = at + 1 === text.length;
    return text.charCodeAt(at + 1) === LF ? at + 2 : at + 1;
  }

  /** @returns where the next line begins. */
  function finishHeld(text: string, start: number): number {
    const end = Math.min(indexOrLength(text, '\n', start), indexOrLength(text, '\r', start));
    hold(text.slice(start, end));
    if (end === text.length) return end;
    const line = held;
    held = '';
    heldBytes = 0;
    readLine(line, 0, line.length);
    return skipLineEnd(text, end);
  }

  function hold(piece: string): void {
    held += piece;
    heldBytes += piece.length * MAX_UNIT_BYTES;
    if (heldBytes + dataBytes > maxEventBytes) heldBytes = measure(held);
  }

  function checkSize(text: string, start: number, end: number): void {
    if ((end - start) * MAX_UNIT_BYTES + dataBytes > maxEventBytes) measure(text.slice(start, end));
  }

  /** Replaces the estimate by a count. Each call leaves a third of the rest as room, so there are only a few calls. */
  function measure(line: string): number {
    const lineBytes = utf8Length(line);
    if (data !== undefined) dataBytes = utf8Length(data) + 1;
    if (lineBytes + dataBytes <= maxEventBytes) return lineBytes;
    held = '';
    data = undefined;
    failure = new TidingsError(
      'decode/event-too-large',
      `An event of the stream takes more than ${maxEventBytes} bytes; raise maxEventBytes if it may.`,
      { details: { maxEventBytes, lastEventId: id } },
    );
    throw failure;
  }

  function readLine(text: string, start: number, end: number): void {
    // "If the line is empty (a blank line): Dispatch the event"
    if (start === end) return endBlock();
    checkSize(text, start, end);
    // The fields that most events have, recognized without making strings of their names.
    if (isData(text, start)) return appendData(text.slice(valueAfter(text, start + 4), end));
    if (isId(text, start)) return setId(text.slice(valueAfter(text, start + 2), end));
    if (isEvent(text, start)) type = text.slice(valueAfter(text, start + 5), end);
    // "If the line starts with a U+003A COLON character (:): Ignore the line."
    else if (text.charCodeAt(start) === COLON) onComment?.(text.slice(valueAfter(text, start), end));
    else readField(text.slice(start, end));
  }

  function readField(line: string): void {
    // "Otherwise, the string is not empty but does not contain a U+003A COLON character (:): Process the field …
    // using the whole line as the field name, and the empty string as the field value."
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(valueAfter(line, colon));
    if (name === 'data') appendData(value);
    else if (name === 'event') type = value;
    else if (name === 'id') setId(value);
    // "If the field value consists of only ASCII digits … Otherwise, ignore the field."
    else if (name === 'retry' && /^\d+$/.test(value)) onRetry?.(Number(value));
  }

  function setId(value: string): void {
    // "If the field value does not contain U+0000 NULL, then set the last event ID buffer … Otherwise, ignore"
    if (nulPossible && value.includes('\0')) return;
    id = value;
    idMoved = true;
  }

  function appendData(value: string): void {
    data = data === undefined ? value : `${data}\n${value}`;
    dataBytes += value.length * MAX_UNIT_BYTES + 1;
  }

  function endBlock(): void {
    if (data !== undefined) {
      const whole = data;
      data = undefined;
      dataBytes = 0;
      return dispatch(whole);
    }
    // "Set the last event ID string of the event source to the value of the last event ID buffer. If the data
    // buffer is an empty string, set the data buffer and the event type buffer to the empty string and return."
    if (idMoved) onId?.(id);
    idMoved = false;
    type = '';
  }

  function dispatch(whole: string): void {
    const event: DecodedEvent = { type: type || 'message', data: whole, id };
    type = '';
    idMoved = false;
    onEvent(event);
  }
}

/** "If value starts with a U+0020 SPACE character, remove it from value." */
function valueAfter(text: string, colon: number): number {
  return text.charCodeAt(colon + 1) === SPACE ? colon + 2 : colon + 1;
}

function indexOrLength(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index < 0 ? text.length : index;
}

// Character by character: `startsWith` costs the loop above a tenth of its speed.

function isData(text: string, at: number): boolean {
  return (
    text.charCodeAt(at) === D &&
    text.charCodeAt(at + 1) === A &&
    text.charCodeAt(at + 2) === T &&
    text.charCodeAt(at + 3) === A &&
    text.charCodeAt(at + 4) === COLON
  );
}

function isId(text: string, at: number): boolean {
  return text.charCodeAt(at) === I && text.charCodeAt(at + 1) === D && text.charCodeAt(at + 2) === COLON;
}

function isEvent(text: string, at: number): boolean {
  return (
    text.charCodeAt(at) === E &&
    text.charCodeAt(at + 1) === V &&
    text.charCodeAt(at + 2) === E &&
    text.charCodeAt(at + 3) === N &&
    text.charCodeAt(at + 4) === T &&
    text.charCodeAt(at + 5) === COLON
  );
}
