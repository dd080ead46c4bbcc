import { createError } from '../protocol/errors.ts';
import type { NodeRequest } from './node-stream.ts';

/** How many streams are open on a socket of HTTP/1.1, or in a session of HTTP/2. */
const openStreams = new WeakMap<object, number>();

/** Seconds after which a refused client may try again. */
const RETRY_AFTER = 5;

/**
 * A request sent behind a stream on the same socket gets no stream: it could bring nothing before that one ends, and a
 * peer can send thousands ahead. An HTTP/2 session may have `maxPerSession` streams.
 *
 * @throws {TidingsError} `limit/connections` (429).
 */
export function assertRoomForStream(req: NodeRequest, maxPerSession: number): void {
  const isSession = 'stream' in req;
  const limit = isSession ? maxPerSession : 1;
  if ((openStreams.get(carrierOf(req)) ?? 0) < limit) return;
  const per = isSession ? 'session' : 'socket';
  throw createError('limit/connections', `One ${per} may carry ${limit} streams; close one first.`, {
    details: { retryAfter: RETRY_AFTER, limit, per },
  });
}

/** Call `streamEnded` with the same carrier when the stream is over. */
export function streamBegan(carrier: object): void {
  openStreams.set(carrier, (openStreams.get(carrier) ?? 0) + 1);
}

export function streamEnded(carrier: object): void {
  openStreams.set(carrier, (openStreams.get(carrier) ?? 1) - 1);
}

/** The socket of HTTP/1.1, or the session of HTTP/2, which a stream no longer knows once it is over. */
export function carrierOf(req: NodeRequest): object {
  return 'stream' in req ? (req.stream.session ?? req.stream) : req.socket;
}
