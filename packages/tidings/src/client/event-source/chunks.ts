interface Body extends AsyncIterable<unknown> {
  getReader?(): { read(): Promise<IteratorResult<unknown>>; cancel(): Promise<void> };
  on?(event: 'error', listener: () => void): void;
  destroy?(): void;
}

/**
 * The body of a response, piece by piece. Not every `fetch` has the web's streams: node-fetch brings Node's, and some
 * of those yield text. It is let go of when the signal aborts, in case `fetch` ignores that.
 */
export function openChunks(given: unknown, signal: AbortSignal): AsyncIterable<unknown> {
  const body = given as Body | null | undefined;
  const reader = body?.getReader?.();
  const cancel = async (): Promise<void> => (reader ? reader.cancel() : body?.destroy?.());
  signal.addEventListener('abort', () => {
    cancel().catch(() => {
      // It has failed already, and `read` says so.
    });
  });
  // A Node stream fails when its signal aborts, whether anybody reads it or not.
  body?.on?.('error', () => {});
  return reader ? { [Symbol.asyncIterator]: () => ({ next: () => reader.read() }) } : ((body ?? []) as Body);
}
