import { userTopic, TOPICS } from '../../shared/api.ts';
import type { LikeState, PublicPost, User } from '../../shared/api.ts';
import type { Clock } from '../clock.ts';
import type { Database } from '../database/schema.ts';
import type { Announce, Announcement } from '../events/announce.ts';
import { HttpProblem } from '../http/problem.ts';
import { createNotifications } from '../notifications/notifications.ts';
import { createQueue } from '../queue.ts';
import { createPosts } from './posts.ts';

/** What users do to the feed: saved first, then published, then answered. */
export interface Feed {
  add(author: User, text: string, key: string | undefined): Promise<PublicPost>;
  /** @throws HttpProblem 403 `post/not-yours`, 404 `post/not-found` */
  remove(user: User, id: number): Promise<void>;
  /** @throws HttpProblem 404 `post/not-found` */
  setLike(user: User, id: number, liked: boolean): Promise<LikeState>;
  /** Posts that exist. */
  count(): number;
}

export async function createFeed(db: Database, announce: Announce, clock: Clock): Promise<Feed> {
  const posts = createPosts(db);
  // One change at a time, each published before the next is saved: whoever follows the topic sees the changes
  // in the order in which the database has them, so the last count of likes told is the true one.
  const queue = createQueue();
  let count = await countPosts(db);

  return {
    count: () => count,

    add: (author, text, key) =>
      queue.run(async () => {
        const repeated = key === undefined ? undefined : await posts.findByKey(author, key);
        if (repeated !== undefined) return repeated;
        const { post, mentions } = await db.transaction().execute(async (transaction) => {
          const createdAt = clock.now();
          const post = await createPosts(transaction).insert({ author, text, key, createdAt });
          return { post, mentions: await createNotifications(transaction).addMentions(post) };
        });
        count += 1;
        await announce(
          { topics: TOPICS.posts, type: 'post', data: post },
          ...mentions.map(({ userId, notification }): Announcement => ({
            topics: userTopic(userId),
            type: 'mention',
            data: notification,
            private: true,
          })),
        );
        return post;
      }),

    remove: (user, id) =>
      queue.run(async () => {
        const post = await posts.get(id, undefined);
        if (post.author.id !== user.id) {
          throw new HttpProblem(403, 'post/not-yours', 'Only its author can delete a post.');
        }
        const notifications = createNotifications(db);
        const affected = await notifications.unreadBy(id);
        await posts.remove(id);
        count -= 1;
        const unread = await Promise.all(affected.map((userId) => notifications.countUnread(userId)));
        await announce(
          { topics: TOPICS.posts, type: 'post:deleted', data: { id } },
          ...affected.map((userId, index): Announcement => ({
            topics: userTopic(userId),
            type: 'notifications:unread',
            data: { unread: unread[index] ?? 0, readUpTo: null },
            private: true,
          })),
        );
      }),

    setLike: (user, id, liked) =>
      queue.run(async () => {
        const { likes, changed } = await db
          .transaction()
          .execute((transaction) => createPosts(transaction).setLike(id, user, liked));
        if (changed) {
          await announce({
            topics: TOPICS.posts,
            type: 'post:liked',
            data: { id, likes, userId: user.id, liked },
          });
        }
        return { id, likes, liked };
      }),
  };
}

async function countPosts(db: Database): Promise<number> {
  const row = await db
    .selectFrom('posts')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
