import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import zlib from 'node:zlib';
import { onTestFinished } from 'vitest';
import { within } from './deadline.ts';
import { Frames } from './frames.ts';

export interface AskOptions {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** Sent as JSON. */
  readonly json?: unknown;
  /** Leaves the body where it is until `read` is called: a peer that takes nothing. */
  readonly idle?: boolean;
  /** Aborts the request, even before there is a response. */
  readonly signal?: AbortSignal;
}

export interface Reply {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** The body, as frames and as text. */
  readonly frames: Frames;
  /** Begins to take the body, after `idle`. */
  read(): void;
  /** The whole body as JSON. */
  json(): Promise<Record<string, unknown>>;
  /** Cuts the connection. */
  cut(): void;
}

export type Ask = (url: string, options?: AskOptions) => Promise<Reply>;

/** HTTP/1.1, with or without TLS, on a socket of its own. */
export async function ask(url: string, options: AskOptions = {}): Promise<Reply> {
  const { method = 'GET', idle = false, signal } = options;
  const client = url.startsWith('https:') ? https : http;
  const request = client.request(url, {
    method,
    headers: headersOf(options),
    agent: false,
    signal,
    ...INSECURE,
  });
  endWithTest(request);
  const response = await within(
    `response to ${method} ${url}`,
    new Promise<http.IncomingMessage>((resolve, reject) => {
      request.on('response', resolve).on('error', reject).end(bodyOf(options));
    }),
  );
  const body = collect(decompress(response, response.headers), idle);
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    ...body,
    cut: () => void request.destroy(),
  };
}

/** HTTP/2 over TLS, in a session of its own. */
export async function askHttp2(url: string, options: AskOptions = {}): Promise<Reply> {
  const { method = 'GET', idle = false, signal } = options;
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, INSECURE);
  endWithTest(session);
  const stream = session.request(
    { ...headersOf(options), ':method': method, ':path': `${pathname}${search}` },
    signal === undefined ? {} : { signal },
  );
  stream.on('close', () => session.close());
  stream.end(bodyOf(options));
  const response = await within(
    `response to ${method} ${url}`,
    new Promise<http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader>((resolve, reject) => {
      session.on('error', reject);
      stream.on('response', resolve).on('error', reject);
    }),
  );
  const body = collect(decompress(stream, response), idle);
  const { ':status': status = 0, ...rest } = response;
  return { status, headers: rest, ...body, cut: () => session.destroy() };
}

/** The tests' certificates are self-signed. */
export const INSECURE = { rejectUnauthorized: false } as const;

const open = new Set<{ destroy(): unknown }>();

/** Frees resources of earlier tests, which would distort tests of memory. */
export function endWithTest(peer: {
  destroy(): unknown;
  on(event: 'close', listener: () => void): unknown;
}): void {
  if (open.size === 0) onTestFinished(destroyOpen);
  open.add(peer);
  peer.on('close', () => void open.delete(peer));
}

function destroyOpen(): void {
  for (const peer of open) peer.destroy();
  open.clear();
}

function decompress(body: NodeJS.ReadableStream, headers: http.IncomingHttpHeaders): NodeJS.ReadableStream {
  const encoding = headers['content-encoding'];
  if (encoding === 'gzip') return body.pipe(zlib.createGunzip());
  if (encoding === 'br') return body.pipe(zlib.createBrotliDecompress());
  return body;
}

function collect(body: NodeJS.ReadableStream, idle: boolean): Pick<Reply, 'frames' | 'read' | 'json'> {
  const frames = new Frames();
  const read = (): void => {
    body.on('data', (bytes: Buffer) => frames.feed(bytes));
  };
  body.on('end', () => frames.finish());
  body.on('error', (error) => frames.finish(error));
  body.on('close', () => frames.finish());
  if (!idle) read();
  const json = async (): Promise<Record<string, unknown>> => {
    await frames.end();
    return JSON.parse(frames.text) as Record<string, unknown>;
  };
  return { frames, read, json };
}

function headersOf({ headers = {}, json }: AskOptions): http.OutgoingHttpHeaders {
  const all: http.OutgoingHttpHeaders = json === undefined ? {} : { 'content-type': 'application/json' };
  for (const [name, value] of Object.entries(headers))
    all[name] = typeof value === 'string' ? value : [...value];
  return all;
}

function bodyOf({ json }: AskOptions): string | undefined {
  return json === undefined ? undefined : JSON.stringify(json);
}
