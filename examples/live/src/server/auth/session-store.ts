import { createHash } from 'node:crypto';
import session from 'express-session';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../database/schema.ts';

declare module 'express-session' {
  interface SessionData {
    user: { id: number; name: string };
    /** When the cookie was sent last. */
    renewedAt: number;
  }
}

/** How long requests may run that still hold a session which has ended meanwhile. */
const REMEMBER_ENDED = 10 * 60_000;

/**
 * Keeps sessions in the database, so that they outlive the process. (express-session demands inheritance.)
 *
 * There is no `touch`: it would write on every request. A session is renewed by being changed, see `sessions.ts`.
 */
export class SessionStore extends session.Store {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #onEnd: (sessionId: string) => void;
  /** Session ids that were signed out a short while ago, with the time. */
  readonly #ended = new Map<string, number>();

  /** @param onEnd called when a session is signed out, with its id */
  constructor(db: Database, clock: Clock, onEnd: (sessionId: string) => void) {
    super();
    this.#db = db;
    this.#clock = clock;
    this.#onEnd = onEnd;
  }

  /** Whether this session was signed out, though a request that began earlier may still carry it. */
  hasEnded(sessionId: string): boolean {
    return this.#ended.has(sessionId);
  }

  override get(
    sessionId: string,
    callback: (error: unknown, data?: session.SessionData | null) => void,
  ): void {
    answer(this.#read(sessionId), callback);
  }

  override set(sessionId: string, data: session.SessionData, callback?: (error?: unknown) => void): void {
    answer(this.#write(sessionId, data), callback);
  }

  override destroy(sessionId: string, callback?: (error?: unknown) => void): void {
    answer(this.#remove(sessionId), callback);
  }

  /** Deletes what has expired. */
  async prune(): Promise<void> {
    const now = this.#clock.now();
    for (const [sessionId, at] of this.#ended) {
      if (at < now - REMEMBER_ENDED) this.#ended.delete(sessionId);
    }
    await this.#db.deleteFrom('sessions').where('expires_at', '<=', now).execute();
  }

  async #read(sessionId: string): Promise<session.SessionData | null> {
    const row = await this.#db
      .selectFrom('sessions')
      .select('data')
      .where('id', '=', hash(sessionId))
      .where('expires_at', '>', this.#clock.now())
      .executeTakeFirst();
    // Only `#write` makes these, from the same type.
    return row === undefined ? null : (JSON.parse(row.data) as session.SessionData);
  }

  async #write(sessionId: string, data: session.SessionData): Promise<void> {
    // A request that began before the sign-out must not bring the session back.
    if (this.hasEnded(sessionId)) return;
    const expires = data.cookie.expires;
    const row = {
      data: JSON.stringify(data),
      expires_at: expires === null || expires === undefined ? 0 : new Date(expires).getTime(),
    };
    await this.#db
      .insertInto('sessions')
      .values({ id: hash(sessionId), ...row })
      .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
      .execute();
  }

  async #remove(sessionId: string): Promise<void> {
    this.#ended.set(sessionId, this.#clock.now());
    await this.#db.deleteFrom('sessions').where('id', '=', hash(sessionId)).execute();
    this.#onEnd(sessionId);
  }
}

function hash(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url');
}

/** Hands a promise's outcome to a callback, outside of the promise: what the callback throws is not its error. */
function answer<T>(work: Promise<T>, callback?: (error: unknown, value?: T) => void): void {
  work.then(
    (value) => process.nextTick(() => callback?.(null, value)),
    (error: unknown) => process.nextTick(() => callback?.(error)),
  );
}
