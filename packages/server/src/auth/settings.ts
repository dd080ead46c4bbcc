import { list, secret, text } from '../config/kinds.ts';
import type { Setting, Settings } from '../config/setting.ts';

export const jwtSecret: Setting<string | undefined> = {
  name: 'auth.jwt.secret',
  kind: secret,
  default: undefined,
  help: 'the key of tokens signed with HS256: at least 32 bytes',
  reloadable: true,
};
export const anonymousTopics: Setting<readonly string[]> = {
  name: 'auth.anonymous.subscribe',
  kind: list(text),
  default: [],
  help: 'patterns of topics whose public events anybody may read, such as news/*; * for all',
  reloadable: true,
};

export const AUTH_SETTINGS: readonly Setting[] = [jwtSecret, anonymousTopics];

/** Whether anything is configured that a credential could be checked with. */
export function hasKeys(settings: Settings): boolean {
  return settings.get(jwtSecret) !== undefined;
}
