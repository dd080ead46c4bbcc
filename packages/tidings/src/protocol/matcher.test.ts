import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TOPIC_LENGTH, type Matcher, assertTopic, matcherKey } from './matcher.ts';

function codeOf(topic: unknown, maxLength?: number): string | undefined {
  try {
    assertTopic(topic as string, maxLength);
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

describe('a topic', () => {
  test.each([
    'a',
    'user/1',
    'user/é',
    'a b',
    '*',
    ':id',
    'https://example.com/x?y=1#z',
    '\u{1f600}',
    '\u0085',
    '\u2028',
    ' ',
  ])('may be any ordinary text: %j', (topic) => expect(codeOf(topic)).toBeUndefined());

  test.each([undefined, null, 5, 5n, true, {}, [], ['a'], () => 'a', Symbol('a'), ''])(
    'is a non-empty string, not %s',
    (topic) => expect(codeOf(topic)).toBe('topic/invalid'),
  );

  test('has no control characters in any position', () => {
    const controls = [...Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)), '\u007f'];
    for (const control of controls) {
      expect(codeOf(control)).toBe('topic/invalid');
      expect(codeOf(`a${control}`)).toBe('topic/invalid');
      expect(codeOf(`${control}a`)).toBe('topic/invalid');
    }
  });

  test.each(['\ud800', '\udc00', 'a\ud83d', '\ude00b', '\ude00\ud83d'])(
    'has no half of a surrogate pair: %j',
    (topic) => {
      expect(codeOf(topic)).toBe('topic/invalid');
    },
  );

  test('may be as long as the limit, and not one character longer', () => {
    expect(codeOf('a'.repeat(MAX_TOPIC_LENGTH))).toBeUndefined();
    expect(codeOf('a'.repeat(MAX_TOPIC_LENGTH + 1))).toBe('topic/too-long');
    expect(codeOf('abc', 3)).toBeUndefined();
    expect(codeOf('abcd', 3)).toBe('topic/too-long');
    // Two UTF-16 units.
    expect(codeOf('\u{1f600}', 1)).toBe('topic/too-long');
  });

  test('that is too long is refused with its length, not with the text itself', () => {
    expect(() => assertTopic('x'.repeat(2000))).toThrow(
      expect.objectContaining({ status: 400, details: { length: 2000, maxLength: 1024 } }),
    );
  });
});

test('a matcher’s key is its own, whatever topics and patterns there are', () => {
  const text = fc.string({ minLength: 1 }).filter((topic) => codeOf(topic) === undefined);
  const matcher: fc.Arbitrary<Matcher> = fc.oneof(
    text,
    text.map((pattern) => ({ pattern })),
  );
  expect(matcherKey('a')).not.toBe(matcherKey({ pattern: 'a' }));
  fc.assert(
    fc.property(matcher, matcher, (a, b) => {
      expect(matcherKey(a) === matcherKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});
