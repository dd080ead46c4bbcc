import { dirname, resolve } from 'node:path';
import { TidingsError } from 'tidings';
import { createError, describe, likelyName } from 'tidings/transport';
import { whyUnreadable } from './unreadable.ts';
import { type Setting, type Settings, type Source, fileSettingOf, flagOf, variableOf } from './setting.ts';

/** The sources of settings. A later one wins over those before it: file, environment, flags. */
export interface SettingSources {
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> } | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly flags: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  /** Reads a file that holds a secret. */
  readonly readSecret: (path: string) => string;
}

export interface ReadSettings {
  readonly settings: Settings;
  /** Everything that is wrong: one run reports it all. Settings with a problem have their default. */
  readonly problems: readonly TidingsError[];
}

/** Variables that begin with TIDINGS_ and are no settings of the server. */
const OTHER_VARIABLES = new Set(['TIDINGS_CONFIG', 'TIDINGS_URL', 'TIDINGS_TOKEN']);
/** Kubernetes adds these to every pod if there is a Service named `tidings`. */
const SERVICE_LINK = /^TIDINGS_(SERVICE_(HOST|PORT)(_.*)?|PORT(_\d+_(TCP|UDP|SCTP)(_.*)?)?)$/;

interface Found {
  readonly value: unknown;
  readonly source: Source;
}

/** Puts settings together from all sources, and collects all problems. */
export function readSettings(table: readonly Setting[], sources: SettingSources): ReadSettings {
  const problems: TidingsError[] = [];
  const found = new Map<string, Found>();
  const attempt = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof TidingsError)) throw error;
      problems.push(error);
      return undefined;
    }
  };
  for (const setting of table) {
    const value = attempt(() => find(setting, sources));
    if (value !== undefined) found.set(setting.name, value);
  }
  problems.push(...unknownNames(table, sources));
  const byName = new Map(table.map((setting) => [setting.name, setting]));
  const settings: Settings = {
    get<T>(setting: Setting<T>): T {
      if (!byName.has(setting.name)) throw new Error(`The setting ${setting.name} is not in the table.`);
      const value = found.get(setting.name);
      return value === undefined ? setting.default : (value.value as T);
    },
    sourceOf: ({ name }) => found.get(name)?.source ?? 'default',
  };
  return { settings, problems };
}

/** @throws {TidingsError} `config/invalid`, `config/unreadable`. */
function find(setting: Setting, sources: SettingSources): Found | undefined {
  return fromFlag(setting, sources) ?? fromEnvironment(setting, sources) ?? fromFile(setting, sources);
}

function fromFlag(setting: Setting, sources: SettingSources): Found | undefined {
  const flag = flagOf(setting);
  if (setting.kind.isSecret === true) {
    const path = sources.flags[`${flag}-file`];
    return typeof path === 'string'
      ? secretFrom(setting, sources, resolve(path), 'flag', `--${flag}-file`)
      : undefined;
  }
  const given = sources.flags[flag];
  if (given === undefined) return undefined;
  if (typeof given === 'boolean') return { value: given, source: 'flag' };
  const text = typeof given === 'string' ? given : given.map(String).join(',');
  return { value: check(setting, `--${flag}`, text, undefined), source: 'flag' };
}

function fromEnvironment(setting: Setting, sources: SettingSources): Found | undefined {
  const name = variableOf(setting);
  // An empty variable is how a shell or a compose file leaves one unset.
  const text = sources.environment[name] || undefined;
  if (setting.kind.isSecret === true) {
    const path = sources.environment[`${name}_FILE`] || undefined;
    if (text !== undefined && path !== undefined) throw both(setting, name, `${name}_FILE`);
    if (path !== undefined) return secretFrom(setting, sources, resolve(path), 'environment', `${name}_FILE`);
  }
  if (text === undefined) return undefined;
  return { value: check(setting, name, text, undefined), source: 'environment' };
}

function fromFile(setting: Setting, sources: SettingSources): Found | undefined {
  const { file } = sources;
  if (file === undefined) return undefined;
  const folder = dirname(resolve(file.path));
  const value = file.values[setting.name];
  if (setting.kind.isSecret === true) {
    const { name } = fileSettingOf(setting);
    const path = file.values[name];
    if (path !== undefined && value !== undefined) throw both(setting, setting.name, name);
    if (path !== undefined && typeof path !== 'string')
      throw invalid(setting, name, 'a path', describe(path));
    if (path !== undefined) return secretFrom(setting, sources, resolve(folder, path), 'file', name);
  }
  if (value === undefined) return undefined;
  return { value: check(setting, setting.name, value, folder), source: 'file' };
}

function secretFrom(
  setting: Setting,
  { readSecret }: SettingSources,
  path: string,
  source: Source,
  name: string,
): Found {
  let content: string;
  try {
    content = readSecret(path);
  } catch (cause) {
    throw createError(
      'config/unreadable',
      `The file of ${name}, ${path}, can’t be read: ${whyUnreadable(cause)}.`,
      {
        details: { setting: setting.name },
        cause,
      },
    );
  }
  // Editors and `echo` end a file with a line feed.
  return { value: check(setting, name, content.replace(/\r?\n$/, ''), undefined), source };
}

/** @param folder of the configuration file; undefined: `value` is text. */
function check(setting: Setting, name: string, value: unknown, folder: string | undefined): unknown {
  const { kind } = setting;
  const read = () => (folder === undefined ? kind.fromText(value as string) : kind.fromFile(value));
  let checked: unknown;
  try {
    checked = read();
  } catch (cause) {
    if (!(cause instanceof TidingsError)) throw cause;
    const { message, details } = cause;
    throw createError('config/invalid', `\`${name}\`: ${message}`, {
      details: { ...details, setting: setting.name },
      cause,
    });
  }
  if (checked === undefined || checked === null)
    throw invalid(setting, name, kind.expected, described(setting, value));
  return folder === undefined ? checked : (kind.inFolder?.(checked, folder) ?? checked);
}

function described({ kind }: Setting, value: unknown): string {
  if (kind.isSecret === true) return 'another value';
  return kind.describe?.(value) ?? describe(value);
}

function invalid(setting: Setting, name: string, expected: string, got: string): TidingsError {
  return createError('config/invalid', `Expected \`${name}\` to be ${expected}, got ${got}.`, {
    details: { setting: setting.name },
  });
}

function both(setting: Setting, one: string, other: string): TidingsError {
  return createError('config/invalid', `Give either \`${one}\` or \`${other}\`, not both.`, {
    details: { setting: setting.name },
  });
}

function unknownNames(
  table: readonly Setting[],
  { file, environment }: SettingSources,
): readonly TidingsError[] {
  const names = table.flatMap((setting) =>
    setting.kind.isSecret === true ? [setting.name, fileSettingOf(setting).name] : [setting.name],
  );
  const variables = names.map((name) => variableOf({ name }));
  const strangers = Object.keys(environment).filter(
    (name) =>
      name.startsWith('TIDINGS_') &&
      !variables.includes(name) &&
      !OTHER_VARIABLES.has(name) &&
      !SERVICE_LINK.test(name),
  );
  return [
    ...strangers.map((name) => unknown(name, 'The environment', variables)),
    ...Object.keys(file?.values ?? {})
      .filter((name) => !names.includes(name))
      .map((name) => unknown(name, file?.path ?? 'The file', names)),
  ];
}

function unknown(name: string, where: string, known: readonly string[]): TidingsError {
  const likely = likelyName(name, known);
  const advice = likely === undefined ? 'See: tidings config env' : `Did you mean \`${likely}\`?`;
  return createError('config/unknown', `${where} has \`${name}\`, which is no setting. ${advice}`, {
    details: { setting: name },
  });
}
