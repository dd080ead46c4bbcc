import { queryOf } from '../http/query.ts';
import { createError } from '../protocol/errors.ts';
import type { View, ViewRequest } from './view.ts';

/** A request of `node:http`, or of a framework on top of it. */
export interface NodeLikeRequest {
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A response of `node:http`, or of a framework on top of it. */
export interface NodeLikeResponse {
  readonly headersSent: boolean;
  readonly destroyed: boolean;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number): unknown;
  write(text: string): boolean;
  end(text?: string): unknown;
  destroy(): unknown;
  on(event: 'close' | 'drain', listener: () => void): unknown;
  off(event: 'close' | 'drain', listener: () => void): unknown;
}

/** One response while it is being written. */
export interface ResponseSink {
  beat(text: string): void;
}

/** A stream of text, made for the time that somebody reads it. Its result says whether it got to its end. */
export type Frames = (signal: AbortSignal, sink: ResponseSink) => AsyncGenerator<string, boolean>;

export function factsOf(request: NodeLikeRequest): ViewRequest {
  const { url = '', headers } = request;
  return {
    query: queryOf(url),
    header(name) {
      const value = headers[name];
      return typeof value === 'string' ? value : value?.join(', ');
    },
  };
}

export function factsOfFetch(request: Request): ViewRequest {
  return {
    query: new URL(request.url).searchParams,
    header: (name) => request.headers.get(name) ?? undefined,
  };
}

/**
 * Writes the frames to a response and resolves when it is over. A stream that didn't get to its end is broken off: a
 * client must not take the part it has for the whole.
 *
 * @throws {TidingsError} `request/already-answered`; what the frames throw before the first one.
 */
export async function writeFrames(response: NodeLikeResponse, view: View, frames: Frames): Promise<void> {
  if (response.headersSent) {
    const message =
      'The response has begun before the run got it: does middleware answer, or send headers, first?';
    throw createError('request/already-answered', message);
  }
  const controller = new AbortController();
  let wake: (() => void) | undefined;
  const onDrain = (): void => wake?.();
  const onClose = (): void => {
    controller.abort();
    wake?.();
  };
  response.on('close', onClose);
  response.on('drain', onDrain);
  try {
    for (const [name, value] of Object.entries(view.headers)) response.setHeader(name, value);
    response.writeHead(200);
    (response as { flushHeaders?: () => void }).flushHeaders?.();
    const sink = { beat: (text: string) => void response.write(text) };
    const stream = frames(controller.signal, sink);
    for (;;) {
      const { done = false, value } = await stream.next();
      if (controller.signal.aborted || response.destroyed) return;
      if (done) return void (value === true ? response.end() : response.destroy());
      const takesMore = response.write(value as string);
      // Compression middleware buffers until it is flushed.
      (response as { flush?: () => void }).flush?.();
      if (!takesMore) await new Promise<void>((resolve) => (wake = resolve));
      wake = undefined;
      if (controller.signal.aborted) return;
    }
  } catch (error) {
    response.destroy();
    throw error;
  } finally {
    response.off('close', onClose);
    response.off('drain', onDrain);
    controller.abort();
  }
}

/** The same as a response of `fetch`. */
export function toResponse(
  request: Request,
  view: View,
  frames: Frames,
  report: (error: unknown) => void,
): Response {
  const controller = new AbortController();
  const onAbort = (): void => controller.abort();
  request.signal.addEventListener('abort', onAbort);
  if (request.signal.aborted) onAbort();
  const encoder = new TextEncoder();
  let stream: AsyncGenerator<string, boolean> | undefined;
  let isCancelled = false;
  const over = (): void => {
    request.signal.removeEventListener('abort', onAbort);
    controller.abort();
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(to) {
      stream ??= frames(controller.signal, {
        beat(text) {
          if (!controller.signal.aborted) to.enqueue(encoder.encode(text));
        },
      });
      try {
        const { done = false, value } = await stream.next();
        if (!done) return to.enqueue(encoder.encode(value as string));
        const left = controller.signal.aborted;
        over();
        if (isCancelled) return;
        if (value === true || left) to.close();
        else to.error(new Error('The stream was ended by the server.'));
      } catch (error) {
        over();
        report(error);
        if (!isCancelled) to.error(error);
      }
    },
    cancel() {
      isCancelled = true;
      over();
    },
  });
  return new Response(body, { headers: view.headers });
}
