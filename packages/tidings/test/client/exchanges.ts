import type http from 'node:http';
import { json } from 'node:stream/consumers';
import { within } from '../http/deadline.ts';
import { serve } from '../http/server.ts';

/** One request, and the test's response to it. */
export interface Exchange {
  readonly method: string | undefined;
  readonly url: URL;
  readonly headers: http.IncomingHttpHeaders;
  readonly response: http.ServerResponse;
  /** The body of the request. */
  json(): Promise<unknown>;
  /** Begins an event stream. */
  stream(chunk?: string): void;
  send(chunk: string | Uint8Array): void;
  /** A whole response. */
  answer(status: number, headers?: http.OutgoingHttpHeaders, body?: string): void;
  /** Ends the connection without ending the response. */
  cut(): void;
  /** The client is gone. */
  readonly gone: Promise<void>;
}

export interface Exchanges {
  readonly url: string;
  /** Requests so far. */
  readonly count: number;
  /** The next request, in the order they come in. */
  next(): Promise<Exchange>;
}

/** A real server whose every answer is given by the test, by hand. */
export async function serveExchanges(): Promise<Exchanges> {
  const waiting: Exchange[] = [];
  const asking: ((exchange: Exchange) => void)[] = [];
  let count = 0;
  const { url } = await serve((request, response) => {
    count += 1;
    const exchange = createExchange(request, response);
    const asked = asking.shift();
    if (asked === undefined) waiting.push(exchange);
    else asked(exchange);
  });
  return {
    url,
    get count() {
      return count;
    },
    next() {
      const exchange = waiting.shift();
      if (exchange !== undefined) return Promise.resolve(exchange);
      return within('request', new Promise<Exchange>((resolve) => asking.push(resolve)));
    },
  };
}

function createExchange(request: http.IncomingMessage, response: http.ServerResponse): Exchange {
  return {
    method: request.method,
    url: new URL(request.url ?? '', 'http://localhost'),
    headers: request.headers,
    response,
    json: () => json(request),
    stream(chunk = '') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(chunk === '' ? ': hello\n' : chunk);
    },
    send: (chunk) => void response.write(chunk),
    answer: (status, headers = {}, body = '') => void response.writeHead(status, headers).end(body),
    cut: () => void request.socket.destroy(),
    gone: new Promise<void>((resolve) => void response.on('close', resolve)),
  };
}

/** The first frame of a hub's stream. */
export function welcome(fields: Record<string, unknown> = {}, cursor = 'a.0'): string {
  const data = { connection: 'c1', resumed: false, gaps: [], heartbeat: 15_000, ...fields };
  return `retry: 500\nid: ${cursor}\nevent: tidings:welcome\ndata: ${JSON.stringify(data)}\n\n`;
}
