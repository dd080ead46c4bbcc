import type { Database, Session } from './database.ts';

/** Milliseconds after which the session is replaced: a new one leads to the server that is now the primary. */
const RENEW_EVERY = 15_000;
/** Milliseconds before another try after a failure. */
const RETRY = 200;
/** Looks in a row that found events of which nobody was notified; then notifications can't be relied on. */
const MOST_MISSED = 2;
/** Milliseconds for which they then aren't. */
const DISTRUST = 600_000;

/** Says which process notifies. Doesn't wait for the disk. */
export const NOTIFY = `SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)`;

export interface ListenerOptions {
  readonly database: Database;
  readonly channel: string;
  /** This process, which knows its own appends. */
  readonly node: string;
  /** An URL of its own; undefined: the database's. */
  readonly url: string | undefined;
  /** Another process has appended. */
  readonly onNotification: () => void;
  /** Is given each new session first. */
  readonly onSession: (session: Session) => Promise<void>;
}

/**
 * Listens for notifications on a session of its own, which is replaced now and then: an old connection may lead to a
 * server that is no longer the primary. Through a pooler that keeps no sessions none arrive, which it finds out.
 */
export class Listener {
  /** Notifications so far. */
  count = 0;
  readonly #options: ListenerOptions;
  #session: Session | undefined;
  /** Whether a notification has come since there is a session. */
  #isProven = false;
  #missed = 0;
  #distrustedUntil = -Infinity;
  #renewAt = -Infinity;
  #connecting: Promise<void> | undefined;
  #stopped = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Whether notifications arrive. */
  get isProven(): boolean {
    return this.#session !== undefined && this.#isProven && performance.now() >= this.#distrustedUntil;
  }

  /** Connects, if it is time to. To be called now and then. */
  tend(): void {
    if (this.#stopped || performance.now() < this.#renewAt) return;
    this.#renewAt = performance.now() + RENEW_EVERY;
    this.#connecting ??= this.#connect().finally(() => {
      this.#connecting = undefined;
    });
  }

  /** Takes whether the last look found events of which no notification came. */
  noteMissed(isMissed: boolean): void {
    this.#missed = isMissed && this.isProven ? this.#missed + 1 : 0;
    if (this.#missed >= MOST_MISSED) this.#distrustedUntil = performance.now() + DISTRUST;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#session?.close();
    await this.#connecting;
  }

  async #connect(): Promise<void> {
    const { database, channel, node, url, onSession } = this.#options;
    let session: Session | undefined;
    try {
      session = await database.connect(url);
      await session.run(`LISTEN "${channel}"`);
      await onSession(session);
      this.#use(session);
      // To find out whether notifications arrive.
      await database.run(NOTIFY, [channel, node]);
    } catch {
      // Publishers and readers learn of it from their own statements.
      if (session !== this.#session) session?.close();
      if (this.#session === undefined) this.#renewAt = performance.now() + RETRY;
    }
  }

  #use(session: Session): void {
    if (this.#stopped) return session.close();
    const before = this.#session;
    this.#session = session;
    if (before === undefined) this.#isProven = false;
    session.onNotification((payload) => {
      this.count += 1;
      if (this.#session === session) this.#isProven = true;
      if (payload !== this.#options.node) this.#options.onNotification();
    });
    void session.lost.then(() => {
      if (this.#session !== session) return;
      this.#session = undefined;
      this.#renewAt = performance.now() + RETRY;
    });
    before?.close();
  }
}
