import type { Migration, MigrationProvider } from 'kysely';
import { up as initial } from './0001-initial.ts';
import { up as outbox } from './0002-outbox.ts';
import { up as bounded } from './0003-bounded.ts';

/** In the order of their names. Never change one that was released: add another. */
const migrations: Record<string, Migration> = {
  '0001-initial': { up: initial },
  '0002-outbox': { up: outbox },
  '0003-bounded': { up: bounded },
};

export const migrationProvider: MigrationProvider = {
  getMigrations: () => Promise.resolve(migrations),
};
