import { LIMITS } from '../../shared/api.ts';
import { findMentions } from '../../shared/mentions.ts';
import { nameKey } from '../auth/users.ts';
import type { Database } from '../database/schema.ts';

/** The users that each of these texts mentions, in lower case; one query for all. */
export async function findMentionedUsers(db: Database, texts: readonly string[]): Promise<string[][]> {
  const wanted = texts.map((text) =>
    [...new Set(findMentions(text).map(({ name }) => nameKey(name)))].slice(0, LIMITS.mentionsPerPost),
  );
  const names = [...new Set(wanted.flat())];
  if (names.length === 0) return wanted;
  const users = await db.selectFrom('users').select('name_key').where('name_key', 'in', names).execute();
  const known = new Set(users.map(({ name_key: name }) => name));
  return wanted.map((each) => each.filter((name) => known.has(name)));
}
