/** Asked after a failed try: rests and says true, or says false once it has been long enough. */
export type Patience = () => Promise<boolean>;

/** @returns a function that begins to wait: for at most so many milliseconds, with rests of `rest` milliseconds. */
export function createPatience(most: number, rest: number): () => Patience {
  return () => {
    const deadline = performance.now() + most;
    return async () => {
      if (performance.now() + rest > deadline) return false;
      await new Promise((resolve) => void setTimeout(resolve, rest));
      return true;
    };
  };
}
