/** The engines that the Mercure protocol is tested on. `scripts/setup.mjs` installs Redis and PostgreSQL. */
import { hasPostgres, startPostgres } from '../../tidings/test/engines/postgres.ts';
import { hasRedis, startRedis } from '../../tidings/test/engines/redis.ts';
import { makeFolder, removeFolder } from './server-process.ts';

export interface EngineLog {
  readonly url: string;
  stop(): void | Promise<void>;
}

export interface Engine {
  readonly name: string;
  readonly isHere: boolean;
  /** A new, empty log. */
  start(): Promise<EngineLog>;
}

const memory: Engine = {
  name: 'memory',
  isHere: true,
  start: () => Promise.resolve({ url: 'memory:', stop: () => {} }),
};

const lmdb: Engine = {
  name: 'LMDB',
  isHere: true,
  start() {
    const folder = makeFolder();
    return Promise.resolve({ url: `lmdb:${folder}/log`, stop: () => removeFolder(folder) });
  },
};

const redis: Engine = { name: 'Redis', isHere: hasRedis, start: () => startRedis() };
const postgres: Engine = { name: 'PostgreSQL', isHere: hasPostgres, start: () => startPostgres('fsync=off') };

export const ENGINES: readonly Engine[] = [memory, redis, postgres];
/** The engines that several servers can share. */
export const SHARED_ENGINES: readonly Engine[] = [lmdb, redis, postgres];
