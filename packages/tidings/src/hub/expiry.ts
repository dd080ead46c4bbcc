/** The times that end a connection, in milliseconds. */
export interface Lifetimes {
  /** How long a peer may accept nothing while bytes are pending. */
  readonly stallTimeout: number;
  readonly maxLifetime: number;
  /** How long before its authorization expires a peer learns of it. */
  readonly expiryNotice: number;
}

/** A connection's times. */
interface Dated {
  readonly id: string;
  readonly request: { readonly expiresAt?: number | undefined };
  /** By the clock's monotonic time, as the next. */
  readonly admittedAt: number;
  readonly blockedAt: number | undefined;
}

/** An action that is due for a connection by time alone. `expiring`: its authorization is about to expire. */
export type Due = 'stalled' | 'expired' | 'lifetime' | 'expiring';

/** `now`: milliseconds since 1970, which authorizations are dated by. `monotonic`: of the clock that never jumps. */
export function dueOf(
  { id, request: { expiresAt = Infinity }, admittedAt, blockedAt = Infinity }: Dated,
  { stallTimeout, maxLifetime, expiryNotice }: Lifetimes,
  now: number,
  monotonic: number,
): Due | undefined {
  if (monotonic - blockedAt >= stallTimeout) return 'stalled';
  if (now >= expiresAt) return 'expired';
  if (monotonic - admittedAt >= maxLifetime * lifetimeShare(id)) return 'lifetime';
  return now >= expiresAt - expiryNotice ? 'expiring' : undefined;
}

/** 0.9 to 1, fixed for a connection: connections that came together don't all leave together. */
function lifetimeShare(id: string): number {
  let hash = 0;
  for (let i = 0; i < id.length; i += 1) hash = (hash * 31 + id.charCodeAt(i)) % 1000;
  return 0.9 + hash / 10_000;
}
