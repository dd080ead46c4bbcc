import { sql } from 'kysely';
import type { Kysely } from 'kysely';

const MINUTE = 60_000;
const DAY = 86_400_000;
const NOTIFICATIONS_KEPT = 500;

/** Sums that queries read instead of counting rows, and tables whose rows can be deleted a batch at a time. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await viewsByMinute(db);
  await countedViews(db);
  await rankPages(db);
  await keepLikes(db);
  await dropOldNotifications(db);
}

async function viewsByMinute(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('page_view_minutes')
    .addColumn('at', 'bigint', (column) => column.primaryKey())
    .addColumn('views', 'integer', (column) => column.notNull())
    .execute();
  await sql`insert into page_view_minutes (at, views)
    select at - at % ${MINUTE}, count(*) from page_views group by 1`.execute(db);
}

/** Without the page: deleting a page no longer deletes all rows that its views left. */
async function countedViews(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('counted_views')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .execute();
  await sql`insert into counted_views (id, at)
    select id, at from page_views where at > (select max(at) from page_views) - ${DAY}`.execute(db);
  await db.schema.createIndex('counted_views_at').on('counted_views').column('at').execute();
  await db.schema.dropTable('page_views').execute();
}

async function rankPages(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('pages')
    // The name that SQLite and PostgreSQL share for eight bytes.
    .addColumn('rank', 'double precision', (column) => column.notNull().defaultTo(0))
    .execute();
  const pages = await sql<{ id: number; views: number }>`select id, views from pages where views > 0`.execute(
    db,
  );
  const today = Date.now() / DAY;
  for (const { id, views } of pages.rows) {
    await sql`update pages set rank = ${today + Math.log2(views)} where id = ${id}`.execute(db);
  }
  await db.schema.createIndex('pages_rank').on('pages').column('rank').execute();
  await db.schema.createIndex('pages_views').on('pages').columns(['views desc', 'name']).execute();
}

/** Likes no longer go with their post in one statement, however many there are: `removed_posts` says whose are left. */
async function keepLikes(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('removed_posts')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .execute();
  await db.schema
    .createTable('new_likes')
    .addColumn('post_id', 'integer', (column) => column.notNull())
    .addColumn('user_id', 'integer', (column) => column.notNull().references('users.id').onDelete('cascade'))
    .addPrimaryKeyConstraint('likes_of_post', ['post_id', 'user_id'])
    .execute();
  await sql`insert into new_likes (post_id, user_id) select post_id, user_id from likes`.execute(db);
  await db.schema.dropTable('likes').execute();
  await db.schema.alterTable('new_likes').renameTo('likes').execute();
}

async function dropOldNotifications(db: Kysely<unknown>): Promise<void> {
  await sql`delete from notifications where id in (
    select id from (
      select id, row_number() over (partition by user_id order by id desc) as place from notifications
    ) as ranked where place > ${NOTIFICATIONS_KEPT}
  )`.execute(db);
}
