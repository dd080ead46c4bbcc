import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createDecoder, type DecodedEvent, type DecoderOptions } from './decode.ts';
import { encodeFrame } from './encode.ts';
import { TidingsError } from './tidings-error.ts';

type Seen = DecodedEvent | { onlyId: string } | { retry: number } | { comment: string } | { error: string };

function decodeChunks(chunks: readonly Uint8Array[], options: Partial<DecoderOptions> = {}): Seen[] {
  const seen: Seen[] = [];
  const decoder = createDecoder({
    onEvent: (event) => seen.push(event),
    onId: (onlyId) => seen.push({ onlyId }),
    onRetry: (retry) => seen.push({ retry }),
    onComment: (comment) => seen.push({ comment }),
    ...options,
  });
  try {
    for (const chunk of chunks) decoder.feed(chunk);
  } catch (error) {
    seen.push({ error: error instanceof TidingsError ? error.code : String(error) });
  }
  return seen;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (...chunks: string[]): Seen[] => decodeChunks(chunks.map(bytes));
const message = (data: string, id = '', type = 'message'): DecodedEvent => ({ type, data, id });

function cut(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...places.map((place) => place % (stream.length + 1)), stream.length].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, i) => stream.slice(ends[i - 1] ?? 0, end));
}

describe('lines', () => {
  it('end at LF, at CR and at CRLF', () => {
    const events = [message('a'), message('b\nc')];
    for (const end of ['\n', '\r', '\r\n']) {
      expect(decode(`data: a${end}${end}data: b${end}data: c${end}${end}`)).toEqual(events);
    }
  });

  it('end once at a CRLF that two chunks share', () => {
    expect(decode('data: a\r', '\ndata: b\r', '\n\r', '\ndata: c\n\n')).toEqual([
      message('a\nb'),
      message('c'),
    ]);
  });

  it('are dispatched at a CR, without waiting for an LF that might follow', () => {
    expect(decode('data: a\r\r')).toEqual([message('a')]);
  });

  it('may end differently from each other', () => {
    expect(decode('data: a\r\ndata: b\rdata: c\n\r\n\rdata: d\n\n')).toEqual([
      message('a\nb\nc'),
      message('d'),
    ]);
  });

  it('may come byte by byte', () => {
    const stream = bytes('\uFEFFid: é\r\nevent: grüß\r\ndata: 😀 and\r\ndata: more\r\n\r\n');
    const single = Array.from(stream, (byte) => Uint8Array.of(byte));
    expect(decodeChunks(single)).toEqual([message('😀 and\nmore', 'é', 'grüß')]);
  });

  it('may come with empty chunks in between', () => {
    expect(decode('', 'data: a\r', '', '\n', '', '\n')).toEqual([message('a')]);
  });
});

describe('a byte order mark', () => {
  it('is ignored at the very start, even when split over chunks', () => {
    const [first, second, third] = [Uint8Array.of(0xef), Uint8Array.of(0xbb), Uint8Array.of(0xbf)];
    expect(decodeChunks([first, second, third, bytes('data: a\n\n')])).toEqual([message('a')]);
  });

  it('is part of the line anywhere else', () => {
    expect(decode('\uFEFF\uFEFFdata: a\n\n')).toEqual([]);
    expect(decode('data: \uFEFFa\n\n', '\uFEFFdata: b\n\n')).toEqual([message('\uFEFFa')]);
  });
});

describe('a field', () => {
  it('loses one leading space of its value, and no other character', () => {
    expect(decode('data:a\n\ndata:  b \n\ndata:\tc\n\n')).toEqual([
      message('a'),
      message(' b '),
      message('\tc'),
    ]);
  });

  it('without a colon has an empty value', () => {
    expect(decode('data\n\nevent: x\nevent\ndata\ndata\n\n')).toEqual([message(''), message('\n')]);
  });

  it('with an unknown name, or a known one in capitals or with a space, is ignored', () => {
    expect(decode('datum: a\nDATA: b\ndata : c\n data: d\nunknown\n\n')).toEqual([]);
  });

  it('may contain colons', () => {
    expect(decode('data: a:b: c\n\n')).toEqual([message('a:b: c')]);
  });
});

describe('an event', () => {
  it('is of type message unless it says otherwise, and says so for itself only', () => {
    const stream = 'event: x\ndata: a\n\ndata: b\n\nevent: y\n\ndata: c\n\nevent:\ndata: d\n\n';
    expect(decode(stream)).toEqual([message('a', '', 'x'), message('b'), message('c'), message('d')]);
  });

  it('without data is not dispatched', () => {
    expect(decode('event: x\n\n\n\n: comment\n\n')).toEqual([{ comment: 'comment' }]);
  });

  it('that is incomplete when the stream ends is discarded', () => {
    expect(decode('data: a\n\ndata: b\n')).toEqual([message('a')]);
    expect(decode('id: 1\n')).toEqual([]);
  });

  it('carries the last id, whichever event brought it', () => {
    const stream = 'data: a\n\nid: 1\ndata: b\n\ndata: c\n\nid\ndata: d\n\n';
    expect(decode(stream)).toEqual([message('a'), message('b', '1'), message('c', '1'), message('d')]);
  });

  it('carries the previous connection’s id until there is a new one', () => {
    const stream = bytes('data: a\n\nid: 2\ndata: b\n\n');
    expect(decodeChunks([stream], { lastEventId: '1' })).toEqual([message('a', '1'), message('b', '2')]);
  });
});

describe('an id', () => {
  it('without data moves the last event ID and dispatches nothing', () => {
    expect(decode('id: 1\n\ndata: a\n\nid: 2\n\n')).toEqual([
      { onlyId: '1' },
      message('a', '1'),
      { onlyId: '2' },
    ]);
  });

  it('with a NUL is ignored', () => {
    expect(decode('id: 1\n\nid: 2\0\ndata: a\n\n')).toEqual([{ onlyId: '1' }, message('a', '1')]);
    expect(decode('id: 1\0', 'x\n\ndata: ü\n\nid: \0ü\n\n')).toEqual([message('ü')]);
  });
});

describe('retry', () => {
  it('is taken when it is digits only, at once', () => {
    expect(decode('retry: 10\nretry: -1\nretry: 1.5\nretry: 1e3\nretry:\nretry: ٣\nretry: 007\n')).toEqual([
      { retry: 10 },
      { retry: 7 },
    ]);
  });
});

describe('bytes that are not UTF-8', () => {
  it('become U+FFFD, as in any other decoder', () => {
    const stream = Uint8Array.of(...bytes('data: '), 0xff, 0x61, 0xe2, 0x82, 0x0a, 0x0a);
    expect(decodeChunks([stream])).toEqual([message('\uFFFDa\uFFFD')]);
  });
});

describe('the limit', () => {
  const limited = (stream: string, maxEventBytes: number, chunkSize = 1_000): Seen[] => {
    const all = bytes(stream);
    const chunks = [];
    for (let at = 0; at < all.length; at += chunkSize) chunks.push(all.slice(at, at + chunkSize));
    return decodeChunks(chunks, { maxEventBytes });
  };
  const tooLarge = { error: 'decode/event-too-large' };

  it('lets a line of exactly that many bytes pass, and counts bytes, not characters', () => {
    for (const chunkSize of [1, 1_000]) {
      expect(limited(`data: ${'a'.repeat(94)}\n\n`, 100, chunkSize)).toEqual([message('a'.repeat(94))]);
      expect(limited(`data: ${'a'.repeat(95)}\n\n`, 100, chunkSize)).toEqual([tooLarge]);
      expect(limited(`data: ${'€'.repeat(31)}a\n\n`, 100, chunkSize)).toEqual([
        message(`${'€'.repeat(31)}a`),
      ]);
      expect(limited(`data: ${'€'.repeat(31)}aa\n\n`, 100, chunkSize)).toEqual([tooLarge]);
    }
  });

  it('counts the data gathered before together with the line being read', () => {
    for (const chunkSize of [1, 7, 1_000]) {
      expect(limited('data: 12345\n'.repeat(3), 30, chunkSize)).toEqual([]);
      expect(limited('data: 12345\n'.repeat(5), 30, chunkSize)).toEqual([tooLarge]);
    }
  });

  it('applies to a line of any kind, ended or not', () => {
    expect(limited(`: ${'a'.repeat(200)}`, 100, 10)).toEqual([tooLarge]);
    expect(limited(`id: ${'a'.repeat(200)}\n`, 100)).toEqual([tooLarge]);
    expect(limited('x'.repeat(200), 100)).toEqual([tooLarge]);
  });

  it('does not add up over events, comments and ids', () => {
    const stream = 'data: 123456789\n\n: comment\nid: 7\n'.repeat(100);
    expect(limited(stream, 30, 5).filter((seen) => 'error' in seen)).toEqual([]);
  });

  it('is reported after the events before it, and again by every later call', () => {
    const decoder = createDecoder({ onEvent: () => undefined, maxEventBytes: 10 });
    const stream = bytes(`data: 1\n\ndata: ${'a'.repeat(20)}\n\n`);
    expect(decodeChunks([stream], { maxEventBytes: 10 })).toEqual([message('1'), tooLarge]);
    expect(() => decoder.feed(stream)).toThrow(TidingsError);
    expect(() => decoder.feed(bytes('data: 1\n\n'))).toThrow(TidingsError);
  });
});

describe('any stream', () => {
  const pieces = fc.constantFrom(
    ...[
      'data: ',
      'data:',
      'data',
      'id: ',
      'id:',
      'event: ',
      'retry: 5',
      ':',
      ': ',
      ' ',
      'x',
      '1',
      '\0',
      'ü',
      '世',
    ],
    ...['\n', '\r', '\r\n', '\n\n', '\r\n\r\n', '\r\r', '😀', '\uFEFF', 'data: a\n\n', 'id: 7\ndata: b\r\r'],
  );
  const text = fc.array(pieces, { maxLength: 60 }).map((parts) => bytes(parts.join('')));
  const invalidByte = fc.constantFrom(
    0x80,
    0xbf,
    0xc0,
    0xc3,
    0xe2,
    0xed,
    0xf0,
    0xf4,
    0xff,
    0x0a,
    0x0d,
    0x61,
    0x82,
  );
  const garbage = fc.array(invalidByte, { maxLength: 8 }).map((list) => Uint8Array.from(list));
  const stream = fc
    .array(fc.oneof({ weight: 4, arbitrary: text }, garbage), { maxLength: 6 })
    .map((parts) => Uint8Array.from(parts.flatMap((part) => [...part])));
  const places = fc.array(fc.nat(), { maxLength: 30 });

  it('decodes the same however it is split into chunks', () => {
    fc.assert(
      fc.property(stream, places, fc.integer({ min: 1, max: 60 }), (whole, where, maxEventBytes) => {
        const options = { maxEventBytes };
        expect(decodeChunks(cut(whole, where), options)).toEqual(decodeChunks([whole], options));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a frame that encodeFrame wrote', () => {
  const line = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
    .filter((value) => !/[\r\n\0]/.test(value));
  const frame = fc.record({ id: line, type: line, data: fc.string({ unit: 'grapheme', maxLength: 60 }) });

  it('is decoded again, with CR and CRLF in data as LF', () => {
    fc.assert(
      fc.property(fc.array(frame), fc.array(fc.nat()), (frames, where) => {
        const wire = bytes(frames.map((fields) => encodeFrame(fields)).join(''));
        const expected = frames.map(({ id, type, data }) =>
          message(data.replaceAll(/\r\n?/g, '\n'), id, type),
        );
        expect(decodeChunks(cut(wire, where))).toEqual(expected);
      }),
    );
  });
});
