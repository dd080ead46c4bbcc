import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { URLPattern } from 'urlpattern-polyfill';
import { cpuTime } from '../../../../scripts/deadline.ts';
import { TidingsError } from './tidings-error.ts';
import { compileByRegExp } from '../../test/pattern-by-regexp.ts';
import { Pattern, assertPatternLength, literalPrefix } from './pattern.ts';

function compilePattern(pattern: string): (topic: string) => boolean {
  assertPatternLength(pattern);
  const compiled = new Pattern(pattern);
  return (topic) => compiled.matches(topic);
}

function refused(pattern: unknown): boolean {
  try {
    compilePattern(pattern as string);
    return false;
  } catch (error) {
    if (error instanceof TidingsError && error.code === 'topic/invalid-pattern' && error.status === 400)
      return true;
    throw error;
  }
}

describe('a pattern', () => {
  test.each([
    [
      'user/:id',
      ['user/1', 'user/é', 'user/a b', 'user/:id'],
      ['user', 'user/', 'user/1/2', '/user/1', 'User/1', 'xuser/1'],
    ],
    ['posts/*', ['posts/', 'posts/1', 'posts/1/2', 'posts//'], ['posts', 'post/1', 'a/posts/1']],
    ['*', ['a', '/', 'a/b', 'https://x.org/', 'a?b#c'], []],
    // Chats are read by those who name them.
    ['*', [], ['tidings/runs/records', 'tidings/runs/chat/a/b', 'tidings/connections']],
    ['ti*', ['tidings', 'tiding'], ['tidings/connections', 'tidings/runs/records']],
    [':a/connections', ['x/connections'], ['tidings/connections']],
    ['*/:a/:b', ['x/y/z'], ['tidings/runs/chat/a/b']],
    ['tidings/*', ['tidings/news'], ['tidings/runs/records']],
    ['tidings/run*', ['tidings/runners'], ['tidings/runs/records']],
    ['tidings/runs/chat/a/*', ['tidings/runs/chat/a/b'], ['tidings/runs/chat/b/b']],
    ['tidings/runs/:kind', ['tidings/runs/records'], ['tidings/runs/chat/a/b']],
    ['a*b*b', ['abb', 'abxb', 'ab/b/b'], ['ab', 'aab', 'abc']],
    ['a*b*c', ['abc', 'axbxc', 'a/b/b/c', 'abcbc'], ['ab', 'abcd', 'acb', 'xabc']],
    ['*/new', ['a/new', '/new', 'a/b/new'], ['new', 'a/newer']],
    [':a/:b', ['x/y'], ['x', 'x/', '/y', 'x/y/z']],
    [':a/*/:b', ['x//y', 'x/1/2/y'], ['x/y', '/1/y', 'x/1/']],
    ['*/:a/*', ['x/y/', '/y/z', 'a/b/c/d'], ['x/y', 'x//', '//']],
    ['a/', ['a/'], ['a', 'a//']],
    ['a', ['a'], ['aa', 'ab', 'a/']],
  ])('%s matches its topics and no others', (pattern, matching, others) => {
    const matches = compilePattern(pattern);
    expect(matching.filter((topic) => !matches(topic))).toEqual([]);
    expect(others.filter(matches)).toEqual([]);
  });

  test.each([
    ['https://example.com/books/:id', 'https://example.com/books/7', 'https://example.com/books/7/8'],
    ['https://example.com/*', 'https://example.com/a/b?c=d#e', 'https://example.org/a'],
    [String.raw`https://localhost\:8080/*`, 'https://localhost:8080/', 'https://localhost:80/'],
    ['urn-like.v1://x', 'urn-like.v1://x', 'urn-likeXv1://x'],
  ])('may be an absolute URL: %s', (pattern, matching, other) => {
    const matches = compilePattern(pattern);
    expect(matches(matching)).toBe(true);
    expect(matches(other)).toBe(false);
  });

  test.each([
    [String.raw`\:id`, ':id', 'x'],
    [String.raw`\*`, '*', 'x'],
    [String.raw`a\?b`, 'a?b', 'b'],
    [String.raw`\(\)\{\}\+`, '(){}+', 'x'],
    [String.raw`\a\b\d`, 'abd', 'ab1'],
    [String.raw`a\/b`, 'a/b', 'a'],
    [String.raw`a\\b`, 'a\\b', 'ab'],
    [String.raw`a\\/:id`, 'a\\/7', 'a/7'],
    [String.raw`a\\\\/:id/x`, 'a\\\\/7/x', 'a\\/7/x'],
    [String.raw`\\*`, '\\anything', '*'],
    ['\\\u{1f600}', '\u{1f600}', 'x'],
    // Special to regular expressions only.
    ['a.b', 'a.b', 'axb'],
    ['^[a]|b$', '^[a]|b$', 'b'],
    ['a-z', 'a-z', 'b'],
  ])('takes escaped and ordinary characters literally: %s', (pattern, matching, other) => {
    const matches = compilePattern(pattern);
    expect(matches(matching)).toBe(true);
    expect(matches(other)).toBe(false);
  });

  test('compares whole characters, not their halves', () => {
    expect(compilePattern('\u{1f600}*')('\u{1f600}x')).toBe(true);
    expect(compilePattern(':a/*\u{1f600}*')('\u{1f601}/\u{1f600}')).toBe(true);
  });

  test.each([
    ['', 'nothing'],
    ['\\', 'an escape of nothing'],
    ['a/\\', 'an escape of nothing'],
    ['a:b', 'a name within a segment'],
    [':a-b', 'a name that does not fill its segment'],
    [':a.json', 'a name that does not fill its segment'],
    [':', 'a name without a name'],
    [':1', 'a name that begins with a digit'],
    [':a:b', 'two names in a segment'],
    [':a*', 'a name and a wildcard in a segment'],
    [String.raw`:a\/b`, 'a name and more, for an escaped slash separates nothing'],
    [':a/:a', 'the same name twice'],
    [':a/x/:b/:a', 'the same name twice'],
    ['https://localhost:8080/x', 'a port that is not escaped'],
    ['(a)', 'a group'],
    ['a)', 'the end of a group'],
    ['{a}', 'a group'],
    ['a}', 'the end of a group'],
    ['a+', 'a modifier'],
    ['a?', 'a modifier'],
    [':a?', 'a modifier'],
    [String.raw`:a(\d+)`, 'a regular expression'],
    ['*a*b*', 'three wildcards'],
    ['posts/**', 'a wildcard with a modifier, which would match `posts`'],
    ['a\nb', 'a line end, which would run two keys into one'],
    ['a\0', 'a NUL'],
    ['\\\0', 'a NUL, even escaped'],
    ['\u007f', 'a control character'],
    ['a\ud800', 'half of a surrogate pair'],
    ['x'.repeat(1025), 'more characters than a topic may have'],
  ])('%j is refused: %s', (pattern) => expect(refused(pattern)).toBe(true));

  test.each([undefined, null, 5, {}, [], ['a'], /a/])('that is not a string is refused: %s', (pattern) => {
    expect(refused(pattern)).toBe(true);
  });

  test('may be as long as a topic', () => {
    expect(compilePattern('x'.repeat(1024))('x'.repeat(1024))).toBe(true);
  });
});

// `.`, `..`, `\` and non-ASCII characters are left out: URL Pattern resolves or encodes them, topics are compared as
// they are.
const word = fc.constantFrom('a', 'b', 'ab', 'ba', 'aa', 'a.b', 'A', '~', 'a-b', '$1', '');
const topics = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('/'));

/** As the standard has it, with pathnames that end in the topics. */
function referenceFor(pattern: string): (topic: string) => boolean {
  const reference = new URLPattern({ pathname: `/in/${pattern}` });
  return (topic) => reference.test({ pathname: `/in/${topic}` });
}

function checkAgainstReference(pattern: string, candidates: readonly string[]): void {
  const matches = compilePattern(pattern);
  const reference = referenceFor(pattern);
  for (const topic of candidates) {
    expect(`${topic}: ${matches(topic)}`).toBe(`${topic}: ${reference(topic)}`);
  }
}

describe('compared with URLPattern of the standard', () => {
  const literal = fc.oneof(
    word,
    word.map((text) => text.replaceAll(/[a-z]/g, String.raw`\$&`)),
  );
  const withWildcard = fc
    .array(literal, { minLength: 2, maxLength: 3 })
    .map((literals) => literals.join('*'));
  const segment = fc.oneof(
    { weight: 3, arbitrary: literal },
    { weight: 2, arbitrary: fc.constant(':') },
    { weight: 2, arbitrary: withWildcard },
  );
  // Names are numbered, since the same one may not come twice.
  const pattern = fc
    .array(segment, { minLength: 1, maxLength: 5 })
    .map((segments) => segments.map((each, i) => (each === ':' ? `:n${i}` : each)).join('/'))
    .filter((text) => text !== '' && text.split('*').length <= 3 && !text.includes('**'));

  test('a pattern of the documented part is accepted and matches the same topics', () => {
    fc.assert(
      fc.property(pattern, fc.array(topics, { minLength: 5, maxLength: 20 }), (any, candidates) => {
        checkAgainstReference(any, candidates);
      }),
      { numRuns: 500 },
    );
  });

  test('every pattern accepted here means the same there', () => {
    const anything = fc.string({
      unit: fc.constantFrom(
        'a',
        'b',
        '/',
        ':',
        '*',
        '\\',
        '(',
        ')',
        '{',
        '}',
        '+',
        '?',
        '1',
        '_',
        '$',
        '-',
        ':a/',
        '/:b',
      ),
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(anything, fc.array(topics, { minLength: 5, maxLength: 20 }), (any, candidates) => {
        fc.pre(!any.includes('\\\\') && !any.includes('://') && !refused(any));
        checkAgainstReference(any, candidates);
      }),
      { numRuns: 700 },
    );
  });

  test('an absolute URL matches the same URLs', () => {
    const patterns = [
      'https://example.com/books/:id',
      'https://example.com/*',
      'https://*/a',
      'https://*/a/:b',
    ];
    const urls = ['', 'books/1', 'books/1/2', 'a', 'a/b'].flatMap((path) => [
      `https://example.com/${path}`,
      `https://example.org/${path}`,
    ]);
    for (const any of patterns) {
      const reference = new URLPattern(any);
      expect(urls.filter(compilePattern(any))).toEqual(urls.filter((url) => reference.test(url)));
    }
  });
});

describe('compared with regular expressions', () => {
  const units = [
    'a',
    'b',
    'ab',
    '/',
    '//',
    ':',
    '*',
    '\\',
    '(',
    '?',
    '.',
    ':a/',
    '/:b',
    '/:c/',
    '*/',
    '/*',
    '\u{1f600}',
  ];
  const text = fc.string({ unit: fc.constantFrom(...units, 'x://'), minLength: 1, maxLength: 10 });
  const topic = fc.string({
    unit: fc.constantFrom('a', 'b', 'ab', '/', '.', ':', '*', '\\', '(', '\u{1f600}', 'x://'),
    minLength: 1,
    maxLength: 12,
  });

  test('every pattern is refused or accepted alike, and matches the same topics', () => {
    fc.assert(
      fc.property(text, fc.array(topic, { minLength: 10, maxLength: 30 }), (pattern, topics) => {
        let reference: (topic: string) => boolean;
        try {
          reference = compileByRegExp(pattern);
        } catch {
          expect(refused(pattern)).toBe(true);
          return;
        }
        const matches = compilePattern(pattern);
        // The text a pattern was made from is most likely to match, or nearly.
        const near = pattern.replaceAll(/\\(.)/gsu, '$1').replaceAll(/:\w+/g, 'ab');
        const filled = [
          near,
          near.replaceAll('*', ''),
          near.replaceAll('*', 'a/b'),
          near.replaceAll('*', near),
        ];
        for (const each of [...topics, ...filled].filter((some) => some !== '')) {
          expect(`${each}: ${matches(each)}`).toBe(`${each}: ${reference(each)}`);
        }
      }),
      { numRuns: 4000 },
    );
  });
});

test('no pattern takes longer than its length times the topic’s', () => {
  // Long enough that one step more for each character would take seconds.
  const length = 8192;
  const topic = 'a/'.repeat(length / 2);
  const names = (count: number): string => Array.from({ length: count }, (_, i) => `/:n${i}`).join('');
  const worst = [
    '*a*aaaaaaaaaaaaaaab',
    `*a*${'a/'.repeat(100)}b${'a/'.repeat(100)}`,
    `*${'a/'.repeat(200)}b*${'/a'.repeat(200)}b`,
    `*/*${names(150)}/x`,
    `*${names(70)}/x/*${names(70)}/x`,
    `*${names(70)}/*${names(70).replaceAll('n', 'm')}/x`,
    `${names(100).slice(1)}/*/x`,
    '*a/*a/b',
  ];
  const started = cpuTime();
  for (const pattern of worst) {
    if (refused(pattern)) continue;
    expect(compilePattern(pattern)(topic)).toBe(false);
    expect(compilePattern(pattern)('a'.repeat(length))).toBe(false);
  }
  expect(cpuTime() - started).toBeLessThan(2000);
});

describe('the literal beginning of a pattern', () => {
  test.each([
    ['user/:id', 'user/'],
    ['posts/*', 'posts/'],
    ['*', ''],
    ['a\\:b\\*c/*', 'a:b*c/'],
    ['https://example.com/books/:id', 'https://example.com/books/'],
    ['https://:host/x', 'https://'],
    ['plain', 'plain'],
  ])('of %s is "%s"', (pattern, expected) => {
    expect(literalPrefix(pattern)).toBe(expected);
  });

  test('is the beginning of every topic that is matched', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '/', ':', '\\', '*', '.', 'https://', 'ü'),
      maxLength: 8,
    });
    fc.assert(
      fc.property(text, text, (pattern, topic) => {
        fc.pre(!refused(pattern) && topic !== '');
        if (compilePattern(pattern)(topic)) expect(topic.startsWith(literalPrefix(pattern))).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});
