import { readFileSync } from 'node:fs';
import type { TidingsError } from 'tidings';
import { createError } from 'tidings/transport';
import { type Given, textOf } from '../cli/command.ts';
import { readConfigFile } from './file.ts';
import { type ReadSettings, readSettings } from './read-settings.ts';
import type { Setting, Settings } from './setting.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads all settings: flags before the environment before the file. @throws {TidingsError} `config/unreadable`. */
export function loadSettings(
  table: readonly Setting[],
  given: Given,
  environment: Environment,
): ReadSettings {
  const path = textOf(given, 'config') ?? (environment['TIDINGS_CONFIG'] || undefined);
  const names = new Set(table.map(({ name }) => name));
  const file =
    path === undefined ? undefined : { path, values: readConfigFile(path, (name) => names.has(name)) };
  return readSettings(table, {
    file,
    environment,
    flags: given.flags,
    readSecret: (secretPath) => readFileSync(secretPath, 'utf8'),
  });
}

/** @throws {TidingsError} the problem, or `config/invalid` with all of them. */
export function settingsOrThrow({ settings, problems }: ReadSettings): Settings {
  const [first, ...more] = problems;
  if (first === undefined) return settings;
  if (more.length === 0) throw first;
  throw createError('config/invalid', listOfProblems(problems), {
    details: { problems: problems.map(({ code, message }) => ({ code, message })) },
  });
}

function listOfProblems(problems: readonly TidingsError[]): string {
  return [
    `The configuration has ${problems.length} problems:`,
    ...problems.map(({ message }) => `  ${message}`),
  ].join('\n');
}
