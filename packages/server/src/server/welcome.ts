import { type Development, developmentToken } from './development.ts';
import type { Settings } from '../config/setting.ts';
import { logAt } from './settings.ts';
import type { RunningServer } from './start-server.ts';
import { developmentAdminToken } from '../operation/admin-token.ts';
import { adminToken } from '../operation/settings.ts';

/** The first thing a stranger reads, with two commands that work as printed. */
export async function welcome(
  { publicUrl, internalUrl }: RunningServer,
  development: Development,
  settings: Settings,
): Promise<string> {
  const token = await developmentToken(development);
  return `Tidings is listening on ${publicUrl} in development mode: only this machine can reach it, anybody on it may
subscribe, and this token may do everything. Events are kept in ${logAt.kind.toText(settings.get(logAt))}.

  ${token}

Subscribe in one terminal:

  curl -N '${publicUrl}/v1/events?topic=greetings'

Publish in another:

  curl '${publicUrl}/v1/publish' -H 'Authorization: Bearer ${token}' -d topics=greetings -d data=Hello
${consoleOf(internalUrl, development, settings)}
To run it elsewhere, give it keys: tidings help serve
`;
}

function consoleOf(internalUrl: string | undefined, { key }: Development, settings: Settings): string {
  if (internalUrl === undefined || settings.get(adminToken) !== undefined) return '';
  return `
Watch in the console, ${internalUrl}/console/, with its own token:

  ${developmentAdminToken(key)}
`;
}
