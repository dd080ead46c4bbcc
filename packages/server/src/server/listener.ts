import http, { type RequestListener } from 'node:http';
import http2, { type Http2ServerRequest, type Http2Session, type ServerHttp2Session } from 'node:http2';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { Settings } from '../config/setting.ts';
import { type WatchedCertificate, watchCertificate } from './certificate.ts';
import * as rows from './settings.ts';

/** Longer than the 60 to 75 seconds after which proxies drop idle connections: the side that sends closes first. */
const KEEP_ALIVE = 80_000;

/** The socket that everybody reaches: HTTP/1.1 alone, HTTP/1.1 and HTTP/2 in plain, or both over TLS. */
export interface Listener {
  readonly scheme: 'http' | 'https';
  /** For Fastify. */
  readonly serverFactory: (handler: RequestListener) => http.Server;
  /**
   * Reads the certificate anew, and returns a function that takes it. Open connections keep the one they began with.
   *
   * @throws {TidingsError} `config/invalid`, `config/unreadable`.
   */
  prepare(settings: Settings): Promise<() => void>;
  /** Lets go of HTTP/2 sessions, for which a server's `close` waits. Answers under way go on to their end. */
  closeSessions(): void;
  close(): void;
}

/**
 * @param patience milliseconds that a request may take to arrive.
 * @throws {TidingsError} `config/invalid`, `config/unreadable`.
 */
export async function createListener(
  settings: Settings,
  logger: Pick<Logger, 'info' | 'error'>,
  patience: number = settings.get(rows.requestTimeout),
): Promise<Listener> {
  const sessions = new Set<Http2Session>();
  let secure: http2.Http2SecureServer | undefined;
  const certificate = await watchCertificate(settings, {
    onChange(next) {
      secure?.setSecureContext(next);
      logger.info({ setting: 'tls' }, 'new connections get the new certificate');
    },
    onFailure: (error) =>
      logger.error({ err: error }, 'could not take the new certificate; the former one still counts'),
  });
  return {
    scheme: certificate === undefined ? 'http' : 'https',
    serverFactory(handler) {
      const parts = { settings, handler, sessions, patience };
      if (certificate === undefined) return plainServers(parts);
      secure = secureServer(certificate, parts);
      // It has what Fastify uses of one, though the types don't say so.
      return secure as unknown as http.Server;
    },
    prepare: (next) => certificate?.prepare(next) ?? Promise.resolve(() => {}),
    closeSessions() {
      for (const session of sessions) session.close();
    },
    close: () => certificate?.close(),
  };
}

interface Parts {
  readonly settings: Settings;
  readonly handler: RequestListener;
  readonly sessions: Set<Http2Session>;
  readonly patience: number;
}

function secureServer({ current }: WatchedCertificate, parts: Parts): http2.Http2SecureServer {
  const server = http2.createSecureServer(
    {
      ...current,
      ...sessionOptions(parts),
      allowHTTP1: true,
      minVersion: 'TLSv1.2',
      handshakeTimeout: parts.patience,
    },
    onRequest(parts),
  );
  // Options of `createSecureServer` don't reach its HTTP/1.1 half.
  Object.assign(server, { requestTimeout: parts.patience, keepAliveTimeout: KEEP_ALIVE });
  server.on('session', (session) => keep(session, parts));
  return server;
}

/** A server of HTTP/1.1. Requests that take longer than `patience` to arrive get a 408. */
export function plainServer(handler: RequestListener, patience: number): http.Server {
  return http.createServer(
    {
      requestTimeout: patience,
      headersTimeout: patience,
      // Node looks for late requests only so often, by default every 30 seconds.
      connectionsCheckingInterval: Math.min(30_000, patience / 2),
      keepAliveTimeout: KEEP_ALIVE,
    },
    handler,
  );
}

/** Speaks HTTP/2 as well, where that is switched on. */
function plainServers(parts: Parts): http.Server {
  const { settings, handler, patience } = parts;
  const server = plainServer(handler, patience);
  if (!settings.get(rows.h2c)) return server;
  const inner = http2.createServer(sessionOptions(parts), onRequest(parts));
  inner.on('session', (session) => keep(session, parts));
  const listeners = server.listeners('connection') as ((socket: Socket) => void)[];
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    tellApart(socket, patience, (isHttp2) => {
      if (isHttp2) {
        // A server of HTTP/1.1 lets a peer end its half alone, and a session would never notice that its peer has left.
        socket.allowHalfOpen = false;
        inner.emit('connection', socket);
      } else for (const listener of listeners) listener.call(server, socket);
    });
  });
  return server;
}

/** Requests that a peer may have besides its streams. */
const BESIDE_STREAMS = 100;

function sessionOptions({ settings }: Parts): http2.ServerOptions {
  const streams = settings.get(rows.limits.connectionsPerSession);
  return { settings: { maxConcurrentStreams: Math.min(streams, 65_535) + BESIDE_STREAMS } };
}

function keep(session: ServerHttp2Session, { sessions }: Parts): void {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.setTimeout(KEEP_ALIVE, () => session.close());
}

/** Node limits how long a request may take to arrive only over HTTP/1.1. */
function onRequest({ handler, patience }: Parts) {
  return (request: Http2ServerRequest | http.IncomingMessage, response: unknown): void => {
    if ('stream' in request && !request.stream.endAfterHeaders) limitArrival(request, patience);
    handler(request as http.IncomingMessage, response as http.ServerResponse);
  };
}

function limitArrival({ stream }: Http2ServerRequest, patience: number): void {
  const timer = setTimeout(() => {
    // All of it may be there without having been read.
    if (stream.state.state === http2.constants.NGHTTP2_STREAM_STATE_HALF_CLOSED_REMOTE) return;
    stream.close(http2.constants.NGHTTP2_CANCEL);
  }, patience);
  timer.unref();
  const arrived = (): void => clearTimeout(timer);
  stream.once('end', arrived);
  stream.once('close', arrived);
}

/** The first characters of every HTTP/2 connection: https://www.rfc-editor.org/rfc/rfc9113#section-3.4 */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n');

/** Looks at what a peer sends first. No request of HTTP/1.1 begins like the preface. */
function tellApart(socket: Socket, patience: number, found: (isHttp2: boolean) => void): void {
  let head = Buffer.alloc(0);
  const timer = setTimeout(drop, patience);
  // Until it has a server, nobody else listens for its end.
  for (const event of ['end', 'error', 'close']) socket.on(event, drop);
  socket.on('readable', look);

  function drop(): void {
    forget();
    socket.destroy();
  }

  function forget(): void {
    clearTimeout(timer);
    for (const event of ['end', 'error', 'close']) socket.off(event, drop);
    socket.off('readable', look);
  }

  function look(): void {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const length = Math.min(head.length, PREFACE.length);
    const fits = head.subarray(0, length).equals(PREFACE.subarray(0, length));
    if (fits && length < PREFACE.length) return;
    forget();
    socket.unshift(head);
    found(fits);
  }
}
