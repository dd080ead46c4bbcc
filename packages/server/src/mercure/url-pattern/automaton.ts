/**
 * An automaton that reads a text once, however the pattern is written, because patterns come from strangers: the regular
 * expressions of JavaScript can take exponential time. It follows all ways through the pattern at once, and counts its
 * steps.
 */

/** The most steps of one comparison, about 0.1 ms. A text that takes more doesn't match, as the Mercure draft has it. */
const MAX_STEPS = 8192;
/** The most instructions of one automaton. */
const MAX_SIZE = 2048;

/** A set of ASCII characters: what URLs are made of, once they are parsed. */
export type CharacterSet = Uint8Array;

type Instruction =
  | { readonly op: 'set'; readonly set: CharacterSet }
  | { readonly op: 'split'; readonly targets: number[] };

/** A part of a pattern: it adds its instructions. */
export type Fragment = (automaton: Builder) => void;

export class TooComplex extends Error {}

/** Collects instructions. A fragment's instructions lead from its first to the one after its last. */
export class Builder {
  readonly instructions: Instruction[] = [];

  get next(): number {
    return this.instructions.length;
  }

  set(set: CharacterSet): void {
    this.#add({ op: 'set', set });
  }

  /** Goes on at all the targets at once; they may be filled in later. */
  split(...targets: number[]): number[] {
    this.#add({ op: 'split', targets });
    return targets;
  }

  #add(instruction: Instruction): void {
    if (this.instructions.length >= MAX_SIZE) throw new TooComplex('it is too complex');
    this.instructions.push(instruction);
  }
}

/** All in turn. */
export function sequence(...fragments: readonly Fragment[]): Fragment {
  return (automaton) => {
    for (const fragment of fragments) fragment(automaton);
  };
}

/** One of them. */
export function choice(first: Fragment, ...others: readonly Fragment[]): Fragment {
  if (others.length === 0) return first;
  return (automaton) => {
    const ends: number[][] = [];
    const branches = automaton.split();
    for (const fragment of [first, ...others]) {
      branches.push(automaton.next);
      fragment(automaton);
      ends.push(automaton.split());
    }
    for (const end of ends) end.push(automaton.next);
  };
}

/** At least `min` and at most `max` times. */
export function repeat(fragment: Fragment, min: number, max: number): Fragment {
  return (automaton) => {
    for (let i = 0; i < min; i += 1) {
      const { next } = automaton;
      fragment(automaton);
      // Nothing stays nothing. Repetitions of it within each other would never meet the limit, nor come to an end.
      if (automaton.next === next) return;
    }
    if (max === Infinity) {
      const loop = automaton.next;
      const targets = automaton.split(loop + 1);
      fragment(automaton);
      automaton.split(loop);
      targets.push(automaton.next);
      return;
    }
    const skips: number[][] = [];
    for (let i = min; i < max; i += 1) {
      skips.push(automaton.split(automaton.next + 1));
      fragment(automaton);
    }
    for (const skip of skips) skip.push(automaton.next);
  };
}

export function oneOf(set: CharacterSet): Fragment {
  return (automaton) => automaton.set(set);
}

export function text(literal: string): Fragment {
  const sets = Array.from(literal, single);
  return (automaton) => {
    for (const set of sets) automaton.set(set);
  };
}

/** Sets of one character, shared by all patterns: each has 128 bytes. */
const singles = new Map<string, CharacterSet>();

function single(character: string): CharacterSet {
  // The set of whatever is beyond ASCII is empty, and URLs have nothing of it.
  const key = character > '\u007f' ? '' : character;
  let set = singles.get(key);
  if (set === undefined) singles.set(key, (set = setOf(key)));
  return set;
}

/** The characters of a text. */
export function setOf(characters: string): CharacterSet {
  const set = new Uint8Array(128);
  for (const character of characters) {
    const code = character.codePointAt(0) as number;
    if (code < 128) set[code] = 1;
  }
  return set;
}

export function complementOf(set: CharacterSet): CharacterSet {
  return set.map((has) => 1 - has);
}

export const ANYTHING: CharacterSet = complementOf(setOf(''));

/** Tells whether a whole text matches. */
export class Automaton {
  /** The characters that lead on from each state; states are the instructions that read one, and the end. */
  readonly #sets: readonly CharacterSet[];
  /** For each state, those that are reached behind it without reading. The last is for the beginning. */
  readonly #behind: readonly Uint16Array[];
  readonly #end: number;
  /** The character for which a state was last added: none is followed twice for one character. */
  readonly #marks: Uint32Array;
  #mark = 0;

  /** @throws {TooComplex} */
  constructor(fragment: Fragment) {
    const builder = new Builder();
    fragment(builder);
    const { states, behind } = withoutSplits(builder.instructions);
    this.#sets = states;
    this.#behind = behind;
    this.#end = states.length;
    this.#marks = new Uint32Array(states.length + 1);
  }

  /** `from`: where in the text to begin. */
  matches(subject: string, from = 0): boolean {
    const marks = this.#marks;
    let steps = 0;
    let states: ArrayLike<number> & Iterable<number> = this.#behind[this.#end] as Uint16Array;
    let count = states.length;
    // Two lists, in turn.
    const lists = [new Uint16Array(marks.length), new Uint16Array(marks.length)] as const;
    for (let at = from; at < subject.length; at += 1) {
      const code = subject.charCodeAt(at);
      steps += count;
      if (code > 127 || count === 0 || steps > MAX_STEPS) return false;
      const mark = this.#nextMark();
      const next = lists[at & 1] as Uint16Array;
      let found = 0;
      for (let i = 0; i < count; i += 1) {
        const state = states[i] as number;
        if (state === this.#end || (this.#sets[state] as CharacterSet)[code] !== 1) continue;
        const behind = this.#behind[state] as Uint16Array;
        steps += behind.length;
        for (let j = 0; j < behind.length; j += 1) {
          const each = behind[j] as number;
          if (marks[each] === mark) continue;
          marks[each] = mark;
          next[found] = each;
          found += 1;
        }
      }
      states = next;
      count = found;
    }
    for (let i = 0; i < count; i += 1) if (states[i] === this.#end) return true;
    return false;
  }

  #nextMark(): number {
    this.#mark += 1;
    if (this.#mark < 0xffff_ffff) return this.#mark;
    this.#marks.fill(0);
    this.#mark = 1;
    return 1;
  }
}

/** The most states behind all states together. */
const MAX_WAYS = 16_384;

/**
 * The instructions that read, and which of them come behind each. The end counts as one that comes behind; the ways from the
 * beginning stand last.
 */
function withoutSplits(instructions: readonly Instruction[]): {
  readonly states: readonly CharacterSet[];
  readonly behind: readonly Uint16Array[];
} {
  const numbers: number[] = [];
  const states: CharacterSet[] = [];
  for (const [i, instruction] of instructions.entries()) {
    if (instruction.op !== 'set') continue;
    numbers[i] = states.length;
    states.push(instruction.set);
  }
  let ways = 0;
  const behind = (from: number): Uint16Array => {
    const found: number[] = [];
    const seen = new Set<number>();
    const stack = [from];
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      if (seen.has(at)) continue;
      seen.add(at);
      const instruction = instructions[at];
      if (instruction?.op === 'split') stack.push(...instruction.targets);
      else found.push(instruction === undefined ? states.length : (numbers[at] as number));
    }
    ways += seen.size;
    if (ways > MAX_WAYS) throw new TooComplex('it is too complex');
    return Uint16Array.from(found);
  };
  const all = instructions.flatMap(({ op }, i) => (op === 'set' ? [behind(i + 1)] : []));
  return { states, behind: [...all, behind(0)] };
}
