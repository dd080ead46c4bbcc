import type { IncomingMessage, ServerResponse } from 'node:http';

/** How much of a body to take after its request has been answered: bytes, and milliseconds. */
const MOST_BYTES = 262_144;
const MOST_TIME = 2000;

/** Whether the body says that it has few bytes: once they are read, the socket can serve another request. */
export function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) <= MOST_BYTES;
}

/**
 * Answers a request of which parts are still to come. The whole answer leaves at once, but the socket closes only after the
 * rest of the body, if that is short: closing with unread bytes resets the connection, which may take the answer from a
 * peer that is still sending (RFC 9112 §9.6).
 */
export function answerBeforeBody(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  text: string,
): void {
  // Otherwise the answer would be complete only at its end.
  if (text !== '') res.setHeader('content-length', Buffer.byteLength(text));
  res.writeHead(status);
  if (text === '') res.flushHeaders();
  else res.write(text);
  res.once('finish', () => {
    if (!req.complete) req.socket.destroySoon();
  });
  // Without a callback: `express-session` and `compression` wrap `end`, and take the first argument for data.
  discardBody(req, () => void res.end());
}

function discardBody(req: IncomingMessage, done: () => void): void {
  if (req.destroyed) return done();
  let left = MOST_BYTES;
  const timer = setTimeout(finish, MOST_TIME);
  req.on('data', take).on('end', finish).on('close', finish).resume();

  function take({ length }: Buffer): void {
    left -= length;
    if (left < 0) finish();
  }

  function finish(): void {
    clearTimeout(timer);
    req.off('data', take).off('end', finish).off('close', finish);
    done();
  }
}
