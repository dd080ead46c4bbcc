/** One request and its response, over the version of HTTP that a browser would get, with the time of each byte. */
import { once } from 'node:events';
import { type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { request as secureRequest } from 'node:https';
import { type TLSSocket, connect as connectTls } from 'node:tls';
import { type Readable, PassThrough } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, constants } from 'node:zlib';

export interface Question {
  readonly url: URL;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the exchange: a reader gets no more chunks. */
  readonly signal: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** Names in lower case; several values of one name joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** Milliseconds from the request to the response's headers. */
  readonly headersAfter: number;
  /** Uncompressed, as far as it can be at each moment. Throws if the connection breaks. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** @throws {Error} of Node's: the host can't be found, refuses, has a certificate that isn't trusted… or the abort. */
export async function ask(question: Question): Promise<Answer> {
  question.signal.throwIfAborted();
  const started = performance.now();
  if (question.url.protocol === 'http:') return overHttp1(question, started, undefined);
  const socket = await openTls(question);
  return socket.alpnProtocol === 'h2'
    ? overHttp2(question, started, socket)
    : overHttp1(question, started, socket);
}

async function openTls({ url, signal }: Question): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const socket = connectTls({
    host,
    port: Number(url.port || 443),
    ALPNProtocols: ['h2', 'http/1.1'],
    // An address has no name to be served by.
    ...(/^[\d.]+$|:/.test(host) ? {} : { servername: host }),
  });
  const stop = () => void socket.destroy(abortOf(signal));
  signal.addEventListener('abort', stop, { once: true });
  try {
    await once(socket, 'secureConnect');
    return socket;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

async function overHttp1(
  question: Question,
  started: number,
  socket: TLSSocket | undefined,
): Promise<Answer> {
  const { url, method = 'GET', headers, body, signal } = question;
  const begin = url.protocol === 'https:' ? secureRequest : plainRequest;
  const request = begin(url, {
    method,
    headers: { ...headers },
    agent: false,
    signal,
    ...(socket && { createConnection: () => socket }),
  });
  request.end(body);
  const [response]: [IncomingMessage] = (await once(request, 'response')) as [IncomingMessage];
  return {
    status: response.statusCode ?? 0,
    headers: flat(response.headers),
    httpVersion: response.httpVersion === '1.0' ? '1.0' : '1.1',
    headersAfter: performance.now() - started,
    body: decoded(response, response.headers['content-encoding']),
  };
}

async function overHttp2(question: Question, started: number, socket: TLSSocket): Promise<Answer> {
  const { url, method = 'GET', headers, body, signal } = question;
  const session = connectHttp2(url, { createConnection: () => socket });
  // The session's errors arrive at its stream as well.
  session.on('error', () => {});
  const stream = session.request(
    { ...headers, ':method': method, ':path': `${url.pathname}${url.search}` },
    { signal, endStream: body === undefined },
  );
  stream.once('close', () => session.close());
  signal.addEventListener('abort', () => session.destroy(), { once: true });
  if (body !== undefined) stream.end(body);
  const received = await responseOf(stream, session);
  return {
    status: Number(received[':status']),
    headers: flat(received),
    httpVersion: '2',
    headersAfter: performance.now() - started,
    body: decoded(stream, String(received['content-encoding'] ?? '')),
  };
}

async function responseOf(
  stream: ClientHttp2Stream,
  session: ClientHttp2Session,
): Promise<IncomingHttpHeaders> {
  try {
    const [headers] = (await once(stream, 'response')) as [IncomingHttpHeaders];
    return headers;
  } catch (error) {
    session.destroy();
    throw error;
  }
}

/** Hands on whatever can be decompressed so far, as a browser does. */
function decoded(body: Readable, encoding: string | undefined): AsyncIterable<Uint8Array> {
  const flush = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
  const through =
    encoding === 'gzip'
      ? createGunzip(flush)
      : encoding === 'deflate'
        ? createInflate(flush)
        : encoding === 'br'
          ? createBrotliDecompress({ finishFlush: constants.BROTLI_OPERATION_FLUSH })
          : new PassThrough();
  body.once('error', (error) => through.destroy(error));
  // A message that was cut off closes without an end, and on some versions without an error.
  body.once('close', () => {
    if (!body.readableEnded)
      through.destroy(new Error('The connection was closed before the response ended.'));
  });
  return body.pipe(through);
}

function flat(headers: IncomingHttpHeaders): Record<string, string> {
  const entries = Object.entries(headers).filter(([name]) => !name.startsWith(':'));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value ?? '')]),
  );
}

function abortOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error ? signal.reason : new Error('The request was given up.');
}
