/** Runs tasks in the order given, at most `width` at a time. */
export interface Queue {
  /** Rejects with {@link QueueFullError} if `maxWaiting` tasks wait already. */
  run<T>(task: () => Promise<T>): Promise<T>;
  /** Never refuses: for tasks of the app's own, of which there are few. */
  runAnyway<T>(task: () => Promise<T>): Promise<T>;
  /** Tasks that wait for their turn. */
  readonly waiting: number;
}

/** Thrown for a task that would have to wait behind too many others. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError';
}

export interface QueueOptions {
  readonly width?: number;
  /** Each waiting task takes memory, and its sender may have given up before its turn. */
  readonly maxWaiting: number;
}

export function createQueue({ width = 1, maxWaiting }: QueueOptions): Queue {
  const waiters: (() => void)[] = [];
  let running = 0;

  async function runAnyway<T>(task: () => Promise<T>): Promise<T> {
    // A woken task takes over the slot of the finished one, so no other task can slip in between.
    if (running >= width) await new Promise<void>((resolve) => waiters.push(resolve));
    else running += 1;
    try {
      return await task();
    } finally {
      const next = waiters.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }

  return {
    get waiting() {
      return waiters.length;
    },
    runAnyway,
    async run(task) {
      if (running >= width && waiters.length >= maxWaiting) {
        throw new QueueFullError(`${maxWaiting} tasks wait for their turn already.`);
      }
      return runAnyway(task);
    },
  };
}
