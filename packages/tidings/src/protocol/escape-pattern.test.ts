import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { escapePattern, looksLikePattern } from './escape-pattern.ts';
import { Pattern } from './pattern.ts';

/** Any valid topic, with more of the characters that are special in patterns than chance would bring. */
const text = fc.string({
  unit: fc.oneof(
    fc.constantFrom('*', ':', '\\', '(', ')', '{', '}', '+', '?', '/', '$', 'a', '.', '^', '|', '[', ']'),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
  minLength: 1,
  maxLength: 20,
});

describe('An escaped text', () => {
  test('matches itself in a pattern, and nothing else', () => {
    fc.assert(
      fc.property(text, text, (name, other) => {
        const pattern = new Pattern(`user/${escapePattern(name)}/:post`);
        expect(pattern.matches(`user/${name}/1`)).toBe(true);
        if (!other.includes('/') && !name.includes('/') && other !== name)
          expect(pattern.matches(`user/${other}/1`)).toBe(false);
      }),
    );
  });

  test('leaves names without special characters as they are', () => {
    expect(escapePattern('ann-1.2_ü')).toBe('ann-1.2_ü');
    expect(escapePattern('*')).toBe('\\*');
  });
});

test('A topic looks like a pattern if it has a star or a named segment', () => {
  const topics = [
    'posts/*',
    ':id',
    'room/:id',
    'room/:id/x',
    'urn:isbn:1',
    'https://a.example:80/x',
    'a:b',
    'news',
  ];
  expect(topics.filter(looksLikePattern)).toEqual(['posts/*', ':id', 'room/:id', 'room/:id/x']);
});
