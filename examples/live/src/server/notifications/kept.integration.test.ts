import { join } from 'node:path';
import { expect, test } from 'vitest';
import { LIMITS } from '../../shared/api.ts';
import { openDatabase } from '../database/open.ts';
import { createPosts } from '../feed/posts.ts';
import { temporaryFolder } from '../testing/server.ts';
import { createNotifications } from './notifications.ts';

test('the newest notifications of a user are kept, however often somebody is mentioned', async () => {
  const { folder, remove } = await temporaryFolder();
  const db = await openDatabase({ file: join(folder, 'live.sqlite') });
  const names = ['ann', 'bob', 'eve'];
  const users = await db
    .insertInto('users')
    .values(names.map((name) => ({ name, name_key: name, password: 'x', created_at: 1 })))
    .returning(['id', 'name'])
    .execute();
  const [ann, bob, eve] = users;
  if (ann === undefined || bob === undefined || eve === undefined) throw new Error('three users were saved');
  const notifications = createNotifications(db);
  const mention = async (text: string, createdAt: number): Promise<number> => {
    const post = await createPosts(db).insert({ author: ann, text, key: undefined, createdAt });
    await notifications.addMentions(post);
    return post.id;
  };

  await mention('@eve', 0);
  const ids: number[] = [];
  for (let i = 0; i < LIMITS.notificationsKept + 20; i += 1) ids.push(await mention('@bob', i));

  expect(await notifications.countUnread(bob.id)).toBe(LIMITS.notificationsKept);
  expect(await notifications.countUnread(eve.id)).toBe(1);
  const [newest] = await notifications.list(bob, { limit: 1 });
  expect(newest?.post.id).toBe(ids.at(-1));
  await db.destroy();
  await remove();
});
