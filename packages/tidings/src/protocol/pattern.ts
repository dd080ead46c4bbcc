import { createError } from './errors.ts';
import type { TidingsError } from './tidings-error.ts';
import { MAX_TOPIC_LENGTH, OWN_PREFIX, RUNS_PREFIX, UNUSABLE } from './matcher.ts';

/**
 * Patterns over topics: the part of the URL Pattern syntax (https://urlpattern.spec.whatwg.org/#pattern-strings)
 * whose matching takes no more steps than the topic's length times the pattern's, because patterns come from
 * strangers' query strings.
 *
 * - `:name` fills one segment: one or more characters other than `/`. A name may occur only once.
 * - `*` stands for any text, including `/` and the empty text; at most twice.
 * - `\` makes the next character literal.
 *
 * Groups, modifiers and regular expressions (`( ) { } + ?`) are refused, and topics are compared verbatim, without
 * percent-encoding or resolving `..`. ADR 0001 explains why.
 */

const MAX_WILDCARDS = 2;
/** A segment's name, up to the next character. */
const NAME = /:[A-Za-z_$][\w$]*(?=\/|$)/y;
/** The beginning of an absolute URL, whose colon begins no name. */
const SCHEME = /^[A-Za-z][\w.-]*:\/\//;
/** The literal characters at the beginning, escaped or not. */
const LITERAL = /^(?:[A-Za-z][\w.-]*:\/\/)?(?:[^*:\\]|\\.)*/s;
const REFUSED = '(){}+?';

/** Hidden topics, and tags, begin with a character below it; nobody else's do. */
const SPACE = 0x20;
const STAR = 0x2a;
const COLON = 0x3a;
const SLASH = 0x2f;
const BACKSLASH = 0x5c;
/** The `end` of a pattern whose topics may end in any character. */
const ANY = -1;

/**
 * A compiled pattern. It is matched by its text, character by character: regular expressions or closures made from
 * it would take many times its memory, and anyone may ask for patterns.
 */
export class Pattern {
  readonly pattern: string;
  /** How many sets of matchers share it; `shared-patterns.ts` counts them. */
  owners = 0;
  /** How many characters at its beginning stand for themselves. */
  readonly #plain: number;
  /** The last UTF-16 unit of every topic it matches, or `ANY`. Rules out most topics at once. */
  readonly #last: number;

  /** @throws {TidingsError} `topic/invalid-pattern` (status 400). */
  constructor(pattern: string) {
    this.#last = checkSyntax(pattern);
    this.pattern = pattern;
    const special = /[*\\]|(?:^|\/):/.exec(pattern);
    this.#plain = special === null ? pattern.length : special.index + special[0].length - 1;
  }

  /** How many characters at the pattern's beginning every matching topic begins with as well. */
  get plainLength(): number {
    return this.#plain;
  }

  /** Whether its literal beginning says that it is about topics of Tidings' own such as this one. */
  #names(topic: string): boolean {
    return this.#plain >= (topic.startsWith(RUNS_PREFIX) ? RUNS_PREFIX : OWN_PREFIX).length;
  }

  matches(topic: string): boolean {
    const { pattern } = this;
    const { length } = topic;
    if (this.#last !== ANY && topic.charCodeAt(length - 1) !== this.#last) return false;
    if (this.#plain > length || (this.#plain === 0 && topic.charCodeAt(0) < SPACE)) return false;
    // Only a pattern that names them reads somebody's chats: a grant of `*` was hardly meant to.
    if (this.#plain < RUNS_PREFIX.length && topic.startsWith(OWN_PREFIX) && !this.#names(topic)) return false;
    let at = 0;
    let p = 0;
    // Where the pattern goes on after its last `*`, and where that `*` ends. If the rest doesn't match there,
    // the `*` takes one character more. An earlier `*` needn't: its earliest end leaves the most for what follows.
    let afterStar = -1;
    let starEnd = 0;
    for (;;) {
      if (p === pattern.length && at === length) return true;
      const unit = pattern.charCodeAt(p);
      if (unit === STAR) {
        p += 1;
        if (p === pattern.length) return true;
        afterStar = p;
        starEnd = at;
        continue;
      }
      // The pattern goes on but the topic doesn't. If the `*` took more, there would be even less.
      if (at === length) return false;
      const next = topic.charCodeAt(at);
      if (unit === COLON && (p === 0 || pattern.charCodeAt(p - 1) === SLASH)) {
        if (next !== SLASH) {
          p = nextSlash(pattern, p);
          at = nextSlash(topic, at);
          continue;
        }
      } else if ((unit === BACKSLASH ? pattern.charCodeAt(p + 1) : unit) === next) {
        p += unit === BACKSLASH ? 2 : 1;
        at += 1;
        continue;
      }
      if (afterStar === -1) return false;
      starEnd += 1;
      at = starEnd;
      p = afterStar;
    }
  }
}

function nextSlash(text: string, from: number): number {
  const at = text.indexOf('/', from);
  return at === -1 ? text.length : at;
}

/** @throws {TidingsError} `topic/invalid-pattern` (status 400). `maxLength` counts UTF-16 units. */
export function assertPatternLength(pattern: string, maxLength: number = MAX_TOPIC_LENGTH): void {
  if (typeof pattern === 'string' && pattern !== '' && pattern.length <= maxLength) return;
  throw invalid(`A pattern is a string of 1 to ${maxLength} characters.`, pattern);
}

/** The literal beginning of every topic that the pattern matches. */
export function literalPrefix(pattern: string): string {
  const literal = LITERAL.exec(pattern)?.[0] ?? '';
  return literal.includes('\\') ? literal.replaceAll(/\\(.)/gs, '$1') : literal;
}

/** @returns the UTF-16 unit that topics end in, or `ANY`. */
function checkSyntax(pattern: string): number {
  if (UNUSABLE.test(pattern)) {
    throw invalid('A pattern has no control characters (CR, LF, NUL…) or lone surrogates.', pattern);
  }
  const names = new Set<string>();
  let wildcards = 0;
  let last = ANY;
  // A scheme's colon, and the text before it, are literal.
  const scheme = SCHEME.exec(pattern)?.[0].length ?? 0;
  for (let i = scheme; i < pattern.length; i += 1) {
    const character = pattern[i] as string;
    last = pattern.charCodeAt(i);
    if (character === '\\') {
      i += 1;
      last = pattern.charCodeAt(i);
      if (i === pattern.length) throw invalid('A pattern may not end in "\\".', pattern);
    } else if (character === '*') {
      wildcards += 1;
      last = ANY;
      if (pattern[i + 1] === '*')
        throw invalid('"**" is a modifier of URL Patterns; write one "*".', pattern);
    } else if (character === ':') {
      const name = i === 0 || beginsSegment(pattern, i) ? nameAt(pattern, i) : undefined;
      if (name === undefined)
        throw invalid('":name" fills a whole segment; write "\\:" for a colon.', pattern);
      if (names.has(name)) throw invalid('A name may stand in a pattern once.', pattern);
      names.add(name);
      i += name.length - 1;
      last = ANY;
    } else if (REFUSED.includes(character)) {
      throw invalid(
        `Write "\\${character}" for a "${character}": groups and modifiers are not supported.`,
        pattern,
      );
    }
  }
  if (wildcards > MAX_WILDCARDS) {
    throw invalid(`A pattern may contain "*" at most ${MAX_WILDCARDS} times.`, pattern);
  }
  return last;
}

/** Whether an unescaped slash stands before it: one with an even number of backslashes in front. */
function beginsSegment(pattern: string, i: number): boolean {
  if (pattern[i - 1] !== '/') return false;
  let backslashes = 0;
  while (pattern[i - 2 - backslashes] === '\\') backslashes += 1;
  return backslashes % 2 === 0;
}

function nameAt(pattern: string, i: number): string | undefined {
  NAME.lastIndex = i;
  return NAME.exec(pattern)?.[0];
}

function invalid(message: string, pattern: unknown): TidingsError {
  return createError('topic/invalid-pattern', message, { details: { pattern } });
}
