import { TidingsError } from './errors.ts';

export function invalidOption(option: string, message: string): TidingsError {
  return new TidingsError('hub/invalid-option', message, { details: { option } });
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function assertNumber(
  option: string,
  value: number,
  minimum: number,
  maximum: number = Infinity,
): void {
  if (typeof value === 'number' && value >= minimum && value <= maximum) return;
  const finite = maximum < Infinity ? ', and finite' : '';
  throw new TidingsError('hub/invalid-option', `\`${option}\` is a number of at least ${minimum}${finite}.`, {
    details: { option, value },
  });
}

/** A misspelt limit limits nothing. @throws {TidingsError} `hub/invalid-option`. */
export function assertKnown(prefix: string, given: object, names: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (!names.includes(name)) throw invalidOption(prefix + name, `There is no option \`${prefix}${name}\`.`);
  }
}
