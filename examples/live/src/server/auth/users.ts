import type { User } from '../../shared/api.ts';
import type { Clock } from '../lib/clock.ts';
import { isUniqueViolation } from '../database/open.ts';
import type { Database } from '../database/schema.ts';
import { HttpProblem } from '../http/problem.ts';
import type { Passwords } from './passwords.ts';

export interface Users {
  /** @throws HttpProblem 409 `user/name-taken` */
  add(name: string, password: string): Promise<User>;
  /** @throws HttpProblem 401 `session/wrong-credentials`, which does not reveal whether the user exists */
  check(name: string, password: string): Promise<User>;
}

export function createUsers(db: Database, passwords: Passwords, clock: Clock): Users {
  return {
    async add(name, password) {
      const row = {
        name,
        name_key: nameKey(name),
        password: await passwords.hash(password),
        created_at: clock.now(),
      };
      try {
        return await db.insertInto('users').values(row).returning(['id', 'name']).executeTakeFirstOrThrow();
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new HttpProblem(409, 'user/name-taken', `Somebody is called ${name} already.`, {
          cause: error,
        });
      }
    },

    async check(name, password) {
      const row = await db
        .selectFrom('users')
        .select(['id', 'name', 'password'])
        .where('name_key', '=', nameKey(name))
        .executeTakeFirst();
      const matches = await passwords.verify(password, row?.password);
      if (row === undefined || !matches) {
        throw new HttpProblem(401, 'session/wrong-credentials', 'Name or password is wrong.');
      }
      return { id: row.id, name: row.name };
    },
  };
}

/** Names that differ only in case are one name. */
export function nameKey(name: string): string {
  return name.toLowerCase();
}
