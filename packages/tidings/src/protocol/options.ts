import { createError } from './errors.ts';
import type { TidingsError } from './tidings-error.ts';

/** A check of one option's value. */
export interface Check {
  /** In words, after "Expected `name` to be". */
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
  /** Checks the options within it. `name` is its own, whole name. */
  readonly within?: (value: never, name: string, error: OptionError) => void;
}

/** A check for every option: the compiler reports a missing one. */
export type Checks<Options> = { readonly [Name in keyof Required<Options>]: Check };

/** Makes the error for an option; `option` is its whole name, such as `limits.connections`. */
export type OptionError = (option: string, message: string, value?: unknown) => TidingsError;

export const invalidOption: OptionError = (option, message) =>
  createError('hub/invalid-option', message, { details: { option } });

/**
 * Refuses names that `checks` doesn't have and values of the wrong type: a misspelt limit limits nothing. An option that
 * is undefined counts as left out.
 *
 * @param prefix text before the names in messages, such as `limits.`.
 * @throws {TidingsError} the error that `error` makes; by default `hub/invalid-option`.
 */
export function assertOptions<Options extends object>(
  options: Options,
  checks: Checks<Options>,
  prefix = '',
  error: OptionError = invalidOption,
): void {
  checkOptions(options, checks, prefix, error);
}

/** The same with the caller's own error: a bundle for browsers leaves out the hub's error and the table behind it. */
export function checkOptions(
  bag: unknown,
  checks: Readonly<Record<string, Check>>,
  prefix: string,
  error: OptionError,
): void {
  if (!isBag(bag)) throw unexpected(prefix.slice(0, -1) || 'options', 'an object', bag, error);
  for (const [option, value] of Object.entries(bag)) {
    const name = prefix + option;
    const check = Object.hasOwn(checks, option) ? checks[option] : undefined;
    if (check === undefined) throw unknown(prefix, option, Object.keys(checks), error);
    if (value === undefined) continue;
    if (!check.accepts(value)) throw unexpected(name, check.expected, value, error);
    check.within?.(value as never, name, error);
  }
}

function isBag(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @throws {TidingsError} if a function of the app that must be synchronous returned a promise. */
export function assertNoPromise(option: string, answer: unknown, error: OptionError = invalidOption): void {
  if (typeof (answer as { then?: unknown } | null | undefined)?.then !== 'function') return;
  (answer as Promise<unknown>).then(undefined, () => {
    // The promise is refused anyway; its own rejection must not end the process.
  });
  throw error(
    option,
    `Expected \`${option}\` to answer at once, got a promise: it can't be an async function.`,
  );
}

/** Bounds are included. With `finite`, Infinity is refused. */
export function aNumber(
  bounds: { min?: number; max?: number; finite?: boolean; integer?: boolean } = {},
): Check {
  const { min = -Infinity, max = Infinity, finite = false, integer = false } = bounds;
  const kind = integer ? 'a whole number' : finite ? 'a finite number' : 'a number';
  const range = max < Infinity ? ` from ${min} to ${max}` : min > -Infinity ? ` ≥ ${min}` : '';
  return {
    expected: kind + range,
    accepts: (value) =>
      typeof value === 'number' &&
      value >= min &&
      value <= max &&
      (!finite || Number.isFinite(value)) &&
      (!integer || Number.isInteger(value)),
  };
}

export const aFunction: Check = { expected: 'a function', accepts: (value) => typeof value === 'function' };
export const aBoolean: Check = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };
export const aString: Check = {
  expected: 'a non-empty string',
  accepts: (value) => typeof value === 'string' && value !== '',
};

export function oneOf(...values: readonly (string | number | boolean)[]): Check {
  return {
    expected: values.map((value) => JSON.stringify(value)).join(' or '),
    accepts: (value) => (values as readonly unknown[]).includes(value),
  };
}

/** An object with these methods or properties. `expected` names it. */
export function anObjectWith(expected: string, ...names: readonly string[]): Check {
  return {
    expected,
    accepts: (value) =>
      (typeof value === 'object' || typeof value === 'function') &&
      value !== null &&
      names.every((name) => (value as Record<string, unknown>)[name] !== undefined),
  };
}

/** A bag of options of its own. */
export function options<Options>(checks: Checks<Options>): Check {
  return {
    expected: 'an object',
    accepts: isBag,
    within: (bag, name, error) => checkOptions(bag, checks, `${name}.`, error),
  };
}

/** A list of bags. */
export function listOf<Options>(checks: Checks<Options>): Check {
  return {
    expected: 'a list',
    accepts: Array.isArray,
    within(list: readonly unknown[], name, error) {
      for (const [i, bag] of list.entries()) checkOptions(bag, checks, `${name}[${i}].`, error);
    },
  };
}

/** One of several kinds: the first that accepts the value also checks the options within it. */
export function either(...checks: readonly Check[]): Check {
  return {
    expected: checks.map(({ expected }) => expected).join(', or '),
    accepts: (value) => checks.some((check) => check.accepts(value)),
    within: (value, name, error) =>
      checks.find((check) => check.accepts(value))?.within?.(value, name, error),
  };
}

function unexpected(option: string, expected: string, value: unknown, error: OptionError): TidingsError {
  return error(option, `Expected \`${option}\` to be ${expected}, got ${describe(value)}.`, value);
}

function unknown(prefix: string, option: string, known: readonly string[], error: OptionError): TidingsError {
  const likely = likelyName(option, known);
  const advice =
    likely === undefined
      ? `Known are ${known.map((name) => `\`${name}\``).join(', ')}.`
      : `Did you mean \`${prefix}${likely}\`?`;
  return error(prefix + option, `There is no option \`${prefix}${option}\`. ${advice}`);
}

/** A value in an error message: short, with its type, and never a secret's whole text. */
export function describe(value: unknown): string {
  const kind = typeof value;
  if (value === null || value === undefined) return String(value);
  if (typeof value === 'string')
    return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 39)}…` : value)} (string)`;
  if (/^[nb]/.test(kind)) return `${value as number | boolean | bigint} (${kind})`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof (value as { then?: unknown }).then === 'function') return 'a promise';
  return `${kind === 'object' ? 'an' : 'a'} ${kind}`;
}

/** The known name that a misspelt one was meant to be, if one is near. */
export function likelyName(name: string, known: readonly string[]): string | undefined {
  let likely: string | undefined;
  let least = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const each of known) {
    const distance = editDistance(name.toLowerCase(), each.toLowerCase());
    if (distance < least) [likely, least] = [each, distance];
  }
  return likely;
}

/** Levenshtein's distance: how many characters to add, drop or replace. */
function editDistance(a: string, b: string): number {
  let row = Array.from(`.${b}`, (_, i) => i);
  for (const [i, character] of [...a].entries()) {
    let left = i + 1;
    row = row.map((above, j) => {
      const replaced = (row[j - 1] ?? Infinity) + Number(character !== b[j - 1]);
      return (left = Math.min(j === 0 ? left : left + 1, above + 1, replaced));
    });
  }
  return row.at(-1) ?? 0;
}
