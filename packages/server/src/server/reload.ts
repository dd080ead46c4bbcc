import { isDeepStrictEqual } from 'node:util';
import type { Logger } from 'pino';
import { type EventLog, TidingsError, type TopicRule } from 'tidings';
import type { Setting, Settings } from '../config/setting.ts';
import * as rows from './settings.ts';
import { SETTINGS } from './table.ts';

/** The new values of what can be reloaded, and the old ones of everything else, which the log names. */
export function mergeReloadable(current: Settings, next: Settings, logger: Pick<Logger, 'warn'>): Settings {
  for (const setting of SETTINGS) {
    if (setting.reloadable === true || isSame(setting, current, next)) continue;
    logger.warn({ setting: setting.name }, 'this setting has changed; it counts after a restart');
  }
  return {
    get: (setting) => (setting.reloadable === true ? next : current).get(setting),
    sourceOf: (setting) => (setting.reloadable === true ? next : current).sourceOf(setting),
  };
}

export interface TopicsReload {
  readonly log: EventLog;
  /** Rules for topics of the server's own. They come first. */
  readonly own: readonly TopicRule[];
  readonly logger: Pick<Logger, 'warn'>;
}

/** Gives the log its new rules. @returns the settings that count: with the former rules if the log can't take these. */
export function reloadTopics(
  current: Settings,
  next: Settings,
  { log, own, logger }: TopicsReload,
): Settings {
  if (isSame(rows.topics, current, next)) return next;
  try {
    log.rules.change([...own, ...next.get(rows.topics)]);
    return next;
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    const { option } = error.details;
    const setting = (typeof option === 'string' ? option : rows.topics.name).replace(
      /^topics\[(\d+)\]/,
      (_, index: string) => `${rows.topics.name}[${Number(index) - own.length}]`,
    );
    logger.warn({ setting, why: error.message }, 'this setting has changed; it counts after a restart');
    return {
      get: (row) => ((row as Setting) === rows.topics ? current : next).get(row),
      sourceOf: (row) => (row === rows.topics ? current : next).sourceOf(row),
    };
  }
}

function isSame(setting: Setting, one: Settings, other: Settings): boolean {
  // Not by their texts, which leave out passwords.
  return isDeepStrictEqual(one.get(setting), other.get(setting));
}
