/**
 * Async iterators over one sequence, without a queue: who hands a value out waits until every active iterator's
 * consumer has come for it. So a slow consumer holds back the reading of the stream, and with it the server, which
 * keeps a cursor for this connection instead of what it could not send.
 */
export interface Feed<T> {
  /** One value at a time. @returns a promise while a consumer is behind, undefined if all have taken the value or nobody iterates. */
  offer(value: T): Promise<void> | undefined;
  /** Takes back what nobody has come for yet. */
  retract(): void;
  /** Ends all iterators, now and to come; with an error, each throws it once. */
  finish(error?: Error): void;
  /** Becomes active with the first `next`, inactive with `return`. */
  iterate(): AsyncIterator<T, undefined>;
}

interface Consumer<T> {
  /** Calls of `next` that wait for a value. */
  readonly asking: {
    resolve: (result: IteratorResult<T, undefined>) => void;
    reject: (error: Error) => void;
  }[];
  /** A value that waits for a call of `next`. */
  offered: { readonly value: T; readonly taken: () => void } | undefined;
  over: boolean;
}

const DONE = { done: true, value: undefined } as const;

export function createFeed<T>(): Feed<T> {
  const active = new Set<Consumer<T>>();
  let end: { readonly error: Error | undefined } | undefined;

  function offer(value: T): Promise<void> | undefined {
    let behind: Promise<void>[] | undefined;
    for (const consumer of active) {
      const asking = consumer.asking.shift();
      if (asking !== undefined) asking.resolve({ done: false, value });
      else (behind ??= []).push(new Promise((taken) => (consumer.offered = { value, taken })));
    }
    return behind && Promise.all(behind).then(() => undefined);
  }

  function retract(consumer: Consumer<T>): void {
    consumer.offered?.taken();
    consumer.offered = undefined;
  }

  function finish(error?: Error): void {
    end ??= { error };
    for (const consumer of [...active]) leave(consumer, end.error);
  }

  function leave(consumer: Consumer<T>, error?: Error): void {
    active.delete(consumer);
    retract(consumer);
    for (const { resolve, reject } of consumer.asking.splice(0)) {
      if (error === undefined || consumer.over) resolve(DONE);
      else reject(error);
      consumer.over = true;
    }
  }

  function ask(consumer: Consumer<T>): Promise<IteratorResult<T, undefined>> {
    const { offered } = consumer;
    if (offered !== undefined) {
      consumer.offered = undefined;
      offered.taken();
      return Promise.resolve({ done: false, value: offered.value });
    }
    if (end !== undefined && !consumer.over) {
      consumer.over = true;
      if (end.error !== undefined) return Promise.reject(end.error);
    }
    if (consumer.over) return Promise.resolve(DONE);
    active.add(consumer);
    return new Promise((resolve, reject) => consumer.asking.push({ resolve, reject }));
  }

  function iterate(): AsyncIterator<T, undefined> {
    const consumer: Consumer<T> = { asking: [], offered: undefined, over: false };
    return {
      next: () => ask(consumer),
      return() {
        consumer.over = true;
        leave(consumer);
        return Promise.resolve(DONE);
      },
    };
  }

  return { offer, retract: () => active.forEach(retract), finish, iterate };
}
