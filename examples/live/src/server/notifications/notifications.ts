import { LIMITS } from '../../shared/api.ts';
import type { Notification, PublicPost, User } from '../../shared/api.ts';
import { findMentions } from '../../shared/mentions.ts';
import { nameKey } from '../auth/users.ts';
import type { Database } from '../database/schema.ts';

export interface Notifications {
  /** Saves one for each user the post mentions, except its author. */
  addMentions(post: PublicPost): Promise<{ userId: number; notification: Notification }[]>;
  /** Newest first. */
  list(user: User, query: { before?: number | undefined; limit: number }): Promise<Notification[]>;
  countUnread(userId: number): Promise<number>;
  /** Marks this one and all older ones as read. @returns whether anything changed */
  markRead(user: User, upTo: number): Promise<boolean>;
  /** Users who have not read yet that this post mentions them. */
  unreadBy(postId: number): Promise<number[]>;
}

/** @param db the database, or a transaction on it */
export function createNotifications(db: Database): Notifications {
  async function findMentioned(post: PublicPost): Promise<number[]> {
    const names = new Set(findMentions(post.text).map(({ name }) => nameKey(name)));
    if (names.size === 0) return [];
    const rows = await db
      .selectFrom('users')
      .select('id')
      .where('name_key', 'in', [...names].slice(0, LIMITS.mentionsPerPost))
      .where('id', '!=', post.author.id)
      .execute();
    return rows.map(({ id }) => id);
  }

  /** Anyone can mention anyone, any number of times, and counting unread ones reads all that are kept. */
  async function dropOld(userId: number): Promise<void> {
    await db
      .deleteFrom('notifications')
      .where('user_id', '=', userId)
      .where('id', '<', (eb) =>
        eb
          .selectFrom('notifications')
          .select('id')
          .where('user_id', '=', userId)
          .orderBy('id', 'desc')
          .limit(1)
          .offset(LIMITS.notificationsKept - 1),
      )
      .execute();
  }

  return {
    async addMentions(post) {
      const userIds = await findMentioned(post);
      if (userIds.length === 0) return [];
      const rows = await db
        .insertInto('notifications')
        .values(
          userIds.map((userId) => ({
            user_id: userId,
            from_id: post.author.id,
            post_id: post.id,
            created_at: post.createdAt,
            read: 0 as const,
          })),
        )
        .returning(['id', 'user_id'])
        .execute();
      for (const userId of userIds) await dropOld(userId);
      return rows.map(({ id, user_id: userId }) => ({
        userId,
        notification: {
          id,
          type: 'mention',
          from: post.author,
          post: { id: post.id, text: post.text },
          createdAt: post.createdAt,
          read: false,
        },
      }));
    },

    async list(user, { before, limit }) {
      let query = db
        .selectFrom('notifications as n')
        .innerJoin('users', 'users.id', 'n.from_id')
        .innerJoin('posts', 'posts.id', 'n.post_id')
        .select([
          'n.id',
          'n.from_id',
          'users.name as from_name',
          'n.post_id',
          'posts.text',
          'n.created_at',
          'n.read',
        ])
        .where('n.user_id', '=', user.id)
        .orderBy('n.id', 'desc')
        .limit(limit);
      if (before !== undefined) query = query.where('n.id', '<', before);
      return (await query.execute()).map((row) => ({
        id: row.id,
        type: 'mention',
        from: { id: row.from_id, name: row.from_name },
        post: { id: row.post_id, text: row.text },
        createdAt: row.created_at,
        read: row.read === 1,
      }));
    },

    async countUnread(userId) {
      const { count } = await db
        .selectFrom('notifications')
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .where('user_id', '=', userId)
        .where('read', '=', 0)
        .executeTakeFirstOrThrow();
      return Number(count);
    },

    async markRead(user, upTo) {
      const { numUpdatedRows } = await db
        .updateTable('notifications')
        .set({ read: 1 })
        .where('user_id', '=', user.id)
        .where('id', '<=', upTo)
        .where('read', '=', 0)
        .executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    async unreadBy(postId) {
      const rows = await db
        .selectFrom('notifications')
        .select('user_id')
        .distinct()
        .where('post_id', '=', postId)
        .where('read', '=', 0)
        .execute();
      return rows.map((row) => row.user_id);
    },
  };
}
