import { RESERVED_PREFIX } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import type { ReceivedEvent } from './event-client.ts';
import { createFeed, type Feed } from './feed.ts';
import { createListeners, type EventSignals, type Listeners } from './listeners.ts';

/** Hands events to listeners and iterators. */
export interface Delivery extends Pick<Feed<ReceivedEvent>, 'iterate' | 'finish'> {
  readonly on: Listeners<EventSignals>['add'];
  /** An event that an iterator hasn't taken yet: nothing else is handed out before it, from whichever connection. */
  readonly offered: Offer | undefined;
  /** @returns an offer while an iterator is behind, undefined if everybody has the event. */
  give(event: DecodedEvent): Offer | undefined;
  /** Withdraws the offer. */
  retract(): void;
}

export interface Offer {
  /** The event's id; empty if it has none. */
  readonly id: string;
  /** Resolves to true when everybody has the event, to false if the offer was withdrawn. */
  readonly taken: Promise<boolean>;
}

export function createDelivery(): Delivery {
  const listeners = createListeners<EventSignals>();
  const feed = createFeed<ReceivedEvent>();
  let offered: Offer | undefined;

  function give({ type, data, id }: DecodedEvent): Offer | undefined {
    const event: ReceivedEvent = { type, data, cursor: id, json };
    listeners.emit(type, event);
    const behind = type.startsWith(RESERVED_PREFIX) ? undefined : feed.offer(event);
    if (behind === undefined) return undefined;
    const offer: Offer = {
      id,
      taken: behind.then(() => {
        if (offered !== offer) return false;
        offered = undefined;
        return true;
      }),
    };
    return (offered = offer);
  }

  function retract(): void {
    offered = undefined;
    feed.retract();
  }

  return {
    get offered() {
      return offered;
    },
    on: listeners.add,
    give,
    retract,
    iterate: feed.iterate,
    finish(error) {
      retract();
      feed.finish(error);
      listeners.clear();
    },
  };
}

function json<T>(this: ReceivedEvent): T {
  return JSON.parse(this.data) as T;
}
