import type { Kysely } from 'kysely';
import { chosenId } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('outbox')
    // Auto-increment: the order in which things happened, also after the table was empty.
    .addColumn('id', 'integer', chosenId(db))
    .addColumn('event', 'text', (column) => column.notNull())
    .execute();
}
