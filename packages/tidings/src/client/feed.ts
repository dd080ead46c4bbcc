/**
 * Async iterators over one sequence, without a queue: whoever hands a value out waits until every active iterator's
 * consumer has taken it. A slow consumer thus slows down the reading of the stream, and with it the server, which keeps
 * a cursor for this connection instead of unsent events.
 */
export interface Feed<T> {
  /** One value at a time. @returns a promise while a consumer is behind, undefined if all have taken the value or nobody iterates. */
  offer(value: T): Promise<unknown> | undefined;
  /** Withdraws a value that somebody hasn't taken yet. */
  retract(): void;
  /** Ends all iterators, now and to come; with an error, each throws it once. */
  finish(error?: Error): void;
  /** Becomes active with the first `next`, inactive with `return`, which calls `leave` first. */
  iterate(leave?: () => void): AsyncIterableIterator<T, undefined>;
}

type Result<T> = IteratorResult<T, undefined> | Promise<never>;

interface Consumer<T> {
  /** Answers the calls of `next` that wait for a value. */
  readonly asking: ((result: Result<T>) => void)[];
  /** A value that waits for a call of `next`. */
  offered: { readonly value: T; readonly taken: () => void } | undefined;
  over: boolean;
}

export function createFeed<T>(): Feed<T> {
  const active = new Set<Consumer<T>>();
  let end: { readonly error: Error | undefined } | undefined;

  function offer(value: T): Promise<unknown> | undefined {
    let behind: Promise<void>[] | undefined;
    for (const consumer of active) {
      const answer = consumer.asking.shift();
      if (answer !== undefined) answer({ done: false, value });
      else (behind ??= []).push(new Promise((taken) => (consumer.offered = { value, taken })));
    }
    return behind && Promise.all(behind);
  }

  function retract(consumer: Consumer<T>): void {
    consumer.offered?.taken();
    consumer.offered = undefined;
  }

  function lastResult(consumer: Consumer<T>): Result<T> {
    const error = consumer.over ? undefined : end?.error;
    consumer.over = true;
    return error === undefined ? { done: true, value: undefined } : Promise.reject(error);
  }

  function leave(consumer: Consumer<T>): void {
    active.delete(consumer);
    retract(consumer);
    for (const answer of consumer.asking.splice(0)) answer(lastResult(consumer));
  }

  function ask(consumer: Consumer<T>): Promise<IteratorResult<T, undefined>> {
    const { offered, over } = consumer;
    if (offered !== undefined) {
      retract(consumer);
      return Promise.resolve({ done: false, value: offered.value });
    }
    if (over || end !== undefined) return Promise.resolve(lastResult(consumer));
    active.add(consumer);
    return new Promise((resolve) => consumer.asking.push(resolve));
  }

  return {
    offer,
    retract: () => active.forEach(retract),
    finish(error) {
      end ??= { error };
      active.forEach(leave);
    },
    iterate(onLeave) {
      const consumer: Consumer<T> = { asking: [], offered: undefined, over: false };
      const iterator: AsyncIterableIterator<T, undefined> = {
        next: () => ask(consumer),
        async return() {
          onLeave?.();
          consumer.over = true;
          leave(consumer);
          return { done: true, value: undefined };
        },
        [Symbol.asyncIterator]: () => iterator,
      };
      return iterator;
    },
  };
}
