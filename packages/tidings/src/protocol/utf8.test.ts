import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createUtf8Reader } from './utf8.ts';

const invalid = fc.constantFrom(0x61, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xa0, 0xf0, 0x90, 0xf4, 0xf5, 0xff);
const anyBytes = fc.array(
  fc.oneof(
    fc.string({ unit: 'grapheme' }).map((text) => [...new TextEncoder().encode(text)]),
    fc.array(invalid, { maxLength: 5 }),
  ),
  { maxLength: 8 },
);

it('reads any line, UTF-8 or not and in any chunks, as TextDecoder reads it at once', () => {
  fc.assert(
    fc.property(anyBytes, fc.array(fc.nat({ max: 60 })), (parts, places) => {
      const line = Uint8Array.from([...parts.flat(), 0x0a]);
      const read = createUtf8Reader();
      const ends = [...places.map((place) => place % line.length), line.length].toSorted((a, b) => a - b);
      const text = ends.map((end, i) => read(line.slice(ends[i - 1] ?? 0, end))).join('');
      expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(line));
    }),
    { numRuns: 1_000 },
  );
});
