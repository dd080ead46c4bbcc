import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksumOfData } from './checksum.ts';

describe('the checksum of an event’s data', () => {
  test('is the same for the same text, whatever was summed up before', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.string({ maxLength: 60 }),
        (data, before) => {
          const sum = checksumOfData(data);
          checksumOfData(before);
          expect(checksumOfData(data)).toBe(sum);
        },
      ),
    );
  });

  test('differs if any bit of the text is flipped, wherever and however long the text is', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(20), fc.nat(300), fc.constantFrom(21_845, 21_846, 70_000)),
        fc.nat(),
        fc.nat(6),
        (length, where, bit) => {
          const data = Array.from({ length: length + 1 }, (_, i) =>
            String.fromCharCode(32 + ((i * 7) % 90)),
          ).join('');
          const at = where % data.length;
          const flipped = String.fromCharCode(data.charCodeAt(at) ^ (1 << bit));
          const altered = data.slice(0, at) + flipped + data.slice(at + 1);
          expect(checksumOfData(altered)).not.toBe(checksumOfData(data));
        },
      ),
    );
  });

  test('differs for a text that is cut, or goes on with NULs', () => {
    const data = 'x'.repeat(30);
    const sums = [
      data,
      data.slice(0, 29),
      data.slice(0, 28),
      `${data}\0`,
      `${data}\0\0`,
      `${data}\0\0\0\0`,
    ].map(checksumOfData);
    expect(new Set(sums).size).toBe(sums.length);
  });
});
