import { type NewEvent, createLogError } from '../../log/index.ts';
import { type Run, isAnswer } from './database.ts';
import type { Store } from './store.ts';
import { createPause } from './wake-ups.ts';
import type { Writer, Written } from './write.ts';

/** The most rows moved into the log by one transaction, and characters, but at least one row. */
const MOST_ROWS = 500;
const MOST_LENGTH = 4_000_000;
/** Milliseconds until the first look for what was just published, and between later ones at most. */
const FIRST_LOOK = 2;
const LOOK_EVERY = 25;
/** Milliseconds after the last call of `publishIn` in which it looks that often, and between looks otherwise. */
const EXPECT_FOR = 2000;
const LOOK_SELDOM = 250;
/** Milliseconds for which nothing could be moved until somebody learns of it, and between reports. */
const PATIENCE = 3000;
const REPORT_EVERY = 60_000;
/** How often a very large row is tried alone, if it fails for a reason that might pass. */
const MOST_TRIES = 3;

export interface Mover {
  /** Something was published: looks for it soon, whenever it commits. */
  expect(): void;
  stop(): Promise<void>;
}

interface OutboxRow {
  readonly n: number;
  readonly events: string;
}

/** A row that nobody can read: written by hand, or by another version. */
class MalformedRow extends Error {}

/**
 * Moves what has committed into the log, in order. Of several processes one at a time does: it holds the lock of the
 * row in `mover`, which goes with its connection. The rows leave the outbox in the transaction that appends their events.
 *
 * A row that can't be appended is parked: it stays in the outbox, and those behind it go on without it.
 */
export function startMover(
  store: Store,
  writer: Writer,
  channel: string,
  announce: (written: Written) => Promise<void>,
  report: (error: unknown) => void,
): Mover {
  const { database, sql } = store;
  const some = sql('SELECT EXISTS (SELECT FROM SCHEMA.outbox WHERE parked IS NULL)::text');
  const take = sql(`WITH lease AS MATERIALIZED (SELECT FROM SCHEMA.mover FOR UPDATE SKIP LOCKED)
    SELECT n, events FROM (
      SELECT n, events, sum(length(events)) OVER (ORDER BY n) - length(events) AS before
      FROM (SELECT n, events FROM SCHEMA.outbox WHERE parked IS NULL ORDER BY n LIMIT $1) AS oldest
    ) AS each WHERE before < ${MOST_LENGTH} AND EXISTS (SELECT FROM lease) ORDER BY n`);
  const park = sql('UPDATE SCHEMA.outbox SET parked = $2 WHERE n = $1::bigint');
  let expectedUntil = -Infinity;
  let pause = LOOK_SELDOM;
  let stopped = false;
  /** Fewer after a failure, to find the row that it is about. */
  let mostRows = MOST_ROWS;
  /** The row that failed last when it was tried alone, and how often it did. */
  let suspect = { n: 0, tries: 0 };
  /** The row to park, and why. Not at once: what this process gave up on may still hold the row. */
  let doomed: { readonly n: number; readonly cause: unknown } | undefined;
  /** When moving began to fail, and when that was reported. */
  let failingSince: number | undefined;
  let reportedAt = -Infinity;
  const rests = createPause();
  const ended = run();

  async function run(): Promise<void> {
    while (!stopped) {
      await rests.rest(pause);
      if (stopped) return;
      pause = performance.now() < expectedUntil ? Math.min(LOOK_EVERY, pause * 2) : LOOK_SELDOM;
      try {
        const [[isSome] = []] = await database.run(some);
        if (isSome !== 'true') failingSince = undefined;
        else while (!stopped && (await goOn()));
      } catch {
        // The rows are still there, or in the log.
        pause = LOOK_SELDOM;
      }
    }
  }

  /** @returns whether there may be more: not if another process is at it. */
  async function goOn(): Promise<boolean> {
    let rows: readonly OutboxRow[] = [];
    try {
      const moved = await database.transaction(async (inTransaction) => {
        rows = await takeRows(inTransaction);
        const [first] = rows;
        if (first === undefined) return undefined;
        if (doomed?.n !== first.n) return moveIn(inTransaction, rows);
        await inTransaction(park, [first.n, String(doomed.cause)]);
        return { parked: first, cause: doomed.cause };
      });
      // Another process is at it, or what this one gave up on has not ended yet.
      if (moved === undefined) return false;
      failingSince = undefined;
      doomed = undefined;
      if ('parked' in moved) {
        reportParked(moved.parked, moved.cause);
        return true;
      }
      mostRows = Math.min(MOST_ROWS, mostRows * 2);
      await announce(moved);
      return true;
    } catch (cause) {
      if (isBlamed(rows, cause)) return true;
      noteFailure(cause);
      throw cause;
    }
  }

  /** Finds out which of the rows it is, to park it. @returns whether to go on at once. */
  function isBlamed([row, ...others]: readonly OutboxRow[], cause: unknown): boolean {
    if (row === undefined) return false;
    const isAbout = isAboutRow(cause);
    if (others.length > 0) {
      if (isAbout) mostRows = 1;
      return isAbout;
    }
    suspect = { n: row.n, tries: suspect.n === row.n ? suspect.tries + 1 : 1 };
    const isTooLarge = row.events.length >= MOST_LENGTH && suspect.tries >= MOST_TRIES;
    if (isAbout || isTooLarge) doomed = { n: row.n, cause };
    return isAbout;
  }

  function reportParked({ n, events }: OutboxRow, cause: unknown): void {
    const message =
      `Events of \`publishIn\` can’t be appended: row ${n} of the table \`outbox\`, ${events.length} characters long, ` +
      'is parked, and those behind it go on. Mend it and set `parked` to NULL, or delete it.';
    report(createLogError('log/write-failed', message, { details: { row: n }, cause }));
  }

  function noteFailure(cause: unknown): void {
    // Another process was faster.
    if (isAnswer(cause) && cause.code === 'TID03') return;
    const now = performance.now();
    failingSince ??= now;
    if (now - failingSince < PATIENCE || now - reportedAt < REPORT_EVERY) return;
    reportedAt = now;
    const message =
      'Events of `publishIn` can’t be moved into the log. They and later ones stay in the table `outbox`.';
    report(createLogError('log/write-failed', message, { details: { retryAfter: 5 }, cause }));
  }

  async function takeRows(inTransaction: Run): Promise<OutboxRow[]> {
    const rows = await inTransaction(take, [mostRows]);
    return rows.map(([n, events]) => ({ n: Number(n), events: events ?? '' }));
  }

  function moveIn(inTransaction: Run, rows: readonly OutboxRow[]): Promise<Written> {
    const events = rows.flatMap(toEvents);
    const taken = rows.map(({ n }) => n);
    return writer.move(inTransaction, events, taken, channel);
  }

  return {
    expect() {
      const isNews = performance.now() >= expectedUntil;
      expectedUntil = performance.now() + EXPECT_FOR;
      pause = FIRST_LOOK;
      if (isNews) rests.wake();
    },
    async stop() {
      stopped = true;
      rests.end();
      await ended;
    },
  };
}

/**
 * Whether it would fail again: the row can't be read, or PostgreSQL refuses its data (class 22) or says that it is beyond
 * a limit (54): https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
function isAboutRow(cause: unknown): boolean {
  return cause instanceof MalformedRow || (isAnswer(cause) && /^(22|54)/.test(cause.code));
}

/** JSON leaves out what is undefined. */
type StoredEvent = Omit<NewEvent, 'type' | 'id' | 'key'> & Partial<Pick<NewEvent, 'type' | 'id' | 'key'>>;

function toEvents({ n, events }: OutboxRow): NewEvent[] {
  const stored = parse(events);
  if (Array.isArray(stored) && stored.every(isStoredEvent)) return stored.map(toEvent);
  throw new MalformedRow(`Row ${n} of the outbox is no list of events.`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isStoredEvent(value: unknown): value is StoredEvent {
  const { topics, data } = (value ?? {}) as Partial<StoredEvent>;
  const isOnTopics =
    Array.isArray(topics) && topics.length > 0 && topics.every((topic) => typeof topic === 'string');
  return isOnTopics && typeof data === 'string';
}

function toEvent(stored: StoredEvent): NewEvent {
  return { ...stored, type: stored.type, id: stored.id, key: stored.key };
}
