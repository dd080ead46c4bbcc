/** The values that a setting may have, and how they are written. */
export interface Kind<T> {
  /** In words, after "Expected `name` to be". */
  readonly expected: string;
  /** For the value in the help: `DURATION`. */
  readonly placeholder: string;
  /** A flag without a value means true. */
  readonly isFlag?: boolean;
  /** The flag may be repeated. */
  readonly isList?: boolean;
  /** Never printed, and never taken from a flag. */
  readonly isSecret?: boolean;
  /** A value that doesn't fit, for messages: without the secrets that may be in it. */
  describe?(value: unknown): string;
  /** For paths: a relative one in a configuration file starts from that file's folder. */
  inFolder?(value: T, folder: string): T;
  /** The value of a flag or of the environment; undefined if it doesn't fit. May throw a TidingsError that says why. */
  fromText(value: string): T | undefined;
  /** The value of a file. */
  fromFile(value: unknown): T | undefined;
  /** As `fromText` reads it. */
  toText(value: T): string;
}

/** One row of the table of settings. From it come the flag, the variable of the environment, the key of the file. */
export interface Setting<T = unknown> {
  /** By its place in the file: `publish.rate`. */
  readonly name: string;
  readonly kind: Kind<NonNullable<T>>;
  readonly default: T;
  /** One line for the help and the docs, without a full stop. */
  readonly help: string;
  /** The default in words where it isn't a constant, for the help and the docs. */
  readonly defaultHelp?: string;
  /** Whether it can change while the server runs (SIGHUP). */
  readonly reloadable?: boolean;
}

export type Source = 'default' | 'file' | 'environment' | 'flag';

/** Checked values of all settings. */
export interface Settings {
  get<T>(setting: Setting<T>): T;
  sourceOf(setting: Setting): Source;
}

/** `publish.rate` → `publish-rate` */
export function flagOf({ name }: Pick<Setting, 'name'>): string {
  return name.replaceAll('.', '-');
}

/** `publish.rate` → `TIDINGS_PUBLISH_RATE` */
export function variableOf({ name }: Pick<Setting, 'name'>): string {
  return `TIDINGS_${name.toUpperCase().replaceAll(/[.-]/g, '_')}`;
}

/** A secret may stand in a file of its own, as orchestrators mount them: `NAME-file` names it. */
export function fileSettingOf(setting: Pick<Setting, 'name'>): Pick<Setting, 'name'> {
  return { name: `${setting.name}-file` };
}
