import {
  ANYTHING,
  type CharacterSet,
  type Fragment,
  TooComplex,
  choice,
  complementOf,
  oneOf,
  repeat,
  sequence,
  setOf,
} from './automaton.ts';

/**
 * The regular expressions within URL Patterns, as far as an automaton can follow them: characters, classes, groups,
 * alternatives and repetitions. Look-around, back references and anchors can't be followed, so they are refused.
 */

const DIGITS = setOf('0123456789');
const WORD = setOf('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_');
const SPACE = setOf(' \t\n\r\f\v');
const CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: DIGITS,
  D: complementOf(DIGITS),
  w: WORD,
  W: complementOf(WORD),
  s: SPACE,
  S: complementOf(SPACE),
};
const CONTROLS: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', f: '\f', v: '\v', 0: '\0' };
/** Characters that have a meaning of their own, or get one in classes of the flag `v`. */
const SYNTAX = /^[\^$\\.*+?()[\]{}|/\-&!#%,:;<=>@`~]$/;
const BOUNDS = /\{(\d{1,4})(,(\d{1,4})?)?\}/y;
const HEXADECIMAL = /x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})/y;
/** How deep groups may be nested, which the parser's stack has to bear. */
const MAX_DEPTH = 16;

export class Unsupported extends Error {}

/** @throws {Unsupported} {TooComplex} */
export function parseRegExp(source: string): Fragment {
  const parser = new Parser(source);
  const fragment = parser.alternatives(0);
  if (!parser.isOver) throw new Unsupported(`"${source}" has a ")" too many`);
  return fragment;
}

class Parser {
  readonly #source: string;
  #at = 0;

  constructor(source: string) {
    this.#source = source;
  }

  get isOver(): boolean {
    return this.#at >= this.#source.length;
  }

  alternatives(depth: number): Fragment {
    if (depth > MAX_DEPTH) throw new TooComplex('its groups are nested too deeply');
    const first = this.#sequence(depth);
    const others: Fragment[] = [];
    while (this.#take('|')) others.push(this.#sequence(depth));
    return choice(first, ...others);
  }

  #sequence(depth: number): Fragment {
    const parts: Fragment[] = [];
    while (!this.isOver && !'|)'.includes(this.#peek)) parts.push(this.#quantified(depth));
    return sequence(...parts);
  }

  #quantified(depth: number): Fragment {
    const atom = this.#atom(depth);
    const bounds = this.#bounds();
    if (bounds === undefined) return atom;
    // Lazy or greedy makes no difference to whether a text matches.
    this.#take('?');
    if (!this.isOver && '*+?{'.includes(this.#peek)) throw this.#unsupported('repeats a repetition');
    return repeat(atom, ...bounds);
  }

  #bounds(): [number, number] | undefined {
    if (this.#take('*')) return [0, Infinity];
    if (this.#take('+')) return [1, Infinity];
    if (this.#take('?')) return [0, 1];
    BOUNDS.lastIndex = this.#at;
    const found = BOUNDS.exec(this.#source);
    if (found === null) return undefined;
    this.#at = BOUNDS.lastIndex;
    const min = Number(found[1]);
    const max = found[2] === undefined ? min : found[3] === undefined ? Infinity : Number(found[3]);
    if (max < min) throw this.#unsupported('has bounds in the wrong order');
    return [min, max];
  }

  #atom(depth: number): Fragment {
    if (this.#take('.')) return oneOf(complementOf(setOf('\n\r')));
    if (this.#take('(')) return this.#group(depth);
    if (this.#take('[')) return oneOf(this.#class());
    if (this.#take('\\')) return oneOf(this.#escape());
    const character = this.#peek;
    if ('^$'.includes(character)) throw this.#unsupported('has an anchor');
    if ('*+?{}]'.includes(character)) throw this.#unsupported(`has a "${character}" out of place`);
    this.#at += 1;
    return oneOf(setOf(character));
  }

  #group(depth: number): Fragment {
    if (!this.#take('?') || !this.#take(':'))
      throw this.#unsupported('has a group other than "(?:…)", such as a look-ahead');
    const inner = this.alternatives(depth + 1);
    if (!this.#take(')')) throw this.#unsupported('has a group without an end');
    return inner;
  }

  #class(): CharacterSet {
    const isNegated = this.#take('^');
    const set = new Uint8Array(128);
    while (!this.#take(']')) {
      const first = this.#classMember();
      const isRange = this.#peek === '-' && this.#source[this.#at + 1] !== ']';
      if (isRange) this.#at += 1;
      const last = isRange ? this.#classMember() : first;
      if (isRange) addRange(set, this.#only(first), this.#only(last));
      else for (const [code, has] of first.entries()) if (has === 1) set[code] = 1;
    }
    return isNegated ? complementOf(set) : set;
  }

  #classMember(): CharacterSet {
    if (this.isOver) throw this.#unsupported('has a class without an end');
    if (this.#take('\\')) return this.#escape();
    const character = this.#peek;
    const isDouble = character === this.#source[this.#at + 1] && '&-!#$%*+,.:;<=>?@^`~'.includes(character);
    if (character === '[' || isDouble) throw this.#unsupported('has a set operation within a class');
    this.#at += 1;
    return setOf(character);
  }

  /** The one character of a bound of a range. */
  #only(set: CharacterSet): number {
    const code = set.indexOf(1);
    if (code === -1 || set.lastIndexOf(1) !== code) throw this.#unsupported('has a range without bounds');
    return code;
  }

  #escape(): CharacterSet {
    const character = this.#peek;
    HEXADECIMAL.lastIndex = this.#at;
    const hexadecimal = HEXADECIMAL.exec(this.#source);
    if (hexadecimal !== null) {
      this.#at = HEXADECIMAL.lastIndex;
      return setOf(String.fromCharCode(Number.parseInt(hexadecimal[1] ?? hexadecimal[2] ?? '', 16)));
    }
    const known =
      CLASSES[character] ?? (character in CONTROLS ? setOf(CONTROLS[character] as string) : undefined);
    if (known === undefined && !SYNTAX.test(character)) throw this.#unsupported(`has "\\${character}"`);
    this.#at += 1;
    return known ?? setOf(character);
  }

  get #peek(): string {
    return this.#source[this.#at] ?? '';
  }

  #take(character: string): boolean {
    if (this.#peek !== character) return false;
    this.#at += 1;
    return true;
  }

  #unsupported(what: string): Unsupported {
    return new Unsupported(`the regular expression "${this.#source}" ${what}`);
  }
}

function addRange(set: CharacterSet, from: number, to: number): void {
  if (to < from) throw new Unsupported('a range has its bounds in the wrong order');
  set.fill(1, from, to + 1);
}

/** Any text. */
export const ANY_TEXT: Fragment = repeat(oneOf(ANYTHING), 0, Infinity);
