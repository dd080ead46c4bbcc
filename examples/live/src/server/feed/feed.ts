import { userTopic, TOPICS } from '../../shared/api.ts';
import type { LikeState, PublicPost, User } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import type { Database } from '../database/schema.ts';
import type { Outbox } from '../events/outbox.ts';
import { HttpProblem } from '../http/problem.ts';
import { inTurns } from '../lib/in-turns.ts';
import { createNotifications } from '../notifications/notifications.ts';
import { createPosts } from './posts.ts';

/** Users' changes of the feed: saved first, then published, then answered. */
export interface Feed {
  add(author: User, text: string, key: string | undefined): Promise<PublicPost>;
  /** @throws HttpProblem 403 `post/not-yours`, 404 `post/not-found` */
  remove(user: User, id: number): Promise<void>;
  /** @throws HttpProblem 404 `post/not-found` */
  setLike(user: User, id: number, liked: boolean): Promise<LikeState>;
  /** Posts that exist. */
  count(): number;
  /** Learns of posts that another process has saved or deleted. */
  recount(): Promise<void>;
  /** Deletes the likes of removed posts. */
  prune(): Promise<void>;
}

export interface FeedOptions {
  readonly db: Database;
  readonly outbox: Outbox;
  readonly clock: Clock;
  /** Called when `count` has changed. */
  readonly onCount: () => void;
}

export async function createFeed({ db, outbox, clock, onCount }: FeedOptions): Promise<Feed> {
  let count = await countPosts(db);

  function counted(change: number): void {
    count += change;
    onCount();
  }

  return {
    count: () => count,
    async recount() {
      const change = (await countPosts(db)) - count;
      if (change !== 0) counted(change);
    },
    prune: () => inTurns(createPosts(db).sweep),

    async add(author, text, key) {
      const { post, isNew } = await outbox.commit(async (transaction, tell) => {
        const posts = createPosts(transaction);
        const repeated = key === undefined ? undefined : await posts.findByKey(author, key);
        if (repeated !== undefined) return { post: repeated, isNew: false };
        const post = await posts.insert({ author, text, key, createdAt: clock.now() });
        tell({ topics: TOPICS.posts, type: 'post', data: post });
        for (const { userId, notification } of await createNotifications(transaction).addMentions(post)) {
          tell({ topics: userTopic(userId), type: 'mention', data: notification, private: true });
        }
        return { post, isNew: true };
      });
      if (isNew) counted(1);
      return post;
    },

    async remove(user, id) {
      await outbox.commit(async (transaction, tell) => {
        const posts = createPosts(transaction);
        const post = await posts.get(id, undefined);
        if (post.author.id !== user.id) {
          throw new HttpProblem(403, 'post/not-yours', 'Only its author can delete a post.');
        }
        const notifications = createNotifications(transaction);
        const affected = await notifications.unreadBy(id);
        await posts.remove(id);
        tell({ topics: TOPICS.posts, type: 'post:deleted', data: { id } });
        for (const userId of affected) {
          const data = { unread: await notifications.countUnread(userId), readUpTo: null };
          tell({ topics: userTopic(userId), type: 'notifications:unread', data, private: true });
        }
      });
      counted(-1);
    },

    setLike: (user, id, liked) =>
      outbox.commit(async (transaction, tell) => {
        const { likes, changed } = await createPosts(transaction).setLike(id, user, liked);
        if (changed) {
          tell({ topics: TOPICS.posts, type: 'post:liked', data: { id, likes, userId: user.id, liked } });
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
