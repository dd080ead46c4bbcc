import { TidingsError, createLogError, invalidOption } from '../../log/index.ts';

/** Everything is asked for as text: an app may have set other parsers for `pg`. */
export type Row = readonly (string | null)[];
/** Runs a statement. */
export type Run = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>;

/** The interface of a client of `pg`. */
export interface PostgresClient {
  query(query: object): Promise<unknown>;
  on(event: 'error' | 'notification', listener: (event: never) => void): unknown;
  off(event: 'error' | 'notification', listener: (event: never) => void): unknown;
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

interface PooledClient extends PostgresClient {
  release(destroy?: boolean): void;
}

/** A pool of the app's own, of `pg`. */
export interface PostgresPool {
  connect(): Promise<object>;
  on(event: 'connect', listener: (client: object) => void): unknown;
  off(event: 'connect', listener: (client: object) => void): unknown;
  readonly options: object;
}

export interface Database {
  /** @param within Milliseconds to wait for the answer, if that is less than usual. */
  readonly run: (text: string, values?: readonly unknown[], within?: number) => Promise<readonly Row[]>;
  /** Runs several statements as one transaction. */
  transaction<T>(work: (run: Run) => Promise<T>, within?: number): Promise<T>;
  /** A connection that isn't one of the pool's, for notifications. */
  connect(url?: string): Promise<Session>;
  /** From now on only new connections are used: the old ones may lead to a server that is no longer the primary. */
  renew(): void;
  /** Whether a transaction of one statement isn't what the log needs, because of the server's settings. */
  isolate: boolean;
  close(): Promise<void>;
}

/** A connection of its own. */
export interface Session {
  readonly run: Run;
  onNotification(listener: (payload: string) => void): void;
  /** Resolves when the connection is lost. */
  readonly lost: Promise<void>;
  close(): void;
}

export interface DatabaseOptions {
  readonly url?: string | undefined;
  readonly pool?: PostgresPool | undefined;
  /** Of a pool made for `url`. */
  readonly connections: number;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

type Pg = (typeof import('pg'))['default'];

export async function openDatabase({ url, pool, connections, timeout }: DatabaseOptions): Promise<Database> {
  const own = pool === undefined ? await makePool() : undefined;
  const used = (pool ?? own) as PostgresPool;
  /** Connections made since they were last renewed; undefined if they never were. */
  let fresh: WeakSet<object> | undefined;
  const noteMade = (client: object): void => {
    fresh?.add(client);
    listenMeanwhile(client as PostgresClient);
  };
  used.on('connect', noteMade);

  async function makePool(): Promise<InstanceType<Pg['Pool']>> {
    const pg = await loadPg();
    const made = new pg.Pool({
      connectionString: url,
      max: connections,
      connectionTimeoutMillis: timeout,
      keepAlive: true,
    });
    // A connection broke that nobody used.
    made.on('error', ignore);
    return made;
  }

  async function checkOut(deadline: number): Promise<PooledClient> {
    for (;;) {
      const waiting = used.connect() as Promise<PooledClient>;
      const client = await inTime(waiting, deadline - performance.now(), timeout, (late) => late.release());
      // A pool listens only to idle connections, and to none that it gives up: an error of such a one would end the process.
      client.on('error', ignore);
      if (fresh === undefined || fresh.has(client)) return client;
      client.release(true);
    }
  }

  async function withClient<T>(work: (run: Run) => Promise<T>, within: number): Promise<T> {
    const deadline = performance.now() + Math.min(within, timeout);
    const client = await checkOut(deadline);
    let isBroken = true;
    try {
      const result = await work((text, values) => runOn(client, text, values, deadline, timeout));
      isBroken = false;
      return result;
    } catch (error) {
      isBroken = !isAnswer(error) || isLeaving(error);
      throw error;
    } finally {
      if (!isBroken) client.off('error', ignore);
      // A statement without an answer may still run; and a server that is going away needs no more of them.
      client.release(isBroken);
    }
  }

  function transaction<T>(work: (run: Run) => Promise<T>, within = timeout): Promise<T> {
    return withClient(async (run) => {
      await run('BEGIN ISOLATION LEVEL READ COMMITTED');
      try {
        const result = await work(run);
        await run('COMMIT');
        return result;
      } catch (error) {
        if (isAnswer(error) && !isLeaving(error)) await run('ROLLBACK');
        throw error;
      }
    }, within);
  }

  return {
    isolate: false,
    run: (text, values, within = timeout) => withClient((run) => run(text, values), within),
    transaction,
    async connect(other) {
      const client = await makeClient(other ?? url, pool);
      return openSession(client, timeout);
    },
    renew() {
      fresh = new WeakSet();
    },
    async close() {
      used.off('connect', noteMade);
      await own?.end();
    },
  };
}

/**
 * Until whoever asked a pool for a new connection has it, nobody listens to it. A server that is killed may end it in the same
 * packet that opened it, and that error would end the process.
 */
function listenMeanwhile(client: PostgresClient): void {
  client.on('error', ignore);
  setImmediate(() => client.off('error', ignore));
}

/** A pool knows how to make a client like its own. */
async function makeClient(url: string | undefined, pool: PostgresPool | undefined): Promise<PostgresClient> {
  if (url !== undefined) {
    const pg = await loadPg();
    return new pg.Client({ connectionString: url, keepAlive: true }) as unknown as PostgresClient;
  }
  const { Client, options } = pool as unknown as {
    Client?: new (options: object) => PostgresClient;
    options: object;
  };
  if (Client !== undefined) return new Client(options);
  const pg = await loadPg();
  return new pg.Client(options) as unknown as PostgresClient;
}

async function openSession(client: PostgresClient, timeout: number): Promise<Session> {
  let lose: () => void = ignore;
  const lost = new Promise<void>((resolve) => {
    lose = resolve;
  });
  client.on('error', lose);
  (client as unknown as { on(event: 'end', listener: () => void): void }).on('end', lose);
  const close = (): void => {
    // Also where the server no longer answers.
    client.end().catch(ignore);
    (client as { connection?: { stream?: { destroy?(): void } } }).connection?.stream?.destroy?.();
    lose();
  };
  try {
    await inTime(client.connect(), timeout, timeout, ignore);
  } catch (error) {
    close();
    throw error;
  }
  return {
    run: (text, values) => runOn(client, text, values, performance.now() + timeout, timeout),
    onNotification: (listener) =>
      void client.on('notification', ({ payload = '' }: { readonly payload?: string }) => listener(payload)),
    lost,
    close,
  };
}

async function runOn(
  client: PostgresClient,
  text: string,
  values: readonly unknown[] | undefined,
  deadline: number,
  timeout: number,
): Promise<readonly Row[]> {
  const query = { text, values, rowMode: 'array', types: AS_TEXT };
  const answer = await inTime(client.query(query), deadline - performance.now(), timeout, ignore);
  return (answer as { rows?: readonly Row[] }).rows ?? [];
}

const AS_TEXT = { getTypeParser: () => (value: string | null) => value };

function ignore(): void {}

/** `late` takes what comes after nobody waits for it any more. */
function inTime<T>(answer: Promise<T>, wait: number, timeout: number, late: (value: T) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const timer = setTimeout(
      () => {
        isLate = true;
        const message = `PostgreSQL has not answered within ${timeout} ms; whether it did what was asked is not known.`;
        reject(createLogError('log/unavailable', message, { details: { retryAfter: 5 } }));
      },
      Math.max(0, wait),
    );
    answer.then(
      (value) => {
        clearTimeout(timer);
        if (isLate) late(value);
        else resolve(value);
      },
      (error: unknown) => {
        clearTimeout(timer);
        reject(isAnswer(error) && !isLeaving(error) ? error : unavailable(error));
      },
    );
  });
}

/** Whether the server itself refused a statement: its errors have a code of five characters (SQLSTATE). */
export function isAnswer(error: unknown): error is Error & { code: string } {
  const { code, severity } = error as { code?: unknown; severity?: unknown };
  return error instanceof Error && typeof severity === 'string' && typeof code === 'string';
}

/**
 * Whether another server, or the same one a little later, may do what this one refused: it shuts down or starts, has no
 * connection left, was made read-only or a standby, or the statement took longer than the server's settings allow.
 * https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
export function isLeaving(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return /^(?:08|53|57P|57014|25006|25P0[34]|55P03|40)/.test(code);
}

export function unavailable(cause: unknown): TidingsError {
  if (cause instanceof TidingsError) return cause;
  const message =
    isAnswer(cause) && !isLeaving(cause)
      ? `PostgreSQL refused a statement: ${cause.message}.`
      : 'PostgreSQL can’t be reached.';
  return createLogError('log/unavailable', message, { details: { retryAfter: 5 }, cause });
}

async function loadPg(): Promise<Pg> {
  try {
    return (await import('pg')).default;
  } catch (cause) {
    const message = 'A PostgreSQL log with `url` needs the package "pg": npm install pg';
    throw createLogError('package/missing', message, { details: { package: 'pg' }, cause });
  }
}

export function isPostgresPool(value: unknown): value is PostgresPool {
  const pool = value as Partial<PostgresPool> | null;
  return typeof pool === 'object' && typeof pool?.connect === 'function' && pool.options !== undefined;
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function assertPool(pool: unknown): void {
  if (isPostgresPool(pool)) return;
  throw invalidOption('pool', 'Expected `pool` to be a pool of pg: `new pg.Pool(…)`.');
}
