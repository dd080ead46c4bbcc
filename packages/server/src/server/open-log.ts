import { type EventLog, type Retention, TidingsError, type TopicRule, memoryLog } from 'tidings';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import { type Engine, engineOf, folderOf } from './log-url.ts';
import * as rows from './settings.ts';

/** Opens the log that `log.url` names. @throws {TidingsError} `log/*`, `config/invalid`. */
export async function openLog(
  settings: Settings,
  report: (error: unknown) => void,
  topicRules: readonly TopicRule[] = [],
): Promise<EventLog> {
  const url = settings.get(rows.logAt);
  const retention = retentionOf(settings);
  const shared = {
    topics: [...topicRules, ...settings.get(rows.topics)],
    ...(Object.keys(retention).length > 0 && { retention }),
  };
  const engine = engineOf(url);
  switch (engine) {
    case 'lmdb': {
      const { lmdbLog } = await import('tidings/lmdb');
      const durability = durabilityOf<'commit' | 'relaxed'>(settings);
      const path = folderOf(url);
      try {
        return lmdbLog({
          path,
          shared: settings.get(rows.logShared),
          ...shared,
          ...(durability !== undefined && { durability }),
        });
      } catch (cause) {
        throw explained(cause, path, settings);
      }
    }
    case 'redis': {
      const { redisLog } = await import('tidings/redis');
      const prefix = settings.get(rows.logPrefix);
      const durability = durabilityOf<'server' | 'replica' | 'disk'>(settings);
      return redisLog({
        url,
        ...shared,
        ...(prefix !== undefined && { prefix }),
        ...(durability !== undefined && { durability }),
      });
    }
    case 'postgres': {
      const { postgresLog } = await import('tidings/postgres');
      const schema = settings.get(rows.logPrefix);
      const durability = durabilityOf<'server' | 'relaxed'>(settings);
      return postgresLog({
        url,
        onError: report,
        ...shared,
        ...(schema !== undefined && { schema }),
        ...(durability !== undefined && { durability }),
      });
    }
    case 'memory':
    case undefined:
      durabilityOf(settings);
      return memoryLog(shared);
  }
}

/** In words of the settings, where the library's are those of its options. */
function explained(cause: unknown, path: string, settings: Settings): unknown {
  if (!(cause instanceof TidingsError) || cause.code !== 'log/in-use' || settings.get(rows.logShared))
    return cause;
  const { pid } = cause.details;
  const who = typeof pid === 'number' ? `Process ${pid}` : 'Another process';
  const message = `${who} has the log in ${path} open. Stop it, or set \`${rows.logShared.name}\` at all servers of this folder.`;
  return createError('log/in-use', message, { details: cause.details, cause });
}

function retentionOf(settings: Settings): Retention {
  const [events, bytes, age] = [rows.retentionEvents, rows.retentionBytes, rows.retentionAge].map((row) =>
    settings.get(row),
  );
  return {
    ...(events !== undefined && { events }),
    ...(bytes !== undefined && { bytes }),
    ...(age !== undefined && { age }),
  };
}

/** The values of `log.durability` that each engine knows. */
const DURABILITIES: Readonly<Record<Engine, readonly string[]>> = {
  memory: [],
  lmdb: ['commit', 'relaxed'],
  redis: ['server', 'replica', 'disk'],
  postgres: ['server', 'relaxed'],
};

/** @throws {TidingsError} `config/invalid` if the engine doesn't know it. */
export function durabilityOf<T extends string>(settings: Settings): T | undefined {
  const given = settings.get(rows.logDurability);
  if (given === undefined) return undefined;
  const known = DURABILITIES[engineOf(settings.get(rows.logAt)) ?? 'memory'];
  if (known.includes(given)) return given as string as T;
  const expected = known.length === 0 ? 'be left out' : `be ${known.join(' or ')}`;
  throw createError(
    'config/invalid',
    `Expected \`${rows.logDurability.name}\` to ${expected} for this log, got ${given}.`,
    { details: { setting: rows.logDurability.name } },
  );
}
