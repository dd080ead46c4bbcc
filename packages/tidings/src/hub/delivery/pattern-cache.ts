/** The source of the patterns. */
export interface PatternSource<Pattern> {
  /** The patterns that may match a topic, found without looking at each. */
  candidates(topic: string): Iterable<Pattern>;
  matches(pattern: Pattern, topic: string): boolean;
  /** Whether it was removed since it was added. */
  isGone(pattern: Pattern): boolean;
}

interface Remembered<Pattern> {
  readonly found: readonly Pattern[];
  /** How many changes there had been when it was looked up, and how many of them added a pattern. */
  readonly changes: number;
  readonly additions: number;
}

/** The size of half the cache: one for each topic and for each pattern found for it. */
const HALF = 50_000;
/** Additions that are always remembered. */
const FEW = 64;

/**
 * Remembers which patterns match a topic. Patterns that come and go don't clear it: when a topic is looked up again,
 * removed patterns are dropped from its result and added ones are compared with it, or it is looked up anew if that
 * is less work. A stranger who keeps changing patterns therefore costs one comparison per topic and change.
 */
export class PatternCache<Pattern> {
  readonly #source: PatternSource<Pattern>;
  /** Two halves: when the young one is full, the old one is dropped, except topics looked up meanwhile. */
  #young = new Map<string, Remembered<Pattern>>();
  #old = new Map<string, Remembered<Pattern>>();
  #weight = 0;
  #changes = 0;
  #added: Pattern[] = [];
  /** How many additions came before those in `#added`. */
  #forgotten = 0;

  constructor(source: PatternSource<Pattern>) {
    this.#source = source;
  }

  /** `patterns`: how many there are now. */
  add(pattern: Pattern, patterns: number): void {
    this.#changes += 1;
    // With more additions than patterns, a topic is looked up anew, and the list is of no use.
    if (this.#added.length > 2 * patterns + FEW) {
      this.#forgotten += this.#added.length;
      this.#added = [];
    }
    this.#added.push(pattern);
  }

  /** A pattern that the source has removed. */
  remove(): void {
    this.#changes += 1;
  }

  matching(topic: string, patterns: number): readonly Pattern[] {
    const young = this.#young.get(topic);
    if (young !== undefined && young.changes === this.#changes) return young.found;
    const known = young ?? this.#old.get(topic);
    const found = known === undefined ? this.#lookUp(topic) : this.#update(topic, known, patterns);
    if (young !== undefined) this.#weight -= 1 + young.found.length;
    this.#remember(topic, found);
    return found;
  }

  #remember(topic: string, found: readonly Pattern[]): void {
    this.#weight += 1 + found.length;
    if (this.#weight > HALF) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#weight = 1 + found.length;
    }
    const additions = this.#forgotten + this.#added.length;
    this.#young.set(topic, { found, changes: this.#changes, additions });
  }

  #update(topic: string, known: Remembered<Pattern>, patterns: number): readonly Pattern[] {
    if (known.changes === this.#changes) return known.found;
    const from = known.additions - this.#forgotten;
    if (from < 0 || this.#added.length - from > patterns) return this.#lookUp(topic);
    const { matches, isGone } = this.#source;
    const found = known.found.filter((pattern) => !isGone(pattern));
    for (let i = from; i < this.#added.length; i += 1) {
      const pattern = this.#added[i] as Pattern;
      if (!isGone(pattern) && matches(pattern, topic)) found.push(pattern);
    }
    return found;
  }

  #lookUp(topic: string): readonly Pattern[] {
    const { candidates, matches } = this.#source;
    const found: Pattern[] = [];
    for (const pattern of candidates(topic)) if (matches(pattern, topic)) found.push(pattern);
    return found;
  }
}
