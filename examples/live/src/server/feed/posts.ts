import type { Post, PublicPost, User } from '../../shared/api.ts';
import type { Database } from '../database/schema.ts';
import { HttpProblem } from '../http/problem.ts';
import { findMentionedUsers } from './mentioned.ts';

/** Reads and writes posts. Authorization and publishing are elsewhere. */
export interface Posts {
  /** Newest first. @param viewer whose likes are marked */
  list(query: { before?: number | undefined; limit: number; viewer: User | undefined }): Promise<Post[]>;
  /** @throws HttpProblem 404 `post/not-found` */
  get(id: number, viewer: User | undefined): Promise<Post>;
  findByKey(author: User, key: string): Promise<PublicPost | undefined>;
  insert(post: {
    author: User;
    text: string;
    key: string | undefined;
    createdAt: number;
  }): Promise<PublicPost>;
  /** Its likes stay until `sweep`: there may be too many for one turn. */
  remove(id: number): Promise<void>;
  /** Deletes a batch of likes of removed posts. @returns 0 once there are none */
  sweep(): Promise<number>;
  /** @returns the count afterwards, and whether anything changed */
  setLike(id: number, user: User, liked: boolean): Promise<{ likes: number; changed: boolean }>;
}

const SWEEP_BATCH = 500;

/** @param db the database, or a transaction on it */
export function createPosts(db: Database): Posts {
  // An unused user id stands for a viewer who is signed out.
  function select(viewer: User | undefined) {
    return db
      .selectFrom('posts')
      .innerJoin('users', 'users.id', 'posts.author_id')
      .leftJoin('likes', (join) =>
        join.onRef('likes.post_id', '=', 'posts.id').on('likes.user_id', '=', viewer?.id ?? 0),
      )
      .select([
        'posts.id',
        'posts.author_id',
        'users.name as author_name',
        'posts.text',
        'posts.created_at',
        'posts.likes',
        'likes.user_id as liked_by',
      ]);
  }

  async function toPosts(rows: readonly PostRow[]): Promise<Post[]> {
    const mentioned = await findMentionedUsers(
      db,
      rows.map(({ text }) => text),
    );
    return rows.map((row, index) => ({
      id: row.id,
      author: { id: row.author_id, name: row.author_name },
      text: row.text,
      mentions: mentioned[index] ?? [],
      createdAt: row.created_at,
      likes: row.likes,
      liked: row.liked_by !== null,
    }));
  }

  async function toPost(row: PostRow): Promise<Post> {
    const [post] = await toPosts([row]);
    if (post === undefined) throw noSuchPost();
    return post;
  }

  return {
    async list({ before, limit, viewer }) {
      let query = select(viewer).orderBy('posts.id', 'desc').limit(limit);
      if (before !== undefined) query = query.where('posts.id', '<', before);
      return toPosts(await query.execute());
    },

    async get(id, viewer) {
      const row = await select(viewer).where('posts.id', '=', id).executeTakeFirst();
      if (row === undefined) throw noSuchPost();
      return toPost(row);
    },

    async findByKey(author, key) {
      const row = await select(undefined)
        .where('posts.author_id', '=', author.id)
        .where('posts.key', '=', key)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { liked: _, ...post } = await toPost(row);
      return post;
    },

    async insert({ author, text, key, createdAt }) {
      const { id } = await db
        .insertInto('posts')
        .values({ author_id: author.id, text, created_at: createdAt, likes: 0, key: key ?? null })
        .returning('id')
        .executeTakeFirstOrThrow();
      const [mentions = []] = await findMentionedUsers(db, [text]);
      return { id, author, text, mentions, createdAt, likes: 0 };
    },

    async remove(id) {
      await db.insertInto('removed_posts').values({ id }).execute();
      await db.deleteFrom('posts').where('id', '=', id).execute();
    },

    async sweep() {
      const removed = await db.selectFrom('removed_posts').select('id').limit(1).executeTakeFirst();
      if (removed === undefined) return 0;
      const ofPost = db.selectFrom('likes').select('user_id').where('post_id', '=', removed.id);
      const { numDeletedRows } = await db
        .deleteFrom('likes')
        .where('post_id', '=', removed.id)
        .where('user_id', 'in', ofPost.limit(SWEEP_BATCH))
        .executeTakeFirstOrThrow();
      if (Number(numDeletedRows) < SWEEP_BATCH) {
        await db.deleteFrom('removed_posts').where('id', '=', removed.id).execute();
      }
      return 1 + Number(numDeletedRows);
    },

    async setLike(id, user, liked) {
      const changed = liked ? await addLike(db, id, user.id) : await removeLike(db, id, user.id);
      const { likes } = await db
        .updateTable('posts')
        .set((eb) => ({ likes: eb('likes', '+', changed ? (liked ? 1 : -1) : 0) }))
        .where('id', '=', id)
        .returning('likes')
        .executeTakeFirstOrThrow(noSuchPost);
      return { likes, changed };
    },
  };
}

async function addLike(db: Database, postId: number, userId: number): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('likes')
    .columns(['post_id', 'user_id'])
    // Only if the post exists: a row for a missing one would be refused by the foreign key, as a plain error.
    .expression((eb) =>
      eb
        .selectFrom('posts')
        .select((select) => ['posts.id', select.cast<number>(select.val(userId), 'integer').as('user_id')])
        .where('posts.id', '=', postId),
    )
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

async function removeLike(db: Database, postId: number, userId: number): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('likes')
    .where('post_id', '=', postId)
    .where('user_id', '=', userId)
    .executeTakeFirstOrThrow();
  return numDeletedRows === 1n;
}

function noSuchPost(): HttpProblem {
  return new HttpProblem(404, 'post/not-found', 'There is no such post, or not any more.');
}

interface PostRow {
  id: number;
  author_id: number;
  author_name: string;
  text: string;
  created_at: number;
  likes: number;
  liked_by: number | null;
}
