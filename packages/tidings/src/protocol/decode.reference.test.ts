/**
 * The decoder against a reference that follows the standard sentence by sentence, one character at a time:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createDecoder } from './decode.ts';

/** Everything an event source does, in order. */
type Happening =
  | { readonly event: { readonly type: string; readonly data: string; readonly lastEventId: string } }
  | { readonly lastEventId: string }
  | { readonly reconnectionTime: number };

const LF = '\u000A';
const CR = '\u000D';

function interpret(stream: Uint8Array): Happening[] {
  const happenings: Happening[] = [];
  // "Streams must be decoded using the UTF-8 decode algorithm", which "strips one leading UTF-8 Byte Order Mark".
  const characters = [...new TextDecoder('utf-8', { ignoreBOM: false }).decode(stream)];
  // "When a stream is parsed, a data buffer, an event type buffer, and a last event ID buffer must be associated with
  // it. They must be initialized to the empty string."
  let data = '';
  let eventType = '';
  let lastEventIdBuffer = '';
  let lastEventId = '';

  // "Lines must be processed, in the order they are received, as follows"
  for (const line of splitLines(characters)) {
    if (line === '') dispatch();
    else if (line.startsWith(':')) continue;
    else if (line.includes(':')) {
      // "Collect the characters on the line before the first U+003A COLON character (:), and let field be that string."
      const field = line.slice(0, line.indexOf(':'));
      let value = line.slice(line.indexOf(':') + 1);
      if (value.startsWith('\u0020')) value = value.slice(1);
      processField(field, value);
    } else processField(line, '');
  }
  // "Once the end of the file is reached, any pending data must be discarded."
  return happenings;

  function processField(name: string, value: string): void {
    switch (name) {
      case 'event':
        eventType = value;
        break;
      case 'data':
        data += value;
        data += LF;
        break;
      case 'id':
        if (!value.includes('\u0000')) lastEventIdBuffer = value;
        break;
      case 'retry':
        if (value !== '' && [...value].every((character) => '0123456789'.includes(character))) {
          happenings.push({ reconnectionTime: Number.parseInt(value, 10) });
        }
        break;
      default:
      // "The field is ignored."
    }
  }

  function dispatch(): void {
    const before = lastEventId;
    lastEventId = lastEventIdBuffer;
    if (data === '') {
      eventType = '';
      if (lastEventId !== before) happenings.push({ lastEventId });
      return;
    }
    if (data.endsWith(LF)) data = data.slice(0, -1);
    happenings.push({ event: { type: eventType === '' ? 'message' : eventType, data, lastEventId } });
    data = '';
    eventType = '';
  }
}

/** Lines that have an end: `end-of-line = ( cr lf / cr / lf )`. */
function splitLines(characters: readonly string[]): string[] {
  const lines: string[] = [];
  let line = '';
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i];
    if (character === CR || character === LF) {
      if (character === CR && characters[i + 1] === LF) i += 1;
      lines.push(line);
      line = '';
    } else line += character;
  }
  return lines;
}

function decode(chunks: readonly Uint8Array[]): Happening[] {
  const happenings: Happening[] = [];
  let lastEventId = '';
  const decoder = createDecoder({
    onEvent({ type, data, id }) {
      lastEventId = id;
      happenings.push({ event: { type, data, lastEventId } });
    },
    onId(id) {
      // The hub's heartbeats may repeat the same id.
      if (id !== lastEventId) happenings.push({ lastEventId: id });
      lastEventId = id;
    },
    onRetry: (reconnectionTime) => happenings.push({ reconnectionTime }),
  });
  for (const chunk of chunks) decoder.feed(chunk);
  return happenings;
}

const utf8 = (text: string): number[] => [...new TextEncoder().encode(text)];
const name = fc.constantFrom(
  'data',
  'id',
  'event',
  'retry',
  '',
  'Data',
  'data ',
  ' data',
  'datax',
  'dat',
  'i',
  'é',
);
const colon = fc.constantFrom(':', ': ', ':  ', '', '::', ' :');
const value = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '007',
    '12',
    '-1',
    '1e3',
    '٣',
    ' ',
    '\0',
    'a\0b',
    'a:b',
    '\uFEFF',
    '世界',
    '😀',
    'é',
  ),
  fc.string({ maxLength: 4 }),
  fc.string({ unit: 'binary', maxLength: 3 }),
);
const end = fc.constantFrom('\n', '\n\n', '\r', '\r\r', '\r\n', '\r\n\r\n', '\n\r', '\r\n\n', '');
const line = fc.tuple(name, colon, value, end).map((parts) => utf8(parts.join('')));
/** Bytes that begin a character, continue one or never belong to one, with line ends among them. */
const garbage = fc.array(
  fc.constantFrom(
    0x00,
    0x0a,
    0x0d,
    0x61,
    0x80,
    0x82,
    0xbf,
    0xc0,
    0xc3,
    0xe2,
    0xed,
    0xa0,
    0xf0,
    0x9f,
    0xf4,
    0xf8,
    0xff,
  ),
  { maxLength: 6 },
);
const start = fc.constantFrom([], [0xef, 0xbb, 0xbf], [0xef, 0xbb], [0xef, 0xbb, 0xbf, 0xef, 0xbb, 0xbf]);
const stream = fc
  .tuple(start, fc.array(fc.oneof({ weight: 6, arbitrary: line }, garbage), { maxLength: 30 }))
  .map(([first, rest]) => Uint8Array.from([...first, ...rest.flat()]));
/** Cuts a stream anywhere, or into single bytes. */
const cuts = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.nat({ max: 200 }), { maxLength: 20 }) },
  fc.constant(Array.from({ length: 400 }, (_, place) => place)),
);

it('any stream of bytes, in any chunks, is decoded as the standard says', () => {
  fc.assert(
    fc.property(stream, cuts, (whole, places) => {
      const ends = [...places.filter((place) => place < whole.length), whole.length].toSorted(
        (a, b) => a - b,
      );
      const chunks = ends.map((to, i) => whole.slice(ends[i - 1] ?? 0, to));
      expect(decode(chunks)).toEqual(interpret(whole));
    }),
    { numRuns: Number(process.env['TIDINGS_DECODER_RUNS'] ?? 3_000) },
  );
});
