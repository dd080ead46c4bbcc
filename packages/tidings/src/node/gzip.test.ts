import { constants, gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type GzipOptions, gzip } from './gzip.ts';

const encoder = new TextEncoder();
const json = encoder.encode(
  JSON.stringify(Array.from({ length: 500 }, (_, id) => ({ id, name: `No. ${id}` }))),
);

/** The readable part of a body that hasn't ended. */
function readSoFar(parts: readonly Uint8Array[]): Buffer {
  return gunzipSync(Buffer.concat(parts), { finishFlush: constants.Z_SYNC_FLUSH });
}

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ maxLength: 300 }).map((text) => encoder.encode(text)),
  fc.nat({ max: 200_000 }).map((length) => new Uint8Array(length).fill(97)),
  fc.constant(json),
);

describe('A body in gzip', () => {
  test('is readable up to what was written last, and well-formed when it ends', () => {
    fc.assert(
      fc.property(
        fc.array(bytes, { maxLength: 8 }),
        bytes,
        fc.integer({ min: 1, max: 9 }),
        (writes, last, level) => {
          const stream = gzip({ level }).begin();
          const parts: Uint8Array[] = [];
          const written: Uint8Array[] = [];
          for (const each of writes) {
            parts.push(stream.write(each));
            written.push(each);
            expect(readSoFar(parts).equals(Buffer.concat(written))).toBe(true);
          }
          // Checks checksum and length.
          const whole = gunzipSync(Buffer.concat([...parts, stream.end(last)]));
          expect(whole.equals(Buffer.concat([...written, last]))).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('shares compressed flushes between all bodies, whatever came before in each', () => {
    const compression = gzip();
    const [first, second] = [compression.begin(), compression.begin()];
    const head = first.write(encoder.encode('first'));
    const heads = [second.write(encoder.encode('second')), second.write(encoder.encode('and more'))];
    const shared = first.write(json);
    expect(second.write(json)).toBe(shared);
    expect(gunzipSync(Buffer.concat([head, shared, first.end(json)])).toString()).toMatch(/^first\[/);
    expect(gunzipSync(Buffer.concat([...heads, shared, second.end(json)])).toString()).toMatch(
      /^secondand more\[/,
    );
  });

  test('shrinks repetitive text to a fraction, and adds five bytes to random text', () => {
    const stream = gzip().begin();
    stream.write(json);
    expect(stream.write(json).length).toBeLessThan(json.length / 4);
    const noise = crypto.getRandomValues(new Uint8Array(1000));
    expect(stream.write(noise).length).toBe(1005);
  });

  test.each([0, 10, 1.5, NaN, '6'])('is refused at level %s', (level) => {
    expect(() => gzip({ level } as GzipOptions)).toThrow(
      expect.objectContaining({
        code: 'hub/invalid-option',
        details: expect.objectContaining({ option: 'level' }),
      }),
    );
  });
});
