import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMatcherSet } from 'tidings/log';
import { parseTemplate } from './template.ts';

const fill = (template: string, claims: Record<string, unknown>) => parseTemplate(template).fill(claims);

describe('A template', () => {
  test('becomes a topic if nothing in it is special, and a pattern otherwise', () => {
    expect(fill('user/{sub}', { sub: 'ann' })).toEqual(['user/ann']);
    expect(fill('user/{sub}/*', { sub: 'ann' })).toEqual([{ pattern: 'user/ann/*' }]);
    expect(fill('org/{org}/user/{sub}/:box', { org: 'a', sub: 7 })).toEqual([
      { pattern: 'org/a/user/7/:box' },
    ]);
  });

  test('takes claims of any name, and only the token’s own', () => {
    expect(fill('t/{https://id.example/team}', { 'https://id.example/team': 'red' })).toEqual(['t/red']);
    expect(fill('t/{constructor}', {})).toEqual([]);
    expect(fill('t/{toString}', {})).toEqual([]);
  });

  test('becomes one matcher for each entry of a list, up to a limit', () => {
    expect(fill('team/{teams}', { teams: ['red', 'blue'] })).toEqual(['team/red', 'team/blue']);
    const many = Array.from({ length: 1000 }, (_, i) => `t${i}`);
    expect(fill('{a}/{b}/{c}', { a: many, b: many, c: many })).toHaveLength(100);
    expect(fill('{a}/{missing}', { a: many })).toEqual([]);
    expect(fill('{a}', { a: ['x'.repeat(1025), 'short'] })).toEqual(['short']);
  });

  test.each([
    ['is missing', {}],
    ['is empty', { sub: '' }],
    ['is null', { sub: null }],
    ['is an object', { sub: { a: 1 } }],
    ['is a fraction', { sub: 1.5 }],
    ['has a slash', { sub: 'bob/inbox' }],
    ['has a line end', { sub: 'a\nb' }],
    ['has half of a surrogate pair', { sub: '\ud800' }],
    ['is longer than a topic may be', { sub: 'x'.repeat(2000) }],
  ])('permits nothing if the claim %s', (_, claims) => {
    expect(fill('user/{sub}', claims)).toEqual([]);
    expect(fill('user/{sub}/*', claims)).toEqual([]);
  });

  test.each([
    '{',
    '}',
    '{}',
    'a/{b',
    'a}',
    ':{sub}',
    'a/:{sub}',
    ':id{sub}',
    '{sub}:x',
    '{sub}/**',
    'a{{b}}',
  ])('is refused if it is unclear what it means: %s', (text) => {
    expect(() => parseTemplate(text)).toThrow(/Expected|modifier|brace/);
  });

  test('never matches more for any value of a claim than its author meant', () => {
    const value = fc.oneof(
      fc.string({
        unit: fc.constantFrom('*', ':', '\\', '(', ')', '{', '}', '+', '?', 'a', '/', '.', '-'),
        minLength: 1,
        maxLength: 8,
      }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }),
    );
    const topic = fc.array(fc.constantFrom('user', 'bob', 'ann', '*', ':id', 'inbox', '', 'x'), {
      maxLength: 5,
    });
    fc.assert(
      fc.property(value, topic, (sub, segments) => {
        const { matchesTopic } = bound(fill('user/{sub}/*', { sub }));
        const name = segments.join('/');
        // The author meant: everything below this one segment.
        expect(matchesTopic(name)).toBe(!sub.includes('/') && name.startsWith(`user/${sub}/`));
        expect(matchesTopic(`user/${sub}/x`)).toBe(bound(fill('user/{sub}/*', { sub })).size > 0);
        expect(fill('user/{sub}', { sub })).toEqual(/[/\p{Cc}]/u.test(sub) ? [] : [`user/${sub}`]);
      }),
      { numRuns: 500 },
    );
  });
});

function bound(matchers: ReturnType<typeof fill>) {
  const set = createMatcherSet(matchers);
  return { size: matchers.length, matchesTopic: (topic: string) => topic !== '' && set.matchesTopic(topic) };
}
