import type { Logger } from 'pino';
import type { Observer, Observers } from './part.ts';

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
      const ends = each((observer) => observer.connected?.(connection, request));
      return (end) => {
        for (const listener of ends) {
          try {
            if (typeof listener === 'function') listener(end);
          } catch (error) {
            logger.error({ err: error }, 'an observer failed');
          }
        }
      };
    },
    published(events, published, publication) {
      each((observer) => observer.published?.(events, published, publication));
    },
  };
}
