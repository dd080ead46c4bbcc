/** Reads the body of a response piece by piece, whatever the `fetch` in use makes of it. */
export type Read = () => Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>;

interface Readable {
  getReader?(): { read: Read; cancel(): Promise<unknown> };
  [Symbol.asyncIterator]?(): AsyncIterator<unknown>;
  destroy?(): void;
  on?(event: 'error', listener: () => void): void;
}

/**
 * The body is let go of when the signal aborts: not every `fetch` heeds it.
 *
 * @throws {TypeError} if it can't be read piece by piece, or if somebody else is reading it.
 */
export function openBody(body: unknown, signal: AbortSignal): Read {
  if (body === null) return () => Promise.resolve({ done: true });
  const readable = (body ?? {}) as Readable;
  const reader = readable.getReader?.();
  const iterator = reader === undefined ? readable[Symbol.asyncIterator]?.() : undefined;
  const read = reader === undefined ? iterator?.next.bind(iterator) : reader.read.bind(reader);
  if (read === undefined) throw new TypeError(`Expected a stream of bytes, got ${typeof body}.`);
  // A Node stream fails when its signal aborts, whether anybody reads it or not.
  readable.on?.('error', ignore);
  const cancel = (): void => {
    // While a chunk is pending, `return` would wait for it.
    const end = async (): Promise<unknown> =>
      readable.destroy ? readable.destroy() : reader ? reader.cancel() : iterator?.return?.();
    end().catch(ignore);
  };
  signal.addEventListener('abort', cancel);
  if (signal.aborted) cancel();
  return read;
}

/** @throws {TypeError} for a chunk that is neither bytes nor text. */
export function toBytes(chunk: unknown): Uint8Array {
  if (typeof chunk === 'string') return new TextEncoder().encode(chunk);
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  // A buffer of another realm isn't an instance of this realm's class.
  if (Object.prototype.toString.call(chunk) === '[object ArrayBuffer]')
    return new Uint8Array(chunk as ArrayBuffer);
  throw new TypeError(`Expected the body to bring bytes or text, got ${typeof chunk}.`);
}

function ignore(): void {
  // A body that was released may fail.
}
