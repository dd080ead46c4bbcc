/** The body of a response, whatever the `fetch` in use makes of it. */
export interface ByteSource {
  read(): Promise<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  /** Stops reading, and releases the connection. */
  cancel(): void;
}

interface Readable {
  getReader?(): { read: ByteSource['read']; cancel(): Promise<unknown> };
  [Symbol.asyncIterator]?(): AsyncIterator<unknown>;
  destroy?(): void;
}

/** @throws {TypeError} if it can't be read piece by piece, or if somebody else is reading it. */
export function openBody(body: unknown): ByteSource {
  if (body === null) return { read: () => Promise.resolve({ done: true }), cancel: ignore };
  const readable = (body ?? {}) as Readable;
  const reader = readable.getReader?.();
  const iterator = reader === undefined ? readable[Symbol.asyncIterator]?.() : undefined;
  const read = reader === undefined ? iterator?.next.bind(iterator) : reader.read.bind(reader);
  if (read === undefined) throw new TypeError(`Expected a stream of bytes, got ${typeof body}.`);
  return {
    read,
    cancel() {
      // While a chunk is pending, `return` would wait for it.
      const end = async (): Promise<unknown> =>
        readable.destroy ? readable.destroy() : reader ? reader.cancel() : iterator?.return?.();
      end().catch(ignore);
    },
  };
}

/** Releases a body that nobody will read. */
export function cancelBody(body: unknown): void {
  try {
    openBody(body).cancel();
  } catch {
    // Somebody else is reading it.
  }
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
