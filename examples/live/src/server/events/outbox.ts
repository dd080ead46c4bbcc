import { TidingsError } from 'tidings';
import type { EventInput, Hub } from 'tidings';
import type { Clock } from '../lib/clock.ts';
import { takeTurns } from '../database/open.ts';
import type { Database } from '../database/schema.ts';
import type { Logger } from '../ops/logger.ts';
import { inTurns } from '../lib/in-turns.ts';
import { createQueue } from '../lib/queue.ts';
import type { Announcement } from './announce.ts';

/** Changes the database and publishes the change: both or neither, whenever the process dies. */
export interface Outbox {
  /**
   * Runs `change` in a transaction that also saves the events it wants to `tell`, then publishes those. One change at a
   * time, also if several processes share the database and the log: the events of all of them have numbers in the order of
   * their commits, and whoever publishes begins with the oldest. The log knows those that another process published by
   * their ids. So subscribers see the changes in the order of the database. Rejects
   * with the error of `change`, or with `QueueFullError`, and then nothing has changed. Once it resolves, events that
   * could not be published yet will be published later.
   */
  commit<T>(change: (transaction: Database, tell: Tell) => Promise<T>): Promise<T>;
  /** Publishes waiting events; at the start, those of an earlier process. */
  publish(): Promise<void>;
  /** Deletes published events. */
  prune(): Promise<void>;
  close(): Promise<void>;
}

export type Tell = (...announcements: readonly Announcement[]) => void;

export interface OutboxOptions {
  readonly db: Database;
  readonly hub: Pick<Hub, 'publishAll'>;
  readonly clock: Clock;
  readonly log: Logger;
}

const RETRY = 1000;
/** Events of one publish, and rows that are deleted in one turn. */
const BATCH = 500;
/** Changes that wait for their turn: each takes a wait for the disk, so the last one's sender waits some seconds. */
const MAX_WAITING = 1000;

export function createOutbox({ db, hub, clock, log }: OutboxOptions): Outbox {
  const queue = createQueue({ maxWaiting: MAX_WAITING });
  /** All rows up to this id are published. */
  let publishedTo = 0;
  let cancelRetry: (() => void) | undefined;

  async function publishWaiting(): Promise<void> {
    cancelRetry?.();
    cancelRetry = undefined;
    try {
      while (await publishBatch());
    } catch (error) {
      log.warn({ err: error }, 'events not published yet');
      cancelRetry = clock.setTimer(() => void publish(), RETRY);
    }
  }

  /** @returns false if nothing was waiting */
  async function publishBatch(): Promise<boolean> {
    const waiting = db.selectFrom('outbox').selectAll().where('id', '>', publishedTo);
    const rows = await waiting.orderBy('id').limit(BATCH).execute();
    const last = rows.at(-1);
    if (last === undefined) return false;
    try {
      await hub.publishAll(rows.map(({ event }) => JSON.parse(event) as EventInput));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      // It would be refused forever, and everything behind it would wait.
      log.error({ err: error, events: rows }, 'events dropped, since the hub refuses them');
    }
    publishedTo = last.id;
    return true;
  }

  function publish(): Promise<void> {
    return queue.runAnyway(publishWaiting);
  }

  /** Deletes a batch of published events. @returns how many */
  async function prune(within: Database): Promise<number> {
    const published = within.selectFrom('outbox').select('id').where('id', '<=', publishedTo);
    const oldest = published.orderBy('id').limit(BATCH);
    const { numDeletedRows } = await within
      .deleteFrom('outbox')
      .where('id', 'in', oldest)
      .executeTakeFirstOrThrow();
    return Number(numDeletedRows);
  }

  const pruneAll = (): Promise<void> => inTurns(() => prune(db));

  return {
    publish,
    prune: pruneAll,
    commit: (change) =>
      queue.run(async () => {
        const result = await db.transaction().execute(async (transaction) => {
          await takeTurns(transaction);
          const rows: { event: string }[] = [];
          const changed = await change(transaction, (...announcements) => {
            for (const announcement of announcements) rows.push({ event: toJson(announcement) });
          });
          if (rows.length > 0) {
            // Here it costs no wait for the disk of its own.
            await prune(transaction);
            await transaction.insertInto('outbox').values(rows).execute();
          }
          return changed;
        });
        await publishWaiting();
        return result;
      }),
    async close() {
      await queue.runAnyway(pruneAll);
      cancelRetry?.();
    },
  };
}

/** With an id: the log drops an event that is published a second time because its success went unrecorded. */
function toJson(announcement: Announcement): string {
  const event: EventInput = { ...announcement, id: crypto.randomUUID() };
  return JSON.stringify(event);
}

/** Whether the event itself is at fault. */
function isRefusal(error: unknown): boolean {
  return error instanceof TidingsError && error.status !== undefined && error.status < 500;
}
