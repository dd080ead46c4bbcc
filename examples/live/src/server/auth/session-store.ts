import { createHash } from 'node:crypto';
import type { Request } from 'express';
import session from 'express-session';
import type { Clock } from '../lib/clock.ts';
import { inTurns } from '../lib/in-turns.ts';
import { createShortMemory } from '../lib/short-memory.ts';
import type { ShortMemory } from '../lib/short-memory.ts';
import type { Database } from '../database/schema.ts';

declare module 'express-session' {
  interface SessionData {
    user: { id: number; name: string };
    /** When the cookie was last sent. */
    renewedAt: number;
  }
}

/** How long a stream may take from reading its session to being open. */
const REMEMBER_ENDED = 60_000;
/** Each took a sign-in, with the time that a password takes: there can't be as many within a minute. */
const MAX_ENDED = 10_000;
/** Rows that are deleted in one turn. */
const BATCH = 500;

/**
 * Keeps sessions in the database, where they outlive the process. (express-session demands inheritance.)
 *
 * There is no `touch`: it would write on every request. A session is renewed by being changed, see `sessions.ts`.
 */
export class SessionStore extends session.Store {
  readonly #db: Database;
  readonly #clock: Clock;
  readonly #onEnd: (sessionId: string) => void;
  /** Ids of sessions that were signed out a short while ago. */
  readonly #ended: ShortMemory<true>;
  /** Sessions that are in the database already, or were when their request came. */
  readonly #loaded = new WeakSet<object>();

  /** @param onEnd called when a session is signed out, with its id */
  constructor(db: Database, clock: Clock, onEnd: (sessionId: string) => void) {
    super();
    this.#db = db;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#ended = createShortMemory({ clock, keep: REMEMBER_ENDED, max: MAX_ENDED });
  }

  /** Whether this session was signed out, though a request that began earlier may still carry it. */
  hasEnded(sessionId: string): boolean {
    return this.#ended.get(sessionId) !== undefined;
  }

  override createSession(request: Request, data: session.SessionData): session.Session & session.SessionData {
    const loaded = super.createSession(request, data);
    this.#loaded.add(loaded);
    return loaded;
  }

  override get(
    sessionId: string,
    callback: (error: unknown, data?: session.SessionData | null) => void,
  ): void {
    answer(this.#read(sessionId), callback);
  }

  override set(sessionId: string, data: session.SessionData, callback?: (error?: unknown) => void): void {
    answer(this.#loaded.has(data) ? this.#update(sessionId, data) : this.#insert(sessionId, data), callback);
  }

  override destroy(sessionId: string, callback?: (error?: unknown) => void): void {
    answer(this.#remove(sessionId), callback);
  }

  /** Deletes expired sessions. */
  async prune(): Promise<void> {
    const now = this.#clock.now();
    await inTurns(async () => {
      const expired = this.#db
        .selectFrom('sessions')
        .select('id')
        .where('expires_at', '<=', now)
        .limit(BATCH);
      const { numDeletedRows } = await this.#db
        .deleteFrom('sessions')
        .where('id', 'in', expired)
        .executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    });
  }

  async #read(sessionId: string): Promise<session.SessionData | null> {
    const row = await this.#db
      .selectFrom('sessions')
      .select('data')
      .where('id', '=', hash(sessionId))
      .where('expires_at', '>', this.#clock.now())
      .executeTakeFirst();
    // Only `toRow` makes these, from the same type.
    return row === undefined ? null : (JSON.parse(row.data) as session.SessionData);
  }

  async #insert(sessionId: string, data: session.SessionData): Promise<void> {
    const row = { id: hash(sessionId), ...toRow(data) };
    await this.#db.insertInto('sessions').values(row).execute();
    this.#loaded.add(data);
  }

  /** Changes nothing if the session was signed out since its request came: that must not bring it back. */
  async #update(sessionId: string, data: session.SessionData): Promise<void> {
    await this.#db.updateTable('sessions').set(toRow(data)).where('id', '=', hash(sessionId)).execute();
  }

  async #remove(sessionId: string): Promise<void> {
    this.#ended.set(sessionId, true);
    await this.#db.deleteFrom('sessions').where('id', '=', hash(sessionId)).execute();
    this.#onEnd(sessionId);
  }
}

function toRow(data: session.SessionData): { data: string; expires_at: number } {
  const { expires } = data.cookie;
  return {
    data: JSON.stringify(data),
    expires_at: expires === null || expires === undefined ? 0 : new Date(expires).getTime(),
  };
}

function hash(sessionId: string): string {
  return createHash('sha256').update(sessionId).digest('base64url');
}

/** Passes a promise's outcome to a callback, outside of the promise, which must not catch the callback's errors. */
function answer<T>(work: Promise<T>, callback?: (error: unknown, value?: T) => void): void {
  work.then(
    (value) => process.nextTick(() => callback?.(null, value)),
    (error: unknown) => process.nextTick(() => callback?.(error)),
  );
}
