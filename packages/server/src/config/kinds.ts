import { resolve } from 'node:path';
import { describe } from 'tidings/transport';
import type { Kind } from './setting.ts';
import { describeUrl, shownUrl } from './shown-url.ts';

/** Text of any length, though not empty. */
export const text: Kind<string> = {
  expected: 'text',
  placeholder: 'TEXT',
  fromText: (value) => value || undefined,
  fromFile: (value) => (typeof value === 'string' ? value || undefined : undefined),
  toText: (value) => value,
};

/** Text that is never printed. Others on the machine see a command line, so flags don't take it: `NAME-file` does. */
export const secret: Kind<string> = { ...text, expected: 'a secret', placeholder: 'SECRET', isSecret: true };

/** A file or folder; in a configuration file, from that file's folder. */
export const path: Kind<string> = {
  ...text,
  expected: 'a path',
  placeholder: 'PATH',
  inFolder: (value, folder) => resolve(folder, value),
};

/** A URL, which is printed without its secrets. */
export function url(...protocols: readonly string[]): Kind<string> {
  const accepts = (value: unknown): string | undefined =>
    typeof value === 'string' && URL.canParse(value) && protocols.includes(new URL(value).protocol)
      ? value
      : undefined;
  return {
    expected: `a URL that begins with ${protocols.join(' or ')}`,
    placeholder: 'URL',
    fromText: accepts,
    fromFile: accepts,
    toText: shownUrl,
    describe: describeUrl,
  };
}

export const boolean: Kind<boolean> = {
  expected: 'true or false',
  placeholder: '',
  isFlag: true,
  fromText: (value) => (value === 'true' ? true : value === 'false' ? false : undefined),
  fromFile: (value) => (typeof value === 'boolean' ? value : undefined),
  toText: String,
};

/** A whole number; `max` and `min` are included. */
export function integer(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const within = (value: number): number | undefined =>
    Number.isInteger(value) && value >= min && value <= max ? value : undefined;
  return {
    expected:
      max === Number.MAX_SAFE_INTEGER ? `a whole number ≥ ${min}` : `a whole number from ${min} to ${max}`,
    placeholder: 'NUMBER',
    fromText: (value) => (/^-?\d+$/.test(value) ? within(Number(value)) : undefined),
    fromFile: (value) => (typeof value === 'number' ? within(value) : undefined),
    toText: String,
  };
}

/** A number with a fraction. */
export function number(min: number, max: number): Kind<number> {
  const within = (value: number): number | undefined => (value >= min && value <= max ? value : undefined);
  return {
    expected: `a number from ${min} to ${max}`,
    placeholder: 'NUMBER',
    fromText: (value) => (/^\d+(\.\d+)?$/.test(value) ? within(Number(value)) : undefined),
    fromFile: (value) => (typeof value === 'number' ? within(value) : undefined),
    toText: String,
  };
}

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1_048_576,
  GiB: 1_073_741_824,
};

/** Milliseconds, written with their unit: a bare 30 could be either. `never` is Infinity, where that is allowed. */
export function duration(min: number, max: number = 366 * 86_400_000): Kind<number> {
  const word = max === Infinity ? ', or never' : '';
  return measured(MILLISECONDS, min, max, {
    expected: `a duration, such as 250ms, 30s, 5m, 12h or 7d${word}`,
    placeholder: 'DURATION',
    unlimited: 'never',
  });
}

/** Bytes, written with their unit. `unlimited` is Infinity, where that is allowed. */
export function size(min: number, max: number = Number.MAX_SAFE_INTEGER): Kind<number> {
  const word = max === Infinity ? ', or unlimited' : '';
  return measured(BYTES, min, max, {
    expected: `a size, such as 512KiB or 16MiB${word}`,
    placeholder: 'SIZE',
    unlimited: 'unlimited',
  });
}

function measured(
  units: Readonly<Record<string, number>>,
  min: number,
  max: number,
  { expected, placeholder, unlimited }: { expected: string; placeholder: string; unlimited: string },
): Kind<number> {
  const range = `${print(min)}${max === Infinity || max === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${print(max)}`}`;

  function parse(value: string): number | undefined {
    if (value === unlimited && max === Infinity) return Infinity;
    const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([A-Za-z]*)$/.exec(value) ?? [];
    if (digits === '') return undefined;
    const factor = unit === '' && Number(digits) === 0 ? 1 : units[unit];
    if (factor === undefined || !Object.hasOwn({ ...units, '': 1 }, unit)) return undefined;
    const result = Math.round(Number(digits) * factor);
    return result >= min && result <= max ? result : undefined;
  }

  /** The largest unit in which it is a whole number. */
  function print(value: number): string {
    if (value === Infinity) return unlimited;
    if (value === 0) return '0';
    const unit = Object.entries(units)
      .toSorted(([, a], [, b]) => b - a)
      .find(([, factor]) => value % factor === 0);
    return unit === undefined ? String(value) : `${value / unit[1]}${unit[0]}`;
  }

  return {
    expected: `${expected} (${range})`,
    placeholder,
    fromText: parse,
    fromFile: (value) => (typeof value === 'string' ? parse(value) : value === 0 ? parse('0') : undefined),
    toText: print,
  };
}

export function choice<T extends string>(...values: readonly T[]): Kind<T> {
  const pick = (value: unknown): T | undefined => values.find((each) => each === value);
  return {
    expected: values.join(' or '),
    placeholder: values.join('|'),
    fromText: pick,
    fromFile: pick,
    toText: (value) => value,
  };
}

/** Several of a kind: in a file a list, as a flag repeated, in the environment separated by commas. */
export function list<T>(each: Kind<T>): Kind<readonly T[]> {
  const { inFolder } = each;
  const all = (values: readonly (T | undefined)[]): readonly T[] | undefined =>
    values.every((value) => value !== undefined) ? values : undefined;
  return {
    expected: `a list of ${each.expected}`,
    placeholder: each.placeholder,
    isList: true,
    ...(inFolder !== undefined && {
      inFolder: (values: readonly T[], folder: string) => values.map((value) => inFolder(value, folder)),
    }),
    ...(each.isSecret === true && { isSecret: true }),
    fromText: (value) =>
      value.trim() === '' ? [] : all(value.split(',').map((part) => each.fromText(part.trim()))),
    fromFile: (value) => (Array.isArray(value) ? all(value.map((part) => each.fromFile(part))) : undefined),
    toText: (values) => values.map((value) => each.toText(value)).join(','),
  };
}

/**
 * A structure, such as a list of rules: written out in a file, as JSON in a flag or the environment.
 *
 * @param check returns the checked value; throws a TidingsError that says what is wrong.
 */
export function structure<T>(
  expected: string,
  check: (value: unknown) => T,
  print: (value: T) => unknown = (value) => value,
): Kind<T> {
  return {
    expected: `${expected}, as JSON`,
    placeholder: 'JSON',
    fromText(value) {
      let parsed: unknown;
      try {
        parsed = JSON.parse(value);
      } catch {
        // The message says what was expected.
        return undefined;
      }
      return check(parsed);
    },
    fromFile: check,
    toText: (value) => JSON.stringify(print(value)),
    // There may be secrets in it.
    describe: (value) => (typeof value === 'string' ? 'text that is no JSON' : describe(value)),
  };
}
