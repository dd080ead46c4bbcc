import { createLogError } from '../../log/index.ts';
import type { Connection } from './connection.ts';

/** Where an event is when `publish` resolves. */
export type Durability = 'server' | 'replica' | 'disk';

/** Waits until this connection's writes are as safe as the `durability` option demands. */
export async function confirm(
  connection: Connection,
  durability: Durability,
  timeout: number,
): Promise<void> {
  if (durability === 'server') return;
  const wait = String(Math.max(1, Math.floor(timeout / 2)));
  const reply =
    durability === 'replica'
      ? await connection.send(['WAIT', '1', wait])
      : await connection.send(['WAITAOF', '1', '0', wait]);
  const confirmed = Number(Array.isArray(reply) ? reply[0] : reply);
  if (confirmed >= 1) return;
  const missing = durability === 'replica' ? 'No replica has' : 'The append-only file doesn’t have';
  const message = `${missing} confirmed the events within ${wait} ms. They are in the log, and may be lost with this server.`;
  throw createLogError('log/write-failed', message, { details: { retryAfter: 5, durability } });
}
