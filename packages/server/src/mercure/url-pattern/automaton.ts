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
    for (let i = 0; i < min; i += 1) fragment(automaton);
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
  const sets = Array.from(literal, (character) => setOf(character));
  return (automaton) => {
    for (const set of sets) automaton.set(set);
  };
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
  readonly #instructions: readonly Instruction[];
  /** The run in which an instruction was last added to a list, so that none is followed twice for one character. */
  readonly #marks: Uint32Array;
  #mark = 0;
  #steps = 0;

  /** @throws {TooComplex} */
  constructor(fragment: Fragment) {
    const builder = new Builder();
    fragment(builder);
    this.#instructions = builder.instructions;
    this.#marks = new Uint32Array(builder.next + 1);
  }

  /** `from`: where in the text to begin. */
  matches(subject: string, from = 0): boolean {
    const end = this.#instructions.length;
    this.#steps = 0;
    let states: number[] = [];
    this.#begin();
    this.#follow(0, states);
    for (let at = from; at < subject.length; at += 1) {
      const code = subject.charCodeAt(at);
      if (code > 127 || states.length === 0) return false;
      const next: number[] = [];
      this.#begin();
      for (const state of states) {
        this.#steps += 1;
        const instruction = this.#instructions[state];
        if (instruction?.op === 'set' && instruction.set[code] === 1) this.#follow(state + 1, next);
      }
      if (this.#steps > MAX_STEPS) return false;
      states = next;
    }
    return states.includes(end);
  }

  #begin(): void {
    this.#mark += 1;
    if (this.#mark < 0xffff_ffff) return;
    this.#marks.fill(0);
    this.#mark = 1;
  }

  /** Adds the states that can be reached without reading a character. */
  #follow(first: number, states: number[]): void {
    const stack = [first];
    for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
      if (this.#marks[state] === this.#mark) continue;
      this.#marks[state] = this.#mark;
      this.#steps += 1;
      const instruction = this.#instructions[state];
      if (instruction?.op === 'split') stack.push(...instruction.targets);
      else states.push(state);
    }
  }
}
