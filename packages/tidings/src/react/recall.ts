import type { EventClient, ReceivedEvent } from '../client/event-client.ts';
import { GOODBYE } from '../protocol/control.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';

/** The wish of a component that came late. */
export interface Wanted {
  readonly topics: readonly (Matcher | undefined)[];
  readonly types: readonly string[];
  /** How it hears the client's events; typed hooks check them on the way. */
  hear(client: EventClient, type: string, listener: (event: ReceivedEvent) => void): void;
  take(event: ReceivedEvent): void;
}

/** @returns forgets it. */
export type Recall = (wanted: Wanted) => () => void;

/**
 * A hub sends the values of a state topic once, to whoever asked for the topic first. A component that joins later
 * gets them from a request of its own, one for all that join in the same job; an answer without a state topic in it
 * is empty.
 */
export function createRecall(open: (topics: readonly Matcher[]) => EventClient | undefined): Recall {
  let waiting: Set<Wanted> | undefined;

  function ask(all: ReadonlySet<Wanted>): void {
    if (all.size === 0) return;
    const topics = new Map<string, Matcher>();
    for (const wanted of all) {
      for (const topic of wanted.topics) if (topic !== undefined) topics.set(matcherKey(topic), topic);
    }
    const client = open([...topics.values()]);
    if (client === undefined) return;
    for (const wanted of all) {
      for (const type of wanted.types) {
        wanted.hear(client, type, (event) => {
          if (all.has(wanted)) wanted.take(event);
        });
      }
    }
    client.on(GOODBYE, () => client.close());
  }

  return (wanted) => {
    if (waiting === undefined) {
      const all = new Set<Wanted>();
      waiting = all;
      queueMicrotask(() => {
        waiting = undefined;
        ask(all);
      });
    }
    const all = waiting;
    all.add(wanted);
    return () => {
      all.delete(wanted);
    };
  };
}
