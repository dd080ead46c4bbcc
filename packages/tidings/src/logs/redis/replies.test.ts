import { expect, test } from 'vitest';
import { inTime } from './replies.ts';

test('A last try that had little time left says how long all of them took', async () => {
  const never = new Promise<never>(() => {});
  await expect(inTime(never, { timeout: 1, inAll: 1500 })).rejects.toMatchObject({
    code: 'log/unavailable',
    message: 'Redis has not answered within 1500 ms; whether it did what was asked is not known.',
  });
});
