import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Cursor, EARLIEST, assertEpoch, formatCursor, parseCursor, parseStart } from './cursor.ts';

const EPOCH_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-';
const epoch = fc.string({
  unit: fc.constantFrom(...EPOCH_CHARACTERS.split('')),
  minLength: 1,
  maxLength: 64,
});
const cursor: fc.Arbitrary<Cursor> = fc.record({ epoch, seq: fc.maxSafeNat() });

describe('the text of a cursor', () => {
  test('is the epoch, a dot and the seq', () => {
    expect(formatCursor({ epoch: 'Ab_-9', seq: 42 })).toBe('Ab_-9.42');
    expect(formatCursor({ epoch: 'e', seq: 0 })).toBe('e.0');
  });

  test('is read back to the same cursor', () => {
    fc.assert(
      fc.property(cursor, (any) => {
        expect(parseCursor(formatCursor(any))).toEqual(any);
      }),
    );
  });

  test('passes through a header and a query string unescaped, in at most 128 bytes', () => {
    fc.assert(
      fc.property(cursor, (any) => {
        const text = formatCursor(any);
        expect(text).toMatch(/^[\u0021-\u007e]{1,128}$/);
        expect(encodeURIComponent(text)).toBe(text);
      }),
    );
  });

  test('has only one text: formatting a parsed cursor gives the same text', () => {
    const nearly = fc.string({
      unit: fc.constantFrom('a', '-', '.', '0', '1', '9', '+', 'e', ' ', '\n'),
      maxLength: 22,
    });
    fc.assert(
      fc.property(nearly, (text) => {
        const parsed = parseCursor(text);
        if (parsed !== undefined) expect(formatCursor(parsed)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('where a subscriber asks to begin', () => {
  test.each([
    ['without a cursor', undefined, 'head'],
    ['with an empty one', '', 'head'],
    ['with a cursor', 'epoch.7', { epoch: 'epoch', seq: 7 }],
    ['with everything that is retained', EARLIEST, 'earliest'],
    ['with text that is no cursor', 'epoch-7', 'unknown'],
  ])('is read from a request %s', (_, text, start) => {
    expect(parseStart(text)).toEqual(start);
  });
});

describe('text that is not a Tidings cursor', () => {
  test.each([
    ['nothing', ''],
    ['the special cursor', EARLIEST],
    ['an epoch alone', 'epoch'],
    ['a seq alone', '7'],
    ['no epoch', '.7'],
    ['no seq', 'epoch.'],
    ['a negative seq', 'epoch.-1'],
    ['a plus sign', 'epoch.+1'],
    ['a leading zero', 'epoch.01'],
    ['two zeros', 'epoch.00'],
    ['a fraction', 'epoch.1.5'],
    ['an exponent', 'epoch.1e3'],
    ['a hexadecimal seq', 'epoch.0x1'],
    ['digits of another script', 'epoch.١'],
    ['a space before', ' epoch.1'],
    ['a space after', 'epoch.1 '],
    ['a line end after', 'epoch.1\n'],
    ['a second line', 'epoch.1\nepoch.2'],
    ['a NUL', 'epoch.1\0'],
    ['an epoch of 65 characters', `${'e'.repeat(65)}.1`],
    ['an epoch with a dot', 'e.f.1'],
    ['an epoch with a letter beyond ASCII', 'é.1'],
    ['a seq of 17 digits', 'epoch.12345678901234567'],
    ['a seq that no double tells from its neighbour', `epoch.${2 ** 53}`],
    ['the one after that, which would round to it', 'epoch.9007199254740993'],
    ['two of them, as a proxy joins headers', 'epoch.1, epoch.2'],
    ['a megabyte', `${'e'.repeat(1_000_000)}.1`],
  ])('gives undefined: %s', (_, text) => {
    expect(parseCursor(text)).toBeUndefined();
  });

  test('begins right after the greatest safe seq', () => {
    expect(parseCursor('e.9007199254740991')).toEqual({ epoch: 'e', seq: Number.MAX_SAFE_INTEGER });
    expect(parseCursor('e.9007199254740992')).toBeUndefined();
  });
});

describe('an epoch', () => {
  test('is accepted if it can stand in a cursor', () => {
    fc.assert(
      fc.property(epoch, (any) => {
        assertEpoch(any);
        expect(parseCursor(`${any}.1`)).toEqual({ epoch: any, seq: 1 });
      }),
    );
  });

  test.each(['', ' ', 'a b', 'a.b', 'a\n', '\na', 'é', 'e'.repeat(65), EARLIEST.replace('e', 'è')])(
    'is refused if it cannot: %j',
    (text) => {
      expect(() => assertEpoch(text)).toThrow(
        expect.objectContaining({ code: 'cursor/invalid', details: { epoch: text } }),
      );
    },
  );
});
