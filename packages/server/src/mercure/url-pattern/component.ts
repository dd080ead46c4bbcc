import {
  ANYTHING,
  Automaton,
  type Fragment,
  complementOf,
  oneOf,
  repeat,
  sequence,
  setOf,
  text,
} from './automaton.ts';
import { ANY_TEXT, Unsupported, parseRegExp } from './regexp.ts';

/** One component of a URL Pattern, such as its pathname. */
export interface Component {
  /** How every text begins that it matches. */
  readonly beginning: string;
  /** Whether it matches its beginning alone. */
  readonly isLiteral: boolean;
  /** Whether a comparison may take many steps. */
  readonly isCostly: boolean;
  matches(subject: string): boolean;
}

/** How a component is read: https://urlpattern.spec.whatwg.org/#options-header */
export interface ComponentOptions {
  /** Ends what `:name` stands for; empty: nothing does. */
  readonly delimiter: string;
  /** Belongs to a group that follows it, and is repeated with it. */
  readonly prefix: string;
}

/** The part of a component's pattern. */
interface Part {
  /** The text, if it stands for itself. */
  readonly literal?: string;
  readonly fragment: Fragment;
  readonly hasRegExp?: boolean;
}

const NAME = /:[\p{ID_Start}_$][\p{ID_Continue}$\u200c\u200d]*/uy;
/** Repeated or plain wildcards beyond these make a component costly. */
const FEW = 4;

/**
 * Reads a component's pattern, in the form that the URL Pattern standard gives it:
 * https://urlpattern.spec.whatwg.org/#generate-a-pattern-string
 *
 * @throws {Unsupported} {TooComplex}
 */
export function parseComponent(pattern: string, options: ComponentOptions): Component {
  if (pattern === '*') return ANY_COMPONENT;
  const parts = new ComponentParser(pattern, options).parts();
  const literals: string[] = [];
  for (const { literal } of parts) {
    if (literal === undefined) break;
    literals.push(literal);
  }
  const beginning = literals.join('');
  if (literals.length === parts.length) return new Literal(beginning);
  const last = parts.at(-1)?.literal ?? '';
  const isCostly = parts.some(({ hasRegExp }) => hasRegExp) || countOpen(parts) > FEW;
  return new Compiled(
    beginning,
    last,
    isCostly,
    sequence(...parts.slice(literals.length).map(({ fragment }) => fragment)),
  );
}

function countOpen(parts: readonly Part[]): number {
  return parts.filter(({ literal }) => literal === undefined).length;
}

const ANY_COMPONENT: Component = { beginning: '', isLiteral: false, isCostly: false, matches: () => true };

class Literal implements Component {
  readonly beginning: string;
  readonly isLiteral = true;
  readonly isCostly = false;

  constructor(literal: string) {
    this.beginning = literal;
  }

  matches(subject: string): boolean {
    return subject === this.beginning;
  }
}

class Compiled implements Component {
  readonly beginning: string;
  readonly isLiteral = false;
  readonly isCostly: boolean;
  readonly #end: string;
  readonly #automaton: Automaton;

  constructor(beginning: string, end: string, isCostly: boolean, rest: Fragment) {
    this.beginning = beginning;
    this.#end = end;
    this.isCostly = isCostly;
    this.#automaton = new Automaton(rest);
  }

  matches(subject: string): boolean {
    // Rules out nearly all texts at once.
    if (!subject.startsWith(this.beginning) || !subject.endsWith(this.#end)) return false;
    return this.#automaton.matches(subject, this.beginning.length);
  }
}

/** The text that `:name` stands for, by the delimiter. */
const segments = new Map<string, Fragment>();

function segmentOf(delimiter: string): Fragment {
  let segment = segments.get(delimiter);
  if (segment === undefined) {
    segment = repeat(oneOf(delimiter === '' ? ANYTHING : complementOf(setOf(delimiter))), 1, Infinity);
    segments.set(delimiter, segment);
  }
  return segment;
}

class ComponentParser {
  readonly #pattern: string;
  readonly #options: ComponentOptions;
  readonly #segment: Fragment;
  #at = 0;

  constructor(pattern: string, options: ComponentOptions) {
    this.#pattern = pattern;
    this.#options = options;
    this.#segment = segmentOf(options.delimiter);
  }

  parts(): readonly Part[] {
    const parts: Part[] = [];
    let literal = '';
    const add = (...more: readonly Part[]): void => {
      if (literal !== '') parts.push({ literal, fragment: text(literal) });
      literal = '';
      parts.push(...more);
    };
    while (this.#at < this.#pattern.length) {
      const character = this.#character();
      if (character !== undefined) {
        literal += character;
        continue;
      }
      const { prefix } = this.#options;
      const isGroup = this.#pattern[this.#at] === '{';
      const { fragment, hasRegExp } = isGroup ? this.#group() : this.#matching();
      const bounds = this.#modifier();
      // Without a modifier it makes no difference to which part the prefix belongs.
      const takesPrefix = !isGroup && bounds !== undefined && prefix !== '' && literal.endsWith(prefix);
      if (takesPrefix) literal = literal.slice(0, -prefix.length);
      const whole = takesPrefix ? sequence(text(prefix), fragment) : fragment;
      add({ fragment: bounds === undefined ? whole : repeat(whole, ...bounds), hasRegExp });
    }
    add();
    return parts;
  }

  /** A character that stands for itself; undefined if what follows doesn't. */
  #character(): string | undefined {
    const next = this.#pattern[this.#at] as string;
    if ('*{('.includes(next) || (next === ':' && this.#name !== undefined)) return undefined;
    if (next === '\\') this.#at += 1;
    const character = this.#pattern[this.#at] ?? '\\';
    this.#at += 1;
    return character;
  }

  get #name(): string | undefined {
    NAME.lastIndex = this.#at;
    return NAME.exec(this.#pattern)?.[0];
  }

  /** `*`, `:name`, `:name(regexp)` or `(regexp)`. */
  #matching(): { fragment: Fragment; hasRegExp: boolean } {
    if (this.#take('*')) return { fragment: ANY_TEXT, hasRegExp: false };
    this.#at += this.#name?.length ?? 0;
    if (this.#pattern[this.#at] !== '(') return { fragment: this.#segment, hasRegExp: false };
    return { fragment: parseRegExp(this.#regExp()), hasRegExp: true };
  }

  /** The source of a regular expression in parentheses. */
  #regExp(): string {
    const begin = this.#at + 1;
    let depth = 0;
    for (; this.#at < this.#pattern.length; this.#at += 1) {
      const character = this.#pattern[this.#at];
      if (character === '\\') this.#at += 1;
      else if (character === '(') depth += 1;
      else if (character === ')') depth -= 1;
      if (depth > 0) continue;
      this.#at += 1;
      return this.#pattern.slice(begin, this.#at - 1);
    }
    throw new Unsupported('a regular expression has no end');
  }

  /** `{…}`: text, and at most one thing that matches. */
  #group(): { fragment: Fragment; hasRegExp: boolean } {
    this.#at += 1;
    const fragments: Fragment[] = [];
    let hasRegExp = false;
    while (!this.#take('}')) {
      if (this.#at >= this.#pattern.length) throw new Unsupported('a group has no end');
      const character = this.#character();
      if (character !== undefined) {
        fragments.push(text(character));
        continue;
      }
      if (this.#pattern[this.#at] === '{') throw new Unsupported('a group is within another');
      const matching = this.#matching();
      fragments.push(matching.fragment);
      hasRegExp ||= matching.hasRegExp;
    }
    return { fragment: sequence(...fragments), hasRegExp };
  }

  #modifier(): [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    return this.#take('?') ? [0, 1] : undefined;
  }

  #take(character: string): boolean {
    if (this.#pattern[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }
}
