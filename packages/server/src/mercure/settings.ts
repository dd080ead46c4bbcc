import { boolean, list, text, url } from '../config/kinds.ts';
import type { Setting, Settings } from '../config/setting.ts';
import * as rows from '../server/settings.ts';
import { DEFAULT_PATH, type HubUrl, toHubUrl } from './hub-url.ts';

export const mercureUrl: Setting<string | undefined> = {
  name: 'mercure.url',
  kind: url('https:', 'http:'),
  default: undefined,
  help: 'the URL at which clients reach the Mercure hub, such as https://example.com/.well-known/mercure',
  defaultHelp: 'no Mercure protocol; in development, the server’s own address',
};
export const cookieName: Setting<string> = {
  name: 'mercure.cookie',
  kind: text,
  default: '__Secure-mercure_access_token',
  help: 'the name of the cookie that may carry the access token of a Mercure client',
};
export const authorizationServers: Setting<readonly string[]> = {
  name: 'mercure.authorization-servers',
  kind: list(url('https:', 'http:')),
  default: [],
  help: 'OAuth authorization servers to tell Mercure clients about',
};
export const subscriptionsEnabled: Setting<boolean> = {
  name: 'mercure.subscriptions',
  kind: boolean,
  default: false,
  help: 'publishes an update when a Mercure subscription begins or ends, and lists those that are active',
};
export const legacyEnabled: Setting<boolean> = {
  name: 'mercure.legacy',
  kind: boolean,
  default: false,
  help: 'also speaks Mercure 0.x: ?topic=, URI templates, the claim `mercure`, the cookie mercureAuthorization',
};

export const MERCURE_SETTINGS: readonly Setting[] = [
  mercureUrl,
  cookieName,
  authorizationServers,
  subscriptionsEnabled,
  legacyEnabled,
];

/** Undefined if the protocol isn't served. @throws {TidingsError} `config/invalid`. */
export function hubUrlOf(settings: Settings, development: boolean): HubUrl | undefined {
  const given = settings.get(mercureUrl);
  if (given !== undefined) return toHubUrl(given, mercureUrl.name);
  if (!development) return undefined;
  return toHubUrl(`http://localhost:${settings.get(rows.port)}${DEFAULT_PATH}`, mercureUrl.name);
}
