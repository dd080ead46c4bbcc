import type { ParseArgsConfig } from 'node:util';

/** The output of a command. */
export interface Terminal {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  /** Resolves when the output may take more: a slow reader holds a stream back. */
  readonly drained: () => Promise<void>;
}

/** A parsed command line: one value per flag, a list where a flag may be repeated. */
export interface Given {
  readonly flags: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
}

export interface Flag {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly short?: string;
  /** The value's name in the help: `SECONDS`. */
  readonly value?: string;
  readonly help: string;
}

/** A subcommand of `tidings`. */
export interface Command {
  readonly summary: string;
  /** The arguments after the command's name: `URL`. Empty if there are none. */
  readonly positionals: string;
  /** More than the summary says, for `tidings help COMMAND`. */
  readonly about?: string;
  readonly flags: Readonly<Record<string, Flag>>;
  /**
   * @returns the exit status: 0 if all is well, 1 if not.
   * @throws {UsageError} if the command line makes no sense: exit status 2.
   */
  run(given: Given, terminal: Terminal): Promise<number>;
}

/** The command line is wrong. The message says what was expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function parseArgsOptions(flags: Command['flags']): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, { type, multiple = false, short }]) => [
      name,
      { type, multiple, ...(short !== undefined && { short }) },
    ]),
  );
}

/** The values of a flag that may be repeated. */
export function listOf(given: Given, name: string): readonly string[] {
  const value = given.flags[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}

export function textOf(given: Given, name: string): string | undefined {
  const value = given.flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** @throws {UsageError} if the flag is no number in this range. */
export function numberOf(given: Given, name: string, min: number, max: number): number | undefined {
  const text = textOf(given, name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value) || value < min || value > max) {
    throw new UsageError(
      `Expected --${name} to be a number from ${min} to ${max}, got ${JSON.stringify(text)}.`,
    );
  }
  return value;
}
