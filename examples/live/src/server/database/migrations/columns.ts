import { PostgresAdapter } from 'kysely';
import type { ColumnDefinitionBuilder, Kysely } from 'kysely';

/** A primary key whose numbers the database chooses, none of them twice. */
export function chosenId(db: Kysely<unknown>): (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder {
  const isPostgres = db.getExecutor().adapter instanceof PostgresAdapter;
  return (column) =>
    isPostgres ? column.primaryKey().generatedAlwaysAsIdentity() : column.primaryKey().autoIncrement();
}
