import { describe as suite, expect, test } from 'vitest';
import {
  type Check,
  type Checks,
  aBoolean,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertNoPromise,
  assertOptions,
  either,
  listOf,
  oneOf,
  options,
} from './options.ts';

interface Example {
  readonly authorize?: () => void;
  readonly heartbeat?: number;
  readonly name?: string;
  readonly strict?: boolean;
  readonly mode?: 'a' | 'b';
  readonly limits?: { readonly connections?: number };
  readonly rules?: readonly { readonly interval?: number }[];
  readonly log?: object;
}

const checks: Checks<Example> = {
  authorize: aFunction,
  heartbeat: aNumber({ min: 1, finite: true }),
  name: aString,
  strict: aBoolean,
  mode: oneOf('a', 'b'),
  limits: options<{ connections?: number }>({ connections: aNumber({ min: 1 }) }),
  rules: listOf<{ interval?: number }>({ interval: aNumber({ min: 0 }) }),
  log: anObjectWith('an event log', 'tail'),
};

/** Values that a caller without types might pass. */
function refusal(given: unknown): unknown {
  try {
    assertOptions(given as Example, checks);
  } catch (error) {
    const { code, message, details } = error as {
      code: string;
      message: string;
      details: { option: string };
    };
    return [code, details.option, message];
  }
  return undefined;
}

suite('the options of a bag', () => {
  test('are accepted if they are known and of the right type', () => {
    const log = { tail: {} };
    const all = {
      authorize: () => {},
      heartbeat: 1,
      name: 'x',
      strict: false,
      mode: 'b',
      limits: { connections: Infinity },
      log,
    };
    expect(refusal(all)).toBeUndefined();
    expect(refusal({ rules: [{ interval: 0 }, {}] })).toBeUndefined();
    expect(refusal({ heartbeat: undefined })).toBeUndefined();
  });

  test.each([
    [{ authorise: 1 }, 'authorise', 'There is no option `authorise`. Did you mean `authorize`?'],
    [
      { limits: { conections: 1 } },
      'limits.conections',
      'There is no option `limits.conections`. Did you mean `limits.connections`?',
    ],
    [
      { rules: [{}, { intervall: 1 }] },
      'rules[1].intervall',
      'There is no option `rules[1].intervall`. Did you mean `rules[1].interval`?',
    ],
    [{ heartbeat: '5' }, 'heartbeat', 'Expected `heartbeat` to be a finite number ≥ 1, got "5" (string).'],
    [{ heartbeat: 0 }, 'heartbeat', 'Expected `heartbeat` to be a finite number ≥ 1, got 0 (number).'],
    [
      { heartbeat: Number.NaN },
      'heartbeat',
      'Expected `heartbeat` to be a finite number ≥ 1, got NaN (number).',
    ],
    [
      { heartbeat: Infinity },
      'heartbeat',
      'Expected `heartbeat` to be a finite number ≥ 1, got Infinity (number).',
    ],
    [{ authorize: Promise.resolve() }, 'authorize', 'Expected `authorize` to be a function, got a promise.'],
    [{ mode: 'c' }, 'mode', 'Expected `mode` to be "a" or "b", got "c" (string).'],
    [{ limits: [] }, 'limits', 'Expected `limits` to be an object, got a list of 0.'],
    [{ rules: {} }, 'rules', 'Expected `rules` to be a list, got an object.'],
    [{ rules: [null] }, 'rules[0]', 'Expected `rules[0]` to be an object, got null.'],
    [{ log: {} }, 'log', 'Expected `log` to be an event log, got an object.'],
    [{ name: '' }, 'name', 'Expected `name` to be a non-empty string, got "" (string).'],
    ['none', 'options', 'Expected `options` to be an object, got "none" (string).'],
    [null, 'options', 'Expected `options` to be an object, got null.'],
  ])('are refused with a message that names the expected type: %j', (given, option, message) => {
    expect(refusal(given)).toEqual(['hub/invalid-option', option, message]);
  });

  test('list all known names if none is near, without names that objects inherit', () => {
    expect(refusal({ zzz: 1 })).toEqual([
      'hub/invalid-option',
      'zzz',
      expect.stringContaining('Known are `authorize`, `heartbeat`'),
    ]);
    expect(refusal({ toString: 1 })).toEqual([
      'hub/invalid-option',
      'toString',
      expect.stringContaining('no option'),
    ]);
  });
});

test('either of several kinds is accepted', () => {
  const check: Check = either(aFunction, oneOf('*'));
  expect([check.accepts('*'), check.accepts(() => {}), check.accepts(1)]).toEqual([true, true, false]);
  expect(check.expected).toBe('a function, or "*"');
});

test('an object that is one of several kinds has its own options checked', () => {
  const mode = either(aBoolean, options<{ name: string }>({ name: aString }));
  const assertMode = (value: unknown): void => assertOptions({ mode: value }, { mode });
  assertMode(true);
  assertMode({ name: 'x' });
  expect(() => assertMode({ nmae: 'x' })).toThrow('no option `mode.nmae`. Did you mean `mode.name`?');
});

test('a function that must be synchronous may not return a promise, not even one that rejects', () => {
  expect(() => assertNoPromise('cors.origin', Promise.reject(new Error('late')))).toThrow(
    expect.objectContaining({ code: 'hub/invalid-option', details: { option: 'cors.origin' } }),
  );
  expect(() => assertNoPromise('cors.origin', false)).not.toThrow();
  expect(() => assertNoPromise('cors.origin', undefined)).not.toThrow();
});
