import { describe, expect, test } from 'vitest';
import { findApiKey, makeApiKey, readApiKey } from './api-keys.ts';

const NOW = Date.UTC(2030, 0, 1);
const billing = makeApiKey();
const shipping = makeApiKey();
const keys = [
  readApiKey({ name: 'billing', hash: billing.hash, publish: ['invoices'] }, 'auth.api-keys[0]'),
  readApiKey({ name: 'shipping', hash: shipping.hash, expires: '2029-12-31T00:00:00Z' }, 'auth.api-keys[1]'),
];

const codeOf = (text: string): unknown => {
  try {
    return findApiKey(text, keys, NOW).name;
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
};

describe('An API key', () => {
  test('is made from 256 random bits, and known by its hash alone', () => {
    expect(makeApiKey(new Uint8Array(32))).toEqual({
      key: `tidings_${'A'.repeat(43)}`,
      hash: 'sha256:PMzb4_9R9OX1S_ETcgWjwNx-H6WFKuhvNuoeFK6k3mQ',
    });
    expect(new Set(Array.from({ length: 50 }, () => makeApiKey().key))).toHaveLength(50);
    expect(JSON.stringify(keys)).not.toContain(billing.key);
  });

  test('is found among several, until it expires', () => {
    expect(findApiKey(billing.key, keys, NOW)).toMatchObject({
      name: 'billing',
      permissions: { publish: ['invoices'] },
    });
    expect(codeOf(shipping.key)).toBe('auth/expired');
    expect(findApiKey(shipping.key, keys, Date.UTC(2029, 0, 1)).name).toBe('shipping');
  });

  test.each([
    ['another key', makeApiKey().key],
    ['its hash', billing.hash],
    ['its beginning', billing.key.slice(0, -1)],
    ['more than it', `${billing.key}A`],
    ['it in other letters', billing.key.toUpperCase()],
    ['nothing', ''],
  ])('is not %s', (_, text) => {
    expect(codeOf(text)).toBe('auth/invalid-token');
  });

  test('that is refused shows its last four characters to the operator, and none to the client', () => {
    const wrong = makeApiKey().key;
    const error = (() => {
      try {
        return findApiKey(wrong, keys, NOW);
      } catch (reason) {
        return reason as Error;
      }
    })() as Error;
    expect(String((error.cause as Error).message)).toContain(wrong.slice(-4));
    expect(String((error.cause as Error).message)).not.toContain(wrong.slice(-5));
    expect(error.message).not.toContain(wrong.slice(-4));
  });

  test.each([
    ['the key itself', { name: 'a', hash: billing.key }, /replace it/],
    ['a hash of another kind', { name: 'a', hash: 'md5:x' }, /sha256/],
    ['a time that is none', { name: 'a', hash: billing.hash, expires: 'soon' }, /2030-01-31/],
    ['topics that are none', { name: 'a', hash: billing.hash, publish: [''] }, /non-empty/],
    ['a pattern that is none', { name: 'a', hash: billing.hash, publish: [{ pattern: '***' }] }, /\*\*/],
  ])('is refused in the settings with %s', (_, input, message) => {
    expect(() => readApiKey(input, 'auth.api-keys[0]')).toThrow(message);
    expect(() => readApiKey(input, 'auth.api-keys[0]')).not.toThrow(billing.key);
  });
});
