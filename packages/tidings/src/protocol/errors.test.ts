import { describe, expect, test } from 'vitest';
import { errorCodes, forbidden, tooManyRequests, unauthorized } from './errors.ts';
import { TidingsError } from './tidings-error.ts';

describe('error codes', () => {
  test('are an area and a fault, each there once and in order', () => {
    for (const code of errorCodes) expect(code).toMatch(/^[a-z]+\/[a-z]+(-[a-z]+)*$/);
    expect(errorCodes).toEqual([...new Set(errorCodes)].toSorted());
  });
});

describe('a TidingsError', () => {
  test('is an Error with a code, status, details and cause', () => {
    const cause = new RangeError('disk full');
    const error = new TidingsError('log/closed', 'No more.', {
      status: 503,
      details: { retryAfter: 5 },
      cause,
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      code: 'log/closed',
      message: 'No more.',
      status: 503,
      details: { retryAfter: 5 },
    });
    expect(error.cause).toBe(cause);
    expect(String(error)).toBe('TidingsError: No more.');
    expect(error.stack).toContain('errors.test.ts');
  });

  test('has no status, no details and no cause unless it was given them', () => {
    const error = new TidingsError('log/closed', 'No more.');
    expect(error.status).toBeUndefined();
    expect(error.details).toEqual({});
    expect('cause' in error).toBe(false);
  });

  test('keeps a cause that is null or false, as somebody threw it', () => {
    expect(new TidingsError('log/closed', '', { cause: null }).cause).toBeNull();
    expect(new TidingsError('log/closed', '', { cause: false }).cause).toBe(false);
  });
});

describe('an error that an app throws for a request', () => {
  test('says 401 or 403, with the app’s message if it gives one', () => {
    expect(unauthorized()).toMatchObject({ code: 'auth/unauthorized', status: 401 });
    expect(forbidden()).toMatchObject({ code: 'auth/forbidden', status: 403 });
    expect(unauthorized('Who are you?').message).toBe('Who are you?');
    expect(forbidden('Not yours.').message).toBe('Not yours.');
  });

  test.each([
    [30, 30],
    [1.2, 2],
    [0.001, 1],
    [0, 1],
    [-5, 1],
    [NaN, 1],
  ])('says 429 with whole seconds, at least one: %d become %d', (seconds, retryAfter) => {
    expect(tooManyRequests('Slow down.', seconds)).toMatchObject({
      code: 'limit/rate',
      status: 429,
      message: 'Slow down.',
      details: { retryAfter },
    });
  });
});

test('an error of another copy of the package is a TidingsError, and other errors are none', async () => {
  // As a bundler loads it a second time. The compiler knows no queries.
  const copy = './tidings-error.ts?copy';
  const { TidingsError: Copy } = (await import(/* @vite-ignore */ copy)) as {
    TidingsError: typeof TidingsError;
  };
  expect(Copy).not.toBe(TidingsError);
  expect(new Copy('auth/expired', 'late')).toBeInstanceOf(TidingsError);
  for (const other of [new Error('late'), new TypeError('late'), {}, 'late', null, undefined])
    expect(other).not.toBeInstanceOf(TidingsError);
});
