import { createLogError } from '../../log/index.ts';
import type { Store } from './store.ts';

/** Where an event is when `publish` resolves. */
export type Durability = 'server' | 'replica' | 'disk';

/** The end of an append. */
export interface Appending {
  readonly epoch: string;
  /** Of the newest event that the answer names. */
  readonly seq: number;
  /** A key of this process's own. */
  readonly ownKey: string;
}

/**
 * Waits until an append is as safe as the `durability` option demands. The three commands go to one connection, which may
 * be another than the append's: Redis waits for what a connection itself has written, so it writes something first; and
 * it may lead to a server that lacks the append, so the log is looked at last.
 */
export async function confirm(
  { connection, key }: Store,
  durability: Durability,
  { epoch, seq, ownKey }: Appending,
  timeout: number,
): Promise<void> {
  if (durability === 'server') return;
  const wait = String(Math.max(1, Math.floor(timeout / 2)));
  const [, reply, found] = await Promise.all([
    connection.send(['HSET', key(ownKey), 'confirmed', String(seq)]),
    connection.send(durability === 'replica' ? ['WAIT', '1', wait] : ['WAITAOF', '1', '0', wait]),
    connection.send(['HMGET', key('meta'), 'epoch', 'head']),
  ]);
  const [epochNow, head] = found as readonly (string | null)[];
  if (epochNow !== epoch || Number(head) < seq) {
    const message = 'Another server has taken over from the one that had the events; it may lack them.';
    throw createLogError('log/unavailable', message, { details: { retryAfter: 5 } });
  }
  const confirmed = Number(Array.isArray(reply) ? reply[0] : reply);
  if (confirmed >= 1) return;
  const missing = durability === 'replica' ? 'No replica has' : 'The append-only file doesn’t have';
  const message = `${missing} confirmed the events within ${wait} ms. They are in the log, and may be lost with this server.`;
  throw createLogError('log/write-failed', message, { details: { retryAfter: 5, durability } });
}
