import { closedError } from './errors.ts';

/**
 * @returns a function that does the work of an open log. It rejects with whatever the work throws, and with `log/closed`
 * once the log is closed.
 */
export function createWhileOpen(isOpen: () => boolean): <T>(work: () => T | Promise<T>) => Promise<T> {
  return (work) =>
    new Promise((resolve) => {
      if (!isOpen()) throw closedError();
      resolve(work());
    });
}
