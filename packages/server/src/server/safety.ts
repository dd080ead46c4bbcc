import { createError } from 'tidings/transport';
import { anonymousTopics, hasKeys, jwtSecret } from '../auth/settings.ts';
import type { Settings } from '../config/setting.ts';
import { variableOf } from '../config/setting.ts';
import { isLoopback } from './addresses.ts';
import { corsCredentials, corsOrigins, host, tlsCert } from './settings.ts';

export interface Warning {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/**
 * Refuses to run where it would be open by mistake.
 *
 * @returns warnings about settings that are allowed, though seldom meant.
 * @throws {TidingsError} `config/insecure`, whose message says what to set.
 */
export function assertSafe(settings: Settings, development: boolean): readonly Warning[] {
  if (development) return [];
  if (!hasKeys(settings)) {
    throw createError(
      'config/insecure',
      `Nobody could publish: there is no key for tokens. Set \`${jwtSecret.name}\` (${variableOf(jwtSecret)}), or listen on ` +
        '127.0.0.1 without NODE_ENV=production to try the server out.',
      { details: { setting: jwtSecret.name } },
    );
  }
  if (settings.get(corsOrigins).includes('*') && settings.get(corsCredentials)) {
    throw createError(
      'config/insecure',
      `Any page on the web could read streams with your users' cookies: \`${corsCredentials.name}\` needs \`${corsOrigins.name}\` by name instead of *.`,
      { details: { setting: corsCredentials.name } },
    );
  }
  const warnings: Warning[] = [];
  if (!isLoopback(settings.get(host)) && settings.get(tlsCert) === undefined) {
    warnings.push({
      message: 'tokens travel over plain HTTP from whatever is in front of this server',
      fields: { setting: host.name },
    });
  }
  if (settings.get(anonymousTopics).includes('*')) {
    warnings.push({
      message: 'anybody may subscribe to every topic, except for private events',
      fields: { setting: anonymousTopics.name },
    });
  }
  return warnings;
}
