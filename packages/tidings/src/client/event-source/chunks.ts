/**
 * The body of a response, piece by piece. Not every `fetch` has the web's streams: node-fetch brings Node's, and some
 * of those yield text. The body is cancelled when the signal aborts, in case `fetch` ignores it.
 */
export async function* readChunks(body: unknown, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const chunks = isWebStream(body) ? readStream(body, signal) : ((body ?? []) as AsyncIterable<unknown>);
  for await (const chunk of chunks) {
    yield typeof chunk === 'string' ? new TextEncoder().encode(chunk) : (chunk as Uint8Array);
  }
}

function isWebStream(body: unknown): body is ReadableStream<unknown> {
  return (body as Partial<ReadableStream> | undefined | null)?.getReader !== undefined;
}

async function* readStream(stream: ReadableStream<unknown>, signal: AbortSignal): AsyncGenerator<unknown> {
  const reader = stream.getReader();
  const end = async (): Promise<void> => reader.cancel();
  const cancel = (): void =>
    void end().catch(() => {
      // It has failed already, and `read` says so.
    });
  signal.addEventListener('abort', cancel);
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}
