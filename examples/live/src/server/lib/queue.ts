/** Runs tasks in the order given, at most `width` at a time. */
export interface Queue {
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Tasks that wait for their turn. */
  readonly waiting: number;
}

export function createQueue(width = 1): Queue {
  const waiters: (() => void)[] = [];
  let running = 0;

  return {
    get waiting() {
      return waiters.length;
    },
    async run(task) {
      // Who is woken takes over the place of the one that finished, so nobody can slip in between.
      if (running >= width) await new Promise<void>((resolve) => waiters.push(resolve));
      else running += 1;
      try {
        return await task();
      } finally {
        const next = waiters.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
