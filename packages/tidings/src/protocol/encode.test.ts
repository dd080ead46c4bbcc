import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DecodedEvent, createDecoder } from './decode.ts';
import { type FrameFields, encodeFrame } from './encode.ts';
import { toNewEvent } from './event.ts';

describe('the bytes of a frame', () => {
  test.each<[string, FrameFields, string]>([
    ['nothing but its end', {}, '\n'],
    ['a heartbeat', { id: 'e.7' }, 'id: e.7\n\n'],
    ['unnamed data', { data: 'x' }, 'data: x\n\n'],
    ['empty data', { data: '' }, 'data: \n\n'],
    [
      'all fields, always in this order',
      { data: 'x', type: 't', id: 'e.1', retry: 10 },
      'retry: 10\nid: e.1\nevent: t\ndata: x\n\n',
    ],
    ['a type that is absent', { type: undefined, data: 'x' }, 'data: x\n\n'],
    ['whole milliseconds', { retry: 1999.6 }, 'retry: 2000\n\n'],
    ['a retry of zero', { retry: 0 }, 'retry: 0\n\n'],
    ['an LF', { data: 'a\nb' }, 'data: a\ndata: b\n\n'],
    ['a CR', { data: 'a\rb' }, 'data: a\ndata: b\n\n'],
    ['a CRLF, which is one line end', { data: 'a\r\nb' }, 'data: a\ndata: b\n\n'],
    ['an LF and a CR, which are two', { data: 'a\n\rb' }, 'data: a\ndata: \ndata: b\n\n'],
    ['all of them mixed', { data: 'a\r\r\n\nb' }, 'data: a\ndata: \ndata: \ndata: b\n\n'],
    ['a line end at the end', { data: 'a\n' }, 'data: a\ndata: \n\n'],
    ['a line end alone', { data: '\r' }, 'data: \ndata: \n\n'],
    ['a space at the start, which stays', { data: ' a' }, 'data:  a\n\n'],
    ['text that looks like a field', { data: 'id: 1' }, 'data: id: 1\n\n'],
    ['text that looks like a comment', { data: ': x' }, 'data: : x\n\n'],
    [
      'Unicode line ends, which don’t end a line here',
      { data: 'a\u2028b\u0085c' },
      'data: a\u2028b\u0085c\n\n',
    ],
    ['a NUL, which data may have', { data: 'a\0b' }, 'data: a\0b\n\n'],
    ['text beyond ASCII', { type: 'grüße', data: '\u{1f600}' }, 'event: grüße\ndata: \u{1f600}\n\n'],
  ])('are those of %s', (_, fields, frame) => {
    expect(encodeFrame(fields)).toBe(frame);
  });
});

/** Text made to break out: line ends, field names and characters of every length in UTF-8. */
const hostile = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        '\r',
        '\n',
        '\r\n',
        '\n\n',
        '\r\r',
        'id: evil',
        'event: evil',
        'retry: 1',
        'data',
        ':',
        ' ',
        '\0',
        '\ufeff',
      ),
      fc.string({ unit: 'grapheme', maxLength: 5 }),
    ),
    { maxLength: 12, size: 'max' },
  )
  .map((parts) => parts.join(''));

function decode(stream: string): { events: DecodedEvent[]; others: unknown[] } {
  const events: DecodedEvent[] = [];
  const others: unknown[] = [];
  createDecoder({
    onEvent: (event) => events.push(event),
    onId: (id) => others.push({ id }),
    onRetry: (retry) => others.push({ retry }),
    onComment: (comment) => others.push({ comment }),
  }).feed(new TextEncoder().encode(stream));
  return { events, others };
}

describe('data that a publisher sends', () => {
  test('is decoded to the same data with its line ends as LF, and to nothing else', () => {
    fc.assert(
      fc.property(hostile, fc.option(hostile, { nil: undefined }), (data, type) => {
        let frame: string;
        try {
          const event = toNewEvent({ topics: 'a', data, raw: true, ...(type === undefined ? {} : { type }) });
          frame = encodeFrame({ id: 'e.1', type: event.type, data: event.data });
        } catch (error) {
          expect(error).toMatchObject({ code: 'event/invalid-type' });
          return;
        }
        // The frame before and the one after must come through untouched, too.
        const { events, others } = decode(`id: e.0\ndata: before\n\n${frame}id: e.2\ndata: after\n\n`);
        expect(others).toEqual([]);
        expect(events).toEqual([
          { type: 'message', data: 'before', id: 'e.0' },
          { type: type ?? 'message', data: data.replaceAll(/\r\n|\r/g, '\n'), id: 'e.1' },
          { type: 'message', data: 'after', id: 'e.2' },
        ]);
      }),
      { numRuns: 700 },
    );
  });

  test('is decoded to the same value if it is JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { data } = toNewEvent({ topics: 'a', data: value });
        const { events, others } = decode(encodeFrame({ data }));
        expect(others).toEqual([]);
        expect(events.map((event) => event.data)).toEqual([JSON.stringify(value)]);
      }),
    );
  });
});
