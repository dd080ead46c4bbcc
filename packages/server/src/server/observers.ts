import type { Logger } from 'pino';
import type { ConnectionEnd } from 'tidings';
import type { Observer, Observers } from './part.ts';

type EndListener = (end: ConnectionEnd) => void;

/** An observer that throws harms neither the others nor the request. */
export function createObservers(logger: Logger): Observers {
  const all: Observer[] = [];

  function each<T>(work: (observer: Observer) => T): T[] {
    const results: T[] = [];
    for (const observer of all) {
      try {
        results.push(work(observer));
      } catch (error) {
        logger.error({ err: error }, 'an observer failed');
      }
    }
    return results;
  }

  return {
    add: (observer) => void all.push(observer),
    connected(connection, request) {
      const listeners = each((observer) => observer.connected?.(connection, request)).filter(
        (listener) => typeof listener === 'function',
      );
      return tellEnd(listeners, logger);
    },
    published(events, published, publication) {
      each((observer) => observer.published?.(events, published, publication));
    },
  };
}

/** Made outside of `connected`, whose scope would keep the request for as long as the stream lasts. */
function tellEnd(listeners: readonly EndListener[], logger: Logger): EndListener {
  // An array that was pushed to has room for more.
  const exact = listeners.slice();
  return (end) => {
    for (const listener of exact) {
      try {
        listener(end);
      } catch (error) {
        logger.error({ err: error }, 'an observer failed');
      }
    }
  };
}
