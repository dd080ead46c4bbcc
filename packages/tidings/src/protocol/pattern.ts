import { TidingsError } from './errors.ts';
import { MAX_TOPIC_LENGTH } from './matcher.ts';

/**
 * Patterns over topics: the part of the URL Pattern syntax (https://urlpattern.spec.whatwg.org/#pattern-strings)
 * that can be matched in time linear in the topic, because patterns come from strangers' query strings.
 *
 * - `:name` fills one segment: one or more characters other than `/`.
 * - `*` stands for any text, `/` and nothing included; at most twice.
 * - `\` makes the next character literal.
 *
 * Groups, modifiers and regular expressions (`( ) { } + ?`) are refused, and topics are compared as they are:
 * nothing is percent-encoded and no `..` is resolved. ADR 0001 tells why.
 */

const MAX_WILDCARDS = 2;
const NAME = /^:[A-Za-z_$][\w$]*$/;
const REFUSED = '(){}+?';

/** @throws {TidingsError} `topic/invalid-pattern` (status 400). */
export function compilePattern(pattern: string): (topic: string) => boolean {
  if (typeof pattern !== 'string' || pattern === '' || pattern.length > MAX_TOPIC_LENGTH) {
    throw invalid(`A pattern is a string of 1 to ${MAX_TOPIC_LENGTH} characters.`, pattern);
  }
  let wildcards = 0;
  const source = splitSegments(pattern).map((segment) => {
    if (NAME.test(segment)) return '[^/]+';
    const compiled = compileSegment(segment, pattern);
    wildcards += compiled.wildcards;
    return compiled.source;
  });
  if (wildcards > MAX_WILDCARDS) {
    throw invalid(`A pattern may contain "*" at most ${MAX_WILDCARDS} times.`, pattern);
  }
  // `s`: a topic has no line ends, but a dot that means "any character" should not depend on that.
  const expression = new RegExp(`^${source.join('/')}$`, 'su');
  return (topic) => expression.test(topic);
}

/** Splits at `/`, but not at `\/`, and keeps the `:` of an absolute URL's scheme out of the way of names. */
function splitSegments(pattern: string): string[] {
  return pattern.replace(/^([A-Za-z][\w.-]*):\/\//, '$1\\://').split(/(?<!\\)\//);
}

function compileSegment(segment: string, pattern: string): { source: string; wildcards: number } {
  let source = '';
  let wildcards = 0;
  const characters = [...segment];
  for (let i = 0; i < characters.length; i += 1) {
    const character = characters[i] ?? '';
    if (character === '\\') {
      i += 1;
      const literal = characters[i];
      if (literal === undefined) throw invalid('A pattern may not end in "\\".', pattern);
      source += escapeForRegExp(literal);
    } else if (character === '*') {
      wildcards += 1;
      source += '.*';
    } else if (character === ':') {
      throw invalid('":name" fills a whole segment; write "\\:" for a colon.', pattern);
    } else if (REFUSED.includes(character)) {
      throw invalid(`Write "\\${character}" for a "${character}": groups and modifiers are not supported.`, pattern);
    } else {
      source += escapeForRegExp(character);
    }
  }
  return { source, wildcards };
}

function escapeForRegExp(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function invalid(message: string, pattern: unknown): TidingsError {
  return new TidingsError('topic/invalid-pattern', message, { status: 400, details: { pattern } });
}
