import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { TidingsError } from './tidings-error.ts';
import { DEFAULT_EVENT_LIMITS, checkType, encodeData, toNewEvent } from './event.ts';

const limits = { topicLength: 10, topicsPerEvent: 3, eventLength: 20 };

/** Values that a caller without types might pass. */
function refusal(input: Record<string, unknown>): unknown {
  try {
    toNewEvent({ topics: 'a', data: 1, ...input }, limits);
  } catch (error) {
    expect(error).toBeInstanceOf(TidingsError);
    return error;
  }
  return undefined;
}

const circular: Record<string, unknown> = {};
circular['self'] = circular;

describe('a valid event', () => {
  test('has every field it was given, and no other', () => {
    expect(toNewEvent({ topics: 'a', data: { n: 1 } })).toEqual({
      topics: ['a'],
      type: undefined,
      data: '{"n":1}',
      id: undefined,
      key: undefined,
      tombstone: false,
      private: false,
    });
    const full = {
      topics: ['b', 'a'],
      type: 't',
      data: 'x\ny',
      id: 'i',
      key: 'k',
      tombstone: true,
      private: true,
    };
    expect(toNewEvent({ ...full, raw: true })).toEqual(full);
  });

  test('keeps its canonical topic first and each topic once', () => {
    expect(toNewEvent({ topics: ['b', 'a', 'b', 'a'], data: 1 }, limits).topics).toEqual(['b', 'a']);
    // Four of them, but three topics.
    expect(toNewEvent({ topics: ['b', 'a', 'c', 'a'], data: 1 }, limits).topics).toEqual(['b', 'a', 'c']);
  });

  test('is unnamed if its type is `message`, which is what unnamed means to an EventSource', () => {
    expect(toNewEvent({ topics: 'a', data: 1, type: 'message' }).type).toBeUndefined();
  });

  test.each([
    [null, 'null'],
    [0, '0'],
    ['', '""'],
    ['a\r\nb', String.raw`"a\r\nb"`],
    [NaN, 'null'],
    [[undefined], '[null]'],
    [{ gone: undefined }, '{}'],
    [new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['\ud800', String.raw`"\ud800"`],
  ])('has its data as JSON: %j', (data, text) => {
    expect(toNewEvent({ topics: 'a', data }).data).toBe(text);
  });

  test('may have empty text as data', () => {
    expect(toNewEvent({ topics: 'a', data: '', raw: true }).data).toBe('');
  });

  test('has exactly as much as the limits allow', () => {
    const input = { topics: ['a'.repeat(10), 'b', 'c'], data: 'x'.repeat(20), raw: true };
    expect(toNewEvent(input, limits)).toMatchObject({ data: 'x'.repeat(20) });
    const names = { type: 't'.repeat(255), id: 'i'.repeat(255), key: 'k'.repeat(255) };
    expect(toNewEvent({ topics: 'a', data: 1, ...names })).toMatchObject(names);
    expect(DEFAULT_EVENT_LIMITS).toEqual({ topicLength: 1024, topicsPerEvent: 16, eventLength: 1_048_576 });
  });
});

describe('an event is refused', () => {
  test.each([
    ['topic/missing', { topics: [] }],
    ['topic/missing', { topics: undefined }],
    ['topic/invalid', { topics: null }],
    ['topic/invalid', { topics: '' }],
    ['topic/invalid', { topics: [''] }],
    ['topic/invalid', { topics: ['a', 'b\n'] }],
    ['topic/invalid', { topics: 5 }],
    ['topic/invalid', { topics: 5n }],
    ['topic/invalid', { topics: true }],
    ['topic/invalid', { topics: {} }],
    ['topic/invalid', { topics: () => 'a' }],
    ['topic/invalid', { topics: [5] }],
    ['topic/invalid', { topics: ['a', undefined] }],
    ['topic/invalid', { topics: [['a']] }],
    ['topic/too-long', { topics: 'a'.repeat(11) }],
    ['topic/too-long', { topics: ['a', 'a'.repeat(11)] }],
    ['event/too-many-topics', { topics: ['a', 'b', 'c', 'd'] }],
    ['event/invalid-data', { data: undefined }],
    ['event/invalid-data', { data: () => 1 }],
    ['event/invalid-data', { data: Symbol('s') }],
    ['event/invalid-data', { data: 5n }],
    ['event/invalid-data', { data: { deep: [5n] } }],
    ['event/invalid-data', { data: circular }],
    ['event/invalid-data', { data: { toJSON: () => undefined } }],
    ['event/invalid-data', { raw: true, data: 5 }],
    ['event/invalid-data', { raw: true, data: undefined }],
    ['event/invalid-data', { raw: true, data: new Uint8Array(3) }],
    ['event/invalid-type', { type: '' }],
    ['event/invalid-type', { type: 'a\nb' }],
    ['event/invalid-type', { type: 'a\r' }],
    ['event/invalid-type', { type: '\0' }],
    ['event/invalid-type', { type: 't'.repeat(256) }],
    ['event/invalid-type', { type: 'tidings:welcome' }],
    ['event/invalid-type', { type: 'tidings:' }],
    ['event/invalid-type', { type: 5 }],
    ['event/invalid-type', { type: null }],
    ['event/invalid-type', { type: {} }],
    ['event/invalid-type', { type: '\ud800' }],
    ['event/invalid-id', { id: '' }],
    ['event/invalid-id', { id: 'a\nb' }],
    ['event/invalid-id', { id: 'a\0' }],
    ['event/invalid-id', { id: 'i'.repeat(256) }],
    ['event/invalid-id', { id: 5 }],
    ['event/invalid-id', { id: null }],
    ['event/invalid-id', { id: 'a\udc00' }],
    ['event/invalid-key', { key: '' }],
    ['event/invalid-key', { key: '\r' }],
    ['event/invalid-key', { key: 'k'.repeat(256) }],
    ['event/invalid-key', { key: ['k'] }],
    ['event/invalid-key', { key: '\ud83d!' }],
  ])('with %s and status 400: %o', (code, input) => {
    expect(refusal(input)).toMatchObject({ code, status: 400 });
  });

  test.each<[Record<string, unknown>, string]>([
    [{ privat: true }, 'Events have no option "privat". Did you mean "private"?'],
    [{ topic: 'a' }, 'Events have no option "topic". Did you mean "topics"?'],
    [{ private: 'yes' }, 'Expected `private` of an event to be true or false, got "yes" (string).'],
    [{ raw: 1 }, 'Expected `raw` of an event to be true or false, got 1 (number).'],
  ])('with a message that names the slip in the options: %o', (input, message) => {
    expect(refusal(input)).toMatchObject({ code: 'event/invalid-option', message });
  });

  test('with a condition on a seq that no event can have', () => {
    for (const ifSeq of [0, 1.5, Number.MAX_SAFE_INTEGER + 1, 1e300, Infinity])
      expect(refusal({ key: 'k', ifSeq })).toMatchObject({ code: 'event/invalid-option' });
    expect(refusal({ key: 'k', ifSeq: Number.MAX_SAFE_INTEGER })).toBeUndefined();
  });

  test('with a message that names the slip if an event is given as its topic', () => {
    expect(refusal({ topics: { topic: 'a', data: 1 }, data: undefined })).toMatchObject({
      code: 'topic/invalid',
      message:
        'Expected a topic or a list of topics; got an object. Write `publish(topic, data, options)`, or ' +
        '`publishAll([{ topics, data }])`.',
    });
  });

  test('with event/too-large and status 413, naming the lengths', () => {
    const details = { length: 21, maxLength: 20 };
    const error = { code: 'event/too-large', status: 413, details };
    expect(refusal({ data: 'x'.repeat(21), raw: true })).toMatchObject(error);
    // The quotes count.
    expect(refusal({ data: 'x'.repeat(19) })).toMatchObject(error);
  });

  test('with the cause, if JSON could not be made because a `toJSON` threw', () => {
    const cause = new Error('no');
    const data = {
      toJSON() {
        throw cause;
      },
    };
    expect(refusal({ data })).toMatchObject({ code: 'event/invalid-data', cause });
  });
});

test('a type that is accepted stays within its line', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '\r', '\n', '\0', ':', ' ', '\u2028', '\u0085') }),
      (type) => {
        try {
          expect(checkType(type)).toBe(type);
        } catch (error) {
          expect(error).toMatchObject({ code: 'event/invalid-type' });
          return;
        }
        expect(type).toMatch(/^[^\r\n\0]+$/u);
      },
    ),
  );
});

test('every value that JSON can represent is sent as JSON, and all others are refused', () => {
  fc.assert(
    fc.property(
      fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }),
      (data) => {
        let text: string | undefined;
        try {
          text = JSON.stringify(data);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
        }
        if (text === undefined) expect(() => encodeData(data, false)).toThrow(TidingsError);
        else expect(encodeData(data, false)).toBe(text);
      },
    ),
  );
});
