import type { IncomingMessage, ServerResponse } from 'node:http';

/** A body of up to so many bytes is waited for: its socket serves the next request. */
const SHORT = 262_144;
/**
 * How much of a longer one is taken before the socket closes: bytes, which cost little to drop, and milliseconds. Many
 * clients read no answer before they have sent everything.
 */
const MOST_BYTES = 4_194_304;
const MOST_TIME = 5000;

/** Whether the body says that it is short. */
export function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length']) <= SHORT;
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
