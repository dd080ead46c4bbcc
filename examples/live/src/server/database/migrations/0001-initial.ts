import type { Kysely } from 'kysely';
import { chosenId } from './columns.ts';

export async function up(db: Kysely<unknown>): Promise<void> {
  await accounts(db);
  await feed(db);
  await analytics(db);
}

async function accounts(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('users')
    .addColumn('id', 'integer', chosenId(db))
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('name_key', 'text', (column) => column.notNull().unique())
    .addColumn('password', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('sessions')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('data', 'text', (column) => column.notNull())
    .addColumn('expires_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('sessions_expires_at').on('sessions').column('expires_at').execute();
}

async function feed(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('posts')
    // Auto-increment: the id of a deleted post must never come back, since pages that missed the deletion would
    // take the new post for the old one.
    .addColumn('id', 'integer', chosenId(db))
    .addColumn('author_id', 'integer', (column) =>
      column.notNull().references('users.id').onDelete('cascade'),
    )
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('likes', 'integer', (column) => column.notNull().defaultTo(0))
    .addColumn('key', 'text')
    .addUniqueConstraint('posts_author_id_key', ['author_id', 'key'])
    .execute();
  await db.schema
    .createTable('likes')
    .addColumn('post_id', 'integer', (column) => column.notNull().references('posts.id').onDelete('cascade'))
    .addColumn('user_id', 'integer', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addPrimaryKeyConstraint('likes_primary', ['post_id', 'user_id'])
    .execute();
  await db.schema
    .createTable('notifications')
    .addColumn('id', 'integer', chosenId(db))
    .addColumn('user_id', 'integer', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('from_id', 'integer', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addColumn('post_id', 'integer', (column) => column.notNull().references('posts.id').onDelete('cascade'))
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('read', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createIndex('notifications_user_id_id')
    .on('notifications')
    .columns(['user_id', 'id'])
    .execute();
  // The cascade from posts looks them up by it.
  await db.schema.createIndex('notifications_post_id').on('notifications').column('post_id').execute();
}

async function analytics(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('pages')
    .addColumn('id', 'integer', chosenId(db))
    .addColumn('name', 'text', (column) => column.notNull().unique())
    .addColumn('views', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable('page_views')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('page_id', 'integer', (column) => column.notNull().references('pages.id').onDelete('cascade'))
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('page_views_at').on('page_views').column('at').execute();
}
