import { RESERVED_PREFIX } from '../protocol/control.ts';
import type { DecodedEvent } from '../protocol/decode.ts';
import { type Channel, createChannel } from './channel.ts';
import type { ReceivedEvent } from './event-client.ts';
import { createFeed } from './feed.ts';

/** Hands events to listeners and iterators. */
export interface Delivery {
  /** An event that an iterator has not come for yet: nothing else is handed out before, whichever connection brings it. */
  readonly offered: Offer | undefined;
  on(type: string, listener: (event: ReceivedEvent) => void): () => void;
  /** @returns an iterator; `leave` is called when its consumer leaves it. */
  iterate(leave?: () => void): AsyncIterableIterator<ReceivedEvent, undefined>;
  /** @returns an offer while an iterator is behind, undefined if everybody has the event. */
  give(event: DecodedEvent): Offer | undefined;
  /** Takes back what is offered. */
  retract(): void;
  finish(error: Error | undefined): void;
}

export interface Offer {
  /** Of the event; empty if it has none. */
  readonly id: string;
  /** Resolves when everybody has the event; to false if it was taken back. */
  readonly taken: Promise<boolean>;
}

export function createDelivery(): Delivery {
  const channels = new Map<string, Channel<[ReceivedEvent]>>();
  const feed = createFeed<ReceivedEvent>();
  let offered: Offer | undefined;

  function on(type: string, listener: (event: ReceivedEvent) => void): () => void {
    const channel = channels.get(type) ?? createChannel<[ReceivedEvent]>();
    channels.set(type, channel);
    const remove = channel.add(listener);
    return () => {
      remove();
      if (channel.size === 0 && channels.get(type) === channel) channels.delete(type);
    };
  }

  function iterate(leave?: () => void): AsyncIterableIterator<ReceivedEvent, undefined> {
    const iterator = feed.iterate();
    const iterable: AsyncIterableIterator<ReceivedEvent, undefined> = {
      next: () => iterator.next(),
      return() {
        leave?.();
        return iterator.return?.() ?? Promise.resolve({ done: true, value: undefined });
      },
      [Symbol.asyncIterator]: () => iterable,
    };
    return iterable;
  }

  function give({ type, data, id }: DecodedEvent): Offer | undefined {
    const event: ReceivedEvent = { type, data, cursor: id, json };
    channels.get(type)?.emit(event);
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
    offered = offer;
    return offer;
  }

  return {
    get offered() {
      return offered;
    },
    on,
    iterate,
    give,
    retract() {
      offered = undefined;
      feed.retract();
    },
    finish(error) {
      feed.finish(error);
      for (const channel of channels.values()) channel.clear();
      channels.clear();
    },
  };
}

function json<T>(this: ReceivedEvent): T {
  return JSON.parse(this.data) as T;
}
