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
  let waiting: Round | undefined;

  function ask(round: Round): void {
    const { wishes } = round;
    if (wishes.size === 0) return;
    const topics = new Map<string, Matcher>();
    for (const wanted of wishes) {
      for (const topic of wanted.topics) if (topic !== undefined) topics.set(matcherKey(topic), topic);
    }
    const client = open([...topics.values()]);
    if (client === undefined) return;
    round.client = client;
    for (const wanted of wishes) {
      for (const type of wanted.types) {
        wanted.hear(client, type, (event) => {
          if (wishes.has(wanted)) wanted.take(event);
        });
      }
    }
    client.on(GOODBYE, () => client.close());
  }

  return (wanted) => {
    if (waiting === undefined) {
      const next: Round = { wishes: new Set(), client: undefined };
      waiting = next;
      queueMicrotask(() => {
        waiting = undefined;
        ask(next);
      });
    }
    const round = waiting;
    round.wishes.add(wanted);
    return () => {
      if (round.wishes.delete(wanted) && round.wishes.size === 0) round.client?.close();
    };
  };
}

/** One request, and those who wait for its values. */
interface Round {
  readonly wishes: Set<Wanted>;
  client: EventClient | undefined;
}
