import type { Random } from './random.ts';

/** A connection that some peer was welcomed on, which any peer may try to change. */
export interface Claim {
  readonly connection: string;
  readonly secret: string;
  readonly cursor: string;
}

/** The topics that the server publishes on: some of the topics asked for must exist. */
export const TOPICS = [
  'news',
  'posts/1',
  'posts/2',
  'board',
  'user/ann',
  'user/bob',
  'room/1',
  'presence/room/1',
] as const;

const ODD_TEXT = [
  '',
  ' ',
  '\u0000',
  'a\nb',
  'a\r\nid: forged',
  '\ud800',
  '\u2028',
  '\ufeff',
  '😀',
  'é',
  'e\u0301',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'presence/',
  'presence/presence/room/1',
  '../../etc/passwd',
  '%00',
  'null',
  '-1',
  '*',
  ':id',
  '/',
  '//',
] as const;

export function topic(random: Random): string {
  const kind = random.int(12);
  if (kind < 7) return random.pick(TOPICS);
  if (kind === 7) return random.pick(ODD_TEXT);
  if (kind === 8) return 'x'.repeat(random.pick([1, 255, 1023, 1024, 1025, 4000]));
  if (kind === 9) return `room/${random.int(1000)}`;
  return text(random, 12);
}

const PIECES = [
  ':',
  ':a',
  ':b',
  ':id',
  '*',
  '**',
  '/',
  '\\',
  '(',
  ')',
  '{',
  '}',
  '?',
  '+',
  '|',
  '[',
  ']',
  '^',
  '$',
  'a',
  'x',
  'user',
  'posts',
  'presence',
  '.',
  '-',
  ':1',
  '\\:',
  '\\*',
  '😀',
] as const;

export function pattern(random: Random): string {
  const kind = random.int(8);
  if (kind < 3) return random.pick(['user/:id', 'posts/*', '*', 'room/:id', 'presence/*', '*x', ':a/:b']);
  if (kind === 3) return random.pick(PIECES).repeat(random.pick([1, 2, 3, 50, 500]));
  return random.list(10, () => random.pick(PIECES)).join('');
}

export function cursor(random: Random, claims: readonly Claim[]): string {
  const known = claims.length === 0 ? 'e.1' : (claims[random.int(claims.length)]?.cursor ?? 'e.1');
  const kind = random.int(8);
  if (kind < 3) return known;
  if (kind === 3) return 'earliest';
  if (kind === 4) return `e.${random.int(5000)}`;
  return random.pick([
    'e.99999999999999999999',
    'e.-1',
    'e.1e3',
    'e.0x10',
    'e.',
    '.1',
    'e.1.1',
    'E.1',
    'other.5',
    'EARLIEST',
    '0',
    'NaN',
    'x'.repeat(129),
    `${'x'.repeat(64)}.1`,
    `e.${'9'.repeat(100)}`,
    'é.1',
    '',
    ' ',
    known.replace('.', ' .'),
  ]);
}

export function text(random: Random, most: number): string {
  return String.fromCodePoint(
    ...random.list(most, () =>
      random.pick([97, 47, 58, 42, 37, 43, 38, 61, 63, 35, 123, 92, 233, 0x20ac, 0x1f600, 9]),
    ),
  );
}

/** Any JSON, also such as only a parser that is not JavaScript's objects would keep apart. */
export function json(random: Random, depth = 3): string {
  const kind = random.int(depth === 0 ? 7 : 9);
  if (kind === 7) return `[${random.list(5, () => json(random, depth - 1)).join()}]`;
  if (kind === 8) {
    const names = [
      'connection',
      'secret',
      'add',
      'drop',
      'pattern',
      '__proto__',
      'constructor',
      'toJSON',
      'length',
      '',
    ] as const;
    return `{${random.list(5, () => `${JSON.stringify(random.pick(names))}:${json(random, depth - 1)}`).join()}}`;
  }
  return [JSON.stringify(topic(random)), '1e999', '-0', '1', 'true', 'null', '"\\ud800"'][kind] ?? 'null';
}

/** The body of a change, right or nearly. */
export function change(random: Random, claims: readonly Claim[]): string {
  const kind = random.int(14);
  if (kind === 0) return json(random);
  if (kind === 1)
    return random.pick([
      '',
      '{',
      '[]',
      '""',
      'null',
      '{"connection":',
      '\u0000',
      '{"a":1}{"b":2}',
      '\ufeff{}',
    ]);
  if (kind === 2) return '['.repeat(random.pick([10, 5000, 100_000]));
  if (kind === 3) return JSON.stringify({ connection: 'x'.repeat(random.pick([10, 300_000])), secret: '' });
  const claim = claims[random.int(claims.length)] ?? { connection: 'none', secret: 'none' };
  const matchers = (): unknown[] =>
    random.list(random.chance(0.03) ? 2000 : 4, () =>
      random.chance(0.4) ? { pattern: pattern(random) } : topic(random),
    );
  return JSON.stringify({
    connection: random.chance(0.95) ? claim.connection : topic(random),
    secret: random.chance(0.9) ? claim.secret : topic(random),
    ...(random.chance(0.8) ? { add: random.chance(0.95) ? matchers() : topic(random) } : {}),
    ...(random.chance(0.5) ? { drop: random.chance(0.95) ? matchers() : { length: 1 } } : {}),
  });
}
