import fc from 'fast-check';
import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import { describe, expect, test } from 'vitest';
import { BoundedUrlPattern, toUrlParts } from './url-pattern.ts';

const BASE = 'https://hub.example.com/.well-known/mercure';

function matches(pattern: string, topic: string): boolean {
  const parts = toUrlParts(topic, BASE);
  return parts !== undefined && new BoundedUrlPattern(pattern, BASE).matches(parts);
}

/** The answer of the whole URL Pattern standard, which may take any time. */
function reference(pattern: string, topic: string): boolean {
  return URL.canParse(topic, BASE) && new URLPattern(pattern, BASE).test(topic, BASE);
}

const PATTERNS = [
  'https://example.com/books/:id',
  'https://example.com/books/:id(\\d+)',
  'https://example.com/books/:id.json',
  'https://example.com/*',
  'https://example.com/*/edit',
  'https://example.com:8443/books/:id',
  'https://example.com:443/books/:id',
  'http://example.com:*/books/:id',
  'https://*.example.com/books/:id',
  'https://:tenant.example.com/books/:id',
  '*://*/books/:id',
  'http{s}?://example.com/books/:id',
  '(https?)://example.com/books/:id',
  'https://example.com/books{/:id}?',
  'https://example.com/books/:id?',
  'https://example.com/books/:id+',
  'https://example.com/books/:id*',
  'https://example.com/books/(1|7)',
  'https://example.com/books/([a-z]{2,3})',
  'https://example.com/books/([^0-9]+)',
  'https://example.com/books/(?:a|b)+'.replace('(?:a|b)+', '((?:a|b)+)'),
  'https://example.com/{books|films}/:id',
  'https://example.com/:a-:b',
  'https://example.com/books/:id?page=:page',
  'https://example.com/books/*?*',
  'https://example.com/books/:id#part',
  'https://exämple.com/bücher/:id',
  'https://example.com/a b/:id',
  'https://EXAMPLE.com/books/:id',
  '/books/:id',
  'books/:id',
  '*',
  '/.well-known/mercure/subscriptions/exact/:topic/:subscriber',
  'urn\\:isbn\\:*',
  'urn:*',
  '/',
  'https://example.com',
];
const TOPICS = [
  'https://example.com/books/1',
  'https://example.com/books/17',
  'https://example.com/books/1.json',
  'https://example.com/books/ab',
  'https://example.com/books/abba',
  'https://example.com/books/',
  'https://example.com/books',
  'https://example.com/books/1/edit',
  'https://example.com/books/1/2/3',
  'https://EXAMPLE.com:443/books/1',
  'https://example.com:8443/books/1',
  'http://example.com:81/books/1',
  'https://eu.example.com/books/1',
  'https://a.eu.example.com/books/1',
  'ftp://example.com/books/1',
  'https://example.com/x-y',
  'https://example.com/films/1',
  'https://example.com/books|films/1',
  'https://example.com/books/1?page=2',
  'https://example.com/books/1#part',
  'https://user:secret@example.com/books/1',
  'https://exämple.com/bücher/1',
  'https://example.com/a%20b/1',
  'https://example.com/Books/1',
  'https://example.com/books/../books/1',
  'https://example.com/books/%31',
  '/books/1',
  'books/1',
  'bar',
  '',
  '/.well-known/mercure/subscriptions/exact/https%3A%2F%2Fa/urn%3Auuid%3A1',
  'urn:isbn:123',
  'javascript:alert(1)',
  'https://',
  'http://[::1]/books/1',
  'https://example.com/',
];

describe('a URL Pattern', () => {
  test.each(PATTERNS)('%s matches what the standard says it matches', (pattern) => {
    for (const topic of TOPICS)
      expect([topic, matches(pattern, topic)]).toEqual([topic, reference(pattern, topic)]);
  });

  const segment = fc.constantFrom(
    'a',
    'b',
    'ab',
    '.',
    '~x',
    ':id',
    ':n',
    '*',
    '',
    ':id?',
    ':n+',
    '(a|b)',
    '{a}*',
    ':n(\\w+)',
    '%61',
    'é',
  );
  const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((all) => `/${all.join('/')}`);
  const host = fc.constantFrom(
    '',
    'https://a.de',
    'http://a.de',
    'https://a.de:8080',
    'https://*.de',
    'http{s}?://a.de',
  );
  const topicPath = fc
    .array(fc.constantFrom('a', 'b', 'ab', 'é', '.', '..', '', '%61', 'a?b', '~x'), { maxLength: 5 })
    .map((all) => `/${all.join('/')}`)
    // The reference takes `https://a.de//a` for `https://a.de/`.
    .filter((topic) => !new URL(`https://a.de${topic}`).pathname.startsWith('//'));
  const topicHost = fc.constantFrom('', 'https://a.de', 'http://a.de', 'https://A.de:8080', 'https://b.de');

  test('matches what the standard says it matches, whatever both are', () => {
    fc.assert(
      fc.property(
        host,
        path,
        fc.array(fc.tuple(topicHost, topicPath), { maxLength: 8 }),
        (at, rest, topics) => {
          const pattern = at + rest;
          const valid = isValid(pattern);
          if (!valid) expect(() => new BoundedUrlPattern(pattern, BASE)).toThrow();
          for (const [from, to] of valid ? topics : [])
            expect([from + to, matches(pattern, from + to)]).toEqual([
              from + to,
              reference(pattern, from + to),
            ]);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('begins as it says, however the topic is spelt', () => {
    for (const pattern of PATTERNS) {
      const { beginning } = new BoundedUrlPattern(pattern, BASE);
      for (const topic of TOPICS) {
        const parts = toUrlParts(topic, BASE);
        if (matches(pattern, topic)) expect(parts?.text.startsWith(beginning)).toBe(true);
      }
    }
    expect(new BoundedUrlPattern('https://example.com/books/:id', BASE).beginning).toBe(
      'https\nexample.com\n\n/books/',
    );
  });

  test.each([
    ['a look-ahead', '/(?=a)b'],
    ['a group within a group', '/(a(b))'],
    ['a back reference', '/((?:a)\\1)'],
    ['an anchor', '/(a$)'],
    ['a group that doesn’t end', '/{a'],
    ['a repetition of a repetition', '/(a**)'],
    ['bounds in the wrong order', '/(a{3,2})'],
    ['a range in the wrong order', '/([z-a])'],
    ['a name twice', '/:id/:id'],
    ['very many groups', `/${':a'.repeat(40)}`],
    ['a repetition beyond all bounds', '/((?:(?:a{999}){999}){999})'],
    ['groups nested beyond all bounds', `/(${'(?:'.repeat(100)}a${')'.repeat(100)})`],
    ['a host that is none', 'https://a b/'],
  ])('is refused with %s', (_, pattern) => {
    expect(() => new BoundedUrlPattern(pattern, BASE)).toThrow();
  });

  test.each([
    ['nested repetitions', '/((?:a+)+b)', `/${'a'.repeat(1000)}`],
    ['alternatives that overlap', '/((?:a|a|aa)+b)', `/${'a'.repeat(1000)}`],
    ['many wildcards', `/${'*a'.repeat(30)}b`, `/${'a'.repeat(1000)}`],
    ['many optional groups', `/${'{a}?'.repeat(30)}${'a'.repeat(30)}`, `/${'a'.repeat(59)}`],
    ['repeated segments', '/:a+/:b+/:c+/x', `/${'a/'.repeat(500)}`],
  ])('takes a bounded time with %s', (_, pattern, topic) => {
    const compiled = new BoundedUrlPattern(pattern, BASE);
    const parts = toUrlParts(topic, BASE);
    if (parts === undefined) throw new Error('no URL');
    compiled.matches(parts);
    const before = process.cpuUsage();
    for (let i = 0; i < 50; i += 1) compiled.matches(parts);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 50).toBeLessThan(5000);
  });

  test('is read in a bounded time with repetitions of nothing within each other', () => {
    const before = process.cpuUsage();
    const compiled = new BoundedUrlPattern('/a(b(?:(?:(?:){99}){999}){999})', BASE);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(1000);
    const [parts, longer] = [toUrlParts('/ab', BASE), toUrlParts('/abb', BASE)];
    if (parts === undefined || longer === undefined) throw new Error('no URL');
    expect([compiled.matches(parts), compiled.matches(longer)]).toEqual([true, false]);
  });
});

function isValid(pattern: string): boolean {
  try {
    return Boolean(new URLPattern(pattern, BASE));
  } catch {
    return false;
  }
}
