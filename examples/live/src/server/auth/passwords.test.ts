import { expect, test } from 'vitest';
import { QueueFullError } from '../lib/queue.ts';
import { createPasswords } from './passwords.ts';

const cheap = { N: 16, r: 8, p: 1 };

test('a password matches only its own hash', async () => {
  const passwords = createPasswords(cheap);
  const stored = await passwords.hash('correct horse');
  expect(await passwords.verify('correct horse', stored)).toBe(true);
  expect(await passwords.verify('Correct horse', stored)).toBe(false);
  expect(await passwords.verify('', stored)).toBe(false);
});

test('the same password has another hash each time, and none contains the password', async () => {
  const passwords = createPasswords(cheap);
  const [one, two] = [await passwords.hash('secret-secret'), await passwords.hash('secret-secret')];
  expect(one).not.toBe(two);
  expect(one).not.toContain('secret');
});

test('signing in as a user who does not exist fails', async () => {
  expect(await createPasswords(cheap).verify('anything', undefined)).toBe(false);
});

test('hashes stay valid when the cost is raised', async () => {
  const stored = await createPasswords(cheap).hash('correct horse');
  expect(await createPasswords({ N: 64, r: 8, p: 2 }).verify('correct horse', stored)).toBe(true);
});

test('the default cost works within the memory that is allowed', async () => {
  const passwords = createPasswords();
  const stored = await passwords.hash('correct horse');
  expect(stored).toMatch(/^scrypt:32768:8:3:/);
  expect(await passwords.verify('correct horse', stored)).toBe(true);
});

test('a password matches even if typed as other code points of the same characters', async () => {
  const passwords = createPasswords(cheap);
  expect(await passwords.verify('cafe\u0301-latte', await passwords.hash('caf\u00e9-latte'))).toBe(true);
});

test('requests beyond the maximum queue are asked to come back later', async () => {
  const passwords = createPasswords(cheap);
  const outcomes = await Promise.allSettled(
    Array.from({ length: 110 }, () => passwords.hash('correct horse')),
  );
  const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
  expect(refused).toHaveLength(8);
  expect(refused[0]?.reason).toBeInstanceOf(QueueFullError);
});
