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

/** Where a viewer's text goes. */
export interface TextSink {
  /** @returns false if no more should come before `drained`. */
  write(text: string): boolean;
  /** The last text. */
  end(text: string): void;
  /** There is no more, although the run goes on. Without an error: the server is closing. */
  broken(error?: unknown): void;
}

/** A viewer that is being shown a run. */
export interface Viewing {
  drained(): void;
  /** The client has left. */
  close(): void;
}

/** Begins to show a run. Nothing is written before it returns. */
export type BeginViewing = (sink: TextSink) => Viewing;

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
 * Shows a run in a response and resolves when that is over. A stream that didn't get to its end is broken off: a client
 * must not take the part it has for the whole.
 *
 * @throws {TidingsError} `request/already-answered`, `hub/unavailable`; errors of the view.
 */
export function writeFrames(response: NodeLikeResponse, view: View, begin: BeginViewing): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.headersSent) {
      const message =
        'The response has begun before the run got it: does middleware answer, or send headers, first?';
      throw createError('request/already-answered', message);
    }
    // The client has left already, which won't be said again.
    if (response.destroyed) return resolve();
    const over = (): void => {
      response.off('close', onClose);
      response.off('drain', onDrain);
    };
    // Compression middleware buffers until it is flushed.
    const { flush } = response as { flush?: () => void };
    const viewing = begin({
      write(text) {
        const takesMore = response.write(text);
        flush?.call(response);
        return takesMore;
      },
      end(text) {
        over();
        response.end(text);
        resolve();
      },
      broken(error) {
        over();
        response.destroy();
        if (error === undefined) resolve();
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors
        else reject(error);
      },
    });
    const onDrain = (): void => viewing.drained();
    const onClose = (): void => {
      over();
      viewing.close();
      resolve();
    };
    response.on('close', onClose);
    response.on('drain', onDrain);
    try {
      for (const [name, value] of Object.entries(view.headers)) response.setHeader(name, value);
      response.writeHead(200);
      (response as { flushHeaders?: () => void }).flushHeaders?.();
    } catch (error) {
      over();
      viewing.close();
      throw error;
    }
  });
}

/** Bytes that wait for a reader before no more are read from the log. */
const MAX_QUEUED = 65_536;

/** The same as a response of `fetch`. It begins when somebody reads it: one that is thrown away must not count as watching. */
export function toResponse(
  request: Request,
  view: View,
  begin: BeginViewing,
  report: (error: unknown) => void,
): Response {
  const encoder = new TextEncoder();
  let viewing: Viewing | undefined;
  let isOver = false;
  const over = (): void => {
    isOver = true;
    request.signal.removeEventListener('abort', onAbort);
  };
  const leave = (): void => {
    over();
    viewing?.close();
  };
  let onAbort = leave;
  const body = new ReadableStream<Uint8Array>(
    {
      start(to) {
        onAbort = () => {
          leave();
          to.close();
        };
        request.signal.addEventListener('abort', onAbort);
        if (request.signal.aborted) onAbort();
      },
      pull(to) {
        if (viewing !== undefined || isOver) return viewing?.drained();
        const fail = (error: unknown): void => {
          over();
          to.error(error);
        };
        try {
          viewing = begin({
            write(text) {
              to.enqueue(encoder.encode(text));
              return (to.desiredSize ?? 0) > -MAX_QUEUED;
            },
            end(text) {
              over();
              to.enqueue(encoder.encode(text));
              to.close();
            },
            broken(error) {
              if (error !== undefined) report(error);
              fail(error ?? new Error('The stream was ended by the server.'));
            },
          });
        } catch (error) {
          report(error);
          fail(error);
        }
        return undefined;
      },
      cancel: leave,
    },
    { highWaterMark: 0, size: ({ byteLength }) => byteLength },
  );
  return new Response(body, { headers: view.headers });
}
