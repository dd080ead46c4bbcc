import { beforeEach, describe, expect, test } from 'vitest';
import { HttpProblem } from '../http/problem.ts';
import { manualClock } from '../testing/clock.ts';
import type { ManualClock } from '../testing/clock.ts';
import { createSignInGuard } from './sign-in-guard.ts';
import type { SignInGuard } from './sign-in-guard.ts';

let clock: ManualClock;
let guard: SignInGuard;
beforeEach(() => {
  clock = manualClock();
  guard = createSignInGuard({ clock, failures: 3 });
});

const right = (): Promise<string> => Promise.resolve('in');
const wrong = (): Promise<never> => Promise.reject(new HttpProblem(401, 'session/wrong-credentials', ''));
const exceeded = { status: 429, code: 'limit/exceeded' };

async function fail(times: number, name = 'ann', browser?: string): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    await expect(guard.watch(name, browser, wrong)).rejects.toMatchObject({ status: 401 });
  }
}
const signIn = (name = 'ann', browser?: string): Promise<string> => guard.watch(name, browser, right);

describe('strangers to an account', () => {
  test('may fail a number of times together, and again later', async () => {
    await fail(3);
    await expect(signIn()).rejects.toMatchObject(exceeded);
    clock.advance(15 * 60_000);
    expect(await signIn()).toBe('in');
  });

  test('learn after how many seconds they may try again', async () => {
    await fail(3);
    clock.advance(60_000);
    await expect(signIn()).rejects.toMatchObject({ headers: { 'Retry-After': '840' } });
  });

  test('are limited regardless of the name’s case', async () => {
    await fail(2, 'ann');
    await fail(1, 'ANN');
    await expect(signIn('Ann')).rejects.toMatchObject(exceeded);
  });

  test('to one account do no harm to another', async () => {
    await fail(3, 'ann');
    expect(await signIn('bob')).toBe('in');
  });

  test('may succeed as often as they like', async () => {
    for (let i = 0; i < 50; i += 1) await signIn();
    expect(await signIn()).toBe('in');
  });

  test('gain nothing by sending many attempts at once', async () => {
    let answer = (): void => undefined;
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const slow = Array.from({ length: 3 }, () => guard.watch('ann', undefined, () => answered));
    await expect(signIn()).rejects.toMatchObject(exceeded);
    answer();
    await Promise.all(slow);
    expect(await signIn()).toBe('in');
  });

  test('are not charged for attempts that the server was too busy to judge', async () => {
    const busy = (): Promise<never> => Promise.reject(new Error('busy'));
    for (let i = 0; i < 5; i += 1) await expect(guard.watch('ann', undefined, busy)).rejects.toThrow('busy');
    expect(await signIn()).toBe('in');
  });

  test('stay limited while others flood the guard with as many names as the server can hash', async () => {
    await fail(3, 'ann');
    // Ten hashes a second, for a quarter of an hour.
    for (let i = 0; i < 9000; i += 1) await guard.watch(`name_${i}`, undefined, wrong).catch(() => undefined);
    await expect(signIn()).rejects.toMatchObject(exceeded);
  });
});

describe('a browser that has signed in before', () => {
  test('is let in while strangers have used up their attempts', async () => {
    await fail(3);
    expect(await signIn('ann', 'home')).toBe('in');
  });

  test('may fail a number of times itself, and then counts as a stranger', async () => {
    await fail(3, 'ann', 'home');
    await fail(3, 'ann', 'home');
    await expect(signIn('ann', 'home')).rejects.toMatchObject(exceeded);
    expect(await signIn('ann', 'work')).toBe('in');
  });
});
