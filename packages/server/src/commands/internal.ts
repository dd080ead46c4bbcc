import { type Flag, type Given, UsageError, textOf } from '../cli/command.ts';
import { loadSettings, settingsOrThrow } from '../config/load.ts';
import type { Settings } from '../config/setting.ts';
import { describeUrl } from '../config/shown-url.ts';
import { reachable } from '../server/addresses.ts';
import { SETTINGS } from '../server/table.ts';
import { internalHost, internalPort } from '../server/settings.ts';

export const INTERNAL_FLAG: Readonly<Record<string, Flag>> = {
  'internal-url': { type: 'string', value: 'URL', help: 'the internal port, instead of the configured one' },
};

/** The internal port of the server that has this configuration. */
export interface Internal {
  /** Without a slash at its end. */
  readonly url: string;
  readonly settings: Settings;
}

/** @throws {UsageError} for a URL that is none, {TidingsError} `config/*`. */
export function internalOf(given: Given): Internal {
  const settings = settingsOrThrow(loadSettings(SETTINGS, given, process.env));
  const base =
    textOf(given, 'internal-url') ??
    `http://${reachable(settings.get(internalHost))}:${settings.get(internalPort)}`;
  const parsed = URL.canParse(base) ? new URL(base) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username + parsed.password !== '')
    throw new UsageError(
      `Expected --internal-url to be a URL with http: or https: and no user name, got ${describeUrl(base)}.`,
    );
  return { url: base.replace(/\/+$/, ''), settings };
}
