import type { Generated, Kysely } from 'kysely';

/** The tables, as `migrations` create them; times are milliseconds since 1970. */
export interface Schema {
  users: UsersTable;
  sessions: SessionsTable;
  posts: PostsTable;
  likes: LikesTable;
  removed_posts: RemovedPostsTable;
  notifications: NotificationsTable;
  pages: PagesTable;
  page_view_minutes: PageViewMinutesTable;
  counted_views: CountedViewsTable;
  outbox: OutboxTable;
}

export type Database = Kysely<Schema>;

interface UsersTable {
  id: Generated<number>;
  name: string;
  /** The name in lower case: unique. */
  name_key: string;
  password: string;
  created_at: number;
}

interface SessionsTable {
  /** A hash of the cookie's token: a copy of the database lets no one sign in. */
  id: string;
  data: string;
  expires_at: number;
}

interface PostsTable {
  id: Generated<number>;
  author_id: number;
  text: string;
  created_at: number;
  /** The number of rows of `likes`, stored to spare lists the count. */
  likes: number;
  /** A key from the author's browser, to recognize a repeated request. Unique per author. */
  key: string | null;
}

interface LikesTable {
  /** May be of a post in `removed_posts`. */
  post_id: number;
  user_id: number;
}

/** Posts that are gone, but not all of their likes yet. */
interface RemovedPostsTable {
  id: number;
}

interface NotificationsTable {
  id: Generated<number>;
  /** The mentioned user. */
  user_id: number;
  from_id: number;
  post_id: number;
  created_at: number;
  read: 0 | 1;
}

interface PagesTable {
  id: Generated<number>;
  name: string;
  /** How often it was viewed, of all time. */
  views: number;
  /** How much it is viewed of late, see `rankAfter`. */
  rank: Generated<number>;
}

interface PageViewMinutesTable {
  /** Start of the minute. */
  at: number;
  views: number;
}

/** Views that were counted lately, to recognise a page that reconnects. */
interface CountedViewsTable {
  /** Random id that a page makes once per load. */
  id: string;
  at: number;
}

/** Events of changes that are saved but perhaps not published yet. */
interface OutboxTable {
  id: Generated<number>;
  /** As `publishAll` takes it, as JSON. */
  event: string;
}
