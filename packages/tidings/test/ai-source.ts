/** A source that a test feeds by hand. */
export interface HandSource extends AsyncIterable<unknown> {
  push(...chunks: readonly unknown[]): void;
  finish(): void;
  fail(error: unknown): void;
  /** Whether the reader has left. */
  readonly isLeft: boolean;
  readonly calls: number;
}

export function handSource(): HandSource {
  const queue: unknown[] = [];
  let end: { error?: unknown } | undefined;
  let wake = (): void => {};
  let isLeft = false;
  let calls = 0;
  return {
    push(...chunks) {
      queue.push(...chunks);
      wake();
    },
    finish() {
      end = {};
      wake();
    },
    fail(error) {
      end = { error };
      wake();
    },
    get isLeft() {
      return isLeft;
    },
    get calls() {
      return calls;
    },
    [Symbol.asyncIterator]() {
      return {
        async next() {
          calls += 1;
          while (queue.length === 0 && end === undefined && !isLeft)
            await new Promise<void>((resolve) => (wake = resolve));
          if (queue.length > 0) return { done: false, value: queue.shift() };
          if (end !== undefined && 'error' in end) throw end.error;
          return { done: true, value: undefined };
        },
        return() {
          isLeft = true;
          wake();
          return Promise.resolve({ done: true, value: undefined });
        },
      };
    },
  };
}
