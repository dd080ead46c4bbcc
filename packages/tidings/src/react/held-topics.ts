import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';

/** Somebody who wants topics. */
export interface Holder {
  /**
   * The connection has all of its topics.
   * @param begins after which cursors their events begin, the last of them counts; empty where the server didn't say.
   * @param late those whose events were flowing before this holder came; undefined is what the URL is for.
   */
  begins(begins: readonly string[], late: readonly (Matcher | undefined)[]): void;
  /** The server refused one of them. */
  refused(error: TidingsError): void;
}

/** One topic, as long as somebody holds it. */
export interface Held {
  readonly key: string;
  /** Undefined for what the URL is for by itself. */
  readonly matcher: Matcher | undefined;
  readonly holds: Set<Hold>;
  stage: 'new' | 'asked' | 'granted' | 'refused';
  begins: string;
}

interface Hold {
  readonly holder: Holder;
  readonly topics: readonly Held[];
  /** Where it came in: the cursor at that time, of the topics that were flowing already. */
  late: ReadonlyMap<Held, string>;
  told: boolean;
}

/** Topics that are counted: the first hold of one asks for it, and the last release drops it. */
export interface HeldTopics {
  /** Without topics, the hold is for what the URL is for by itself. @returns releases it. */
  hold(matchers: readonly Matcher[], holder: Holder, cursor: () => string): () => void;
  readonly isEmpty: boolean;
  /** Whether there are topics that no connection was asked for. */
  readonly hasNew: boolean;
  /** The topics that a new connection has to ask for; they count as asked. */
  forConnection(): readonly Held[];
  /** The change that is due, once: it counts as done. */
  changes(): { readonly add: readonly Held[]; readonly drop: readonly Held[] };
  /**
   * The connection is gone, and its topics with it.
   * @param anew the next one doesn't go on where it was, so holders learn again where their events begin.
   * @param isFinal what was refused stays so. Otherwise it is asked for again.
   * @returns those it had.
   */
  lose(anew: boolean, isFinal?: boolean): readonly Held[];
  grant(topics: readonly Held[], begins: string): void;
  refuse(topic: Held, error: TidingsError): void;
}

const isWithServer = ({ stage }: Held): boolean => stage === 'asked' || stage === 'granted';

/** No topic has such a name. */
const OWN = '\u0001';

/** @param onDrop gets those that nobody holds any more. */
export function createHeldTopics(onDrop: (topics: readonly Held[]) => void): HeldTopics {
  const all = new Map<string, Held>();

  function find(matcher: Matcher | undefined): Held {
    const key = matcher === undefined ? OWN : matcherKey(matcher);
    const found = all.get(key) ?? { key, matcher, holds: new Set<Hold>(), stage: 'new', begins: '' };
    all.set(key, found);
    return found;
  }

  function tellIfComplete(hold: Hold): void {
    const { topics, late, holder } = hold;
    if (hold.told || !topics.every(({ stage }) => stage === 'granted')) return;
    hold.told = true;
    holder.begins(
      // The stream may not have come to where a topic begins that was added lately.
      topics.flatMap((topic) => [topic.begins, late.get(topic) ?? topic.begins]),
      [...late.keys()].map(({ matcher }) => matcher),
    );
  }

  /** Removes what nobody holds. */
  function sweep(kept?: Held): readonly Held[] {
    const unheld = [...all.values()].filter((topic) => topic.holds.size === 0 && topic !== kept);
    for (const { key } of unheld) all.delete(key);
    if (unheld.length > 0) onDrop(unheld);
    return unheld;
  }

  /** A server doesn't let the last named topic go, and the connection is needed for what the URL is for by itself. */
  function lastNamed(): Held | undefined {
    const isHeld = ({ holds }: Held): boolean => holds.size > 0;
    const own = all.get(OWN);
    const named = [...all.values()].filter((topic) => topic !== own && topic.stage !== 'refused');
    return own !== undefined && isHeld(own) && !named.some(isHeld) ? named.findLast(isWithServer) : undefined;
  }

  return {
    hold(matchers, holder, cursor) {
      const topics = matchers.length === 0 ? [find(undefined)] : [...new Set(matchers.map(find))];
      const flowing = topics.filter(({ stage }) => stage === 'granted');
      const late = new Map(flowing.map((topic) => [topic, cursor()]));
      const hold: Hold = { holder, topics, late, told: false };
      for (const topic of topics) topic.holds.add(hold);
      tellIfComplete(hold);
      return () => {
        for (const topic of topics) topic.holds.delete(hold);
      };
    },
    get isEmpty() {
      return [...all.values()].every(({ holds }) => holds.size === 0);
    },
    get hasNew() {
      return [...all.values()].some(({ stage }) => stage === 'new');
    },
    forConnection() {
      sweep();
      const topics = [...all.values()].filter(({ stage }) => stage !== 'refused');
      for (const topic of topics) if (topic.stage === 'new') topic.stage = 'asked';
      return topics;
    },
    changes() {
      const drop = sweep(lastNamed()).filter(isWithServer);
      const add = [...all.values()].filter(({ stage }) => stage === 'new');
      for (const topic of add) topic.stage = 'asked';
      return { add, drop };
    },
    lose(anew, isFinal = false) {
      const had = [...all.values()].filter(isWithServer);
      sweep();
      for (const topic of all.values()) {
        if (!isFinal || topic.stage !== 'refused') topic.stage = 'new';
        if (anew) for (const hold of topic.holds) Object.assign(hold, { told: false, late: new Map() });
      }
      return had;
    },
    grant(topics, begins) {
      for (const topic of topics)
        if (topic.stage === 'asked') Object.assign(topic, { stage: 'granted', begins });
      for (const hold of new Set(topics.flatMap(({ holds }) => [...holds]))) tellIfComplete(hold);
    },
    refuse(topic, error) {
      if (topic.stage !== 'asked') return;
      topic.stage = 'refused';
      for (const { holder } of topic.holds) holder.refused(error);
    },
  };
}
