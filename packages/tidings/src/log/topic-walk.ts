import { type MatcherSet, beginningOf } from '../protocol/matcher-set.ts';

/** The names to look at next: those that begin with `prefix` and come after `after`, in order. */
export interface WalkStep {
  readonly prefix: string;
  readonly after: string | undefined;
}

export interface TopicWalkOptions {
  readonly matchers: MatcherSet;
  /** The log's head when the walk begins. */
  readonly until: number;
  /** With more topics than this the walk ends: looking at each event is cheaper than following so many topics. */
  readonly most: number;
  /** A topic as the index spells it. Default: unchanged. */
  readonly toName?: (topic: string) => string;
  /** Whether an indexed name belongs to the topics that are asked for. Default: what `matchers` say. */
  readonly matches?: (name: string) => boolean;
}

/**
 * A walk over an index of topics, for all patterns of a reader at once. It can stop after any name and go on there with
 * the next page. Its result holds for events up to `until`: a topic that comes into the index later, even at a place
 * that the walk has passed, has only newer events.
 */
export class TopicWalk {
  readonly until: number;
  readonly #topics: Set<string>;
  readonly #prefixes: readonly string[];
  readonly #most: number;
  readonly #matches: (name: string) => boolean;
  #at = 0;
  #after: string | undefined;

  constructor({ matchers, until, most, toName = (topic) => topic, matches }: TopicWalkOptions) {
    this.until = until;
    this.#most = most;
    this.#matches = matches ?? ((name) => matchers.matchesTopic(name));
    this.#topics = new Set([...matchers.topics].map(toName));
    this.#prefixes = shortest(matchers.patterns.map(beginningOf));
  }

  /** Undefined once the walk is over. */
  get next(): WalkStep | undefined {
    const prefix = this.isTooMany ? undefined : this.#prefixes[this.#at];
    return prefix === undefined ? undefined : { prefix, after: this.#after };
  }

  get isTooMany(): boolean {
    return this.#topics.size > this.#most;
  }

  /** The names found; undefined while the walk goes on, and if there are too many. */
  get topics(): readonly string[] | undefined {
    return this.isTooMany || this.#at < this.#prefixes.length ? undefined : [...this.#topics];
  }

  /** Takes the next names of the index, in order. `isLast`: no other name begins with the prefix. */
  take(names: readonly string[], isLast: boolean): void {
    for (const name of names) if (this.#matches(name)) this.#topics.add(name);
    this.#after = names.at(-1) ?? this.#after;
    if (!isLast) return;
    this.#at += 1;
    this.#after = undefined;
  }
}

/** Those that no other one begins: each name is walked over once. */
function shortest(prefixes: readonly string[]): string[] {
  const kept: string[] = [];
  for (const prefix of prefixes.toSorted()) {
    const last = kept.at(-1);
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix);
  }
  return kept;
}

/** The walks of readers, each for as long as its reader is interested in it. */
export class TopicWalks {
  readonly #walks = new WeakMap<MatcherSet, TopicWalk>();

  /** The walk that holds for events around `seq`: the one under way, or a new one up to `head`. */
  of(matchers: MatcherSet, seq: number, begin: () => TopicWalk): TopicWalk {
    const known = this.#walks.get(matchers);
    if (known !== undefined && seq <= known.until) return known;
    const walk = begin();
    this.#walks.set(matchers, walk);
    return walk;
  }
}
