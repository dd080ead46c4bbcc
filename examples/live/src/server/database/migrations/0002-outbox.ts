import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('outbox')
    // Auto-increment: the order in which things happened, also after the table was empty.
    .addColumn('id', 'integer', (column) => column.primaryKey().autoIncrement())
    .addColumn('event', 'text', (column) => column.notNull())
    .execute();
}
