/** The body of a response that is made here: text that comes when it comes, for one reader. */
export interface Queue {
  /** Characters that wait for the reader. */
  readonly size: number;
  push(text: string): void;
  end(): void;
  fail(error: Error): void;
  /** Resolves when nothing waits any more. */
  drained(): Promise<void>;
  readonly body: AsyncIterable<string> & { destroy(): void };
}

type Result = IteratorResult<string, undefined>;

/** @param cancel the reader wants no more. */
export function createQueue(cancel: () => void): Queue {
  let text = '';
  let over: { readonly error?: Error } | undefined;
  let asking:
    | { readonly resolve: (result: Result) => void; readonly reject: (error: Error) => void }
    | undefined;
  let waiting: (() => void)[] = [];

  function settle(): void {
    if (text === '') {
      for (const resolve of waiting.splice(0)) resolve();
    }
    if (asking === undefined || (text === '' && over === undefined)) return;
    const { resolve, reject } = asking;
    asking = undefined;
    const value = text;
    text = '';
    if (value !== '') resolve({ done: false, value });
    else if (over?.error !== undefined) reject(over.error);
    else resolve({ done: true, value: undefined });
  }

  function end(error?: Error): void {
    over ??= error === undefined ? {} : { error };
    settle();
  }

  return {
    get size() {
      return text.length;
    },
    push(more) {
      if (over === undefined) text += more;
      settle();
    },
    end: () => end(),
    fail: end,
    drained: () =>
      new Promise((resolve) => {
        waiting = [...waiting, resolve];
        settle();
      }),
    body: {
      destroy: cancel,
      [Symbol.asyncIterator]: () => ({
        next: () =>
          new Promise<Result>((resolve, reject) => {
            asking = { resolve, reject };
            settle();
            // The item that was taken has left room.
            settle();
          }),
        return() {
          cancel();
          return Promise.resolve({ done: true, value: undefined });
        },
      }),
    },
  };
}
