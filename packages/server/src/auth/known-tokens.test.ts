import { describe, expect, test, vi } from 'vitest';
import {
  NOW,
  SECOND,
  SECRET,
  codeOf,
  forge,
  issuer,
  pairs,
  pem,
  rulesOf,
  shared,
  token,
} from '../../test/tokens.ts';
import { readKeys, secretKey, selectKeys, type VerificationKey } from './keys.ts';
import { type KnownToken, KnownTokens } from './known-tokens.ts';
import { type TokenRules, verifyToken } from './tokens.ts';

const rules = (more: Partial<TokenRules> = {}, ...issuers: Parameters<typeof rulesOf>): TokenRules => ({
  ...rulesOf(...(issuers.length === 0 ? [shared] : issuers)),
  known: new KnownTokens(),
  ...more,
});

describe('A token that was checked before', () => {
  test('is the same one again, without another check of its signature', async () => {
    const mine = rules();
    const text = await token();
    const first = await verifyToken(text, mine);
    const verify = vi.spyOn(crypto.subtle, 'verify');
    expect(await verifyToken(text, mine)).toBe(first);
    expect(verify).not.toHaveBeenCalled();
    expect(await verifyToken(await token({ jti: 'other' }), mine)).not.toBe(first);
    expect(verify).toHaveBeenCalledOnce();
    verify.mockRestore();
  });

  test('expires', async () => {
    let now = NOW;
    const mine = rules({ now: () => now });
    const text = await token();
    for (const [later, code] of [
      [64_999, 'accepted'],
      [65_000, 'auth/expired'],
      // A clock that is set back.
      [0, 'accepted'],
    ] as const) {
      now = NOW + later;
      expect(await codeOf(verifyToken(text, mine))).toBe(code);
    }
  });

  test('is refused while a clock that was set back has not reached its beginning', async () => {
    let now = NOW;
    const mine = rules({ now: () => now });
    const texts = [await token({ nbf: SECOND }), await token({ iat: SECOND })];
    for (const text of texts) expect(await codeOf(verifyToken(text, mine))).toBe('accepted');
    now = NOW - 6000;
    for (const text of texts) expect(await codeOf(verifyToken(text, mine))).toBe('auth/invalid-token');
  });

  test('is refused where its type is not accepted', async () => {
    const mine = rules();
    const plain = await token();
    const typed = await token({}, { typ: 'at+jwt' });
    for (const text of [plain, typed]) expect(await codeOf(verifyToken(text, mine))).toBe('accepted');
    const strict = { ...mine, types: ['at+jwt'], typeRequired: true };
    expect(await codeOf(verifyToken(plain, strict))).toBe('auth/invalid-token');
    expect(await codeOf(verifyToken(typed, strict))).toBe('accepted');
    expect(await codeOf(verifyToken(typed, { ...mine, types: ['jwt'] }))).toBe('auth/invalid-token');
  });

  test('is refused once its key is gone, or its kid names another one', async () => {
    let keys: readonly VerificationKey[] = readKeys(pem(pairs.ES256.publicKey), 'test');
    const changing = issuer(keys, {
      keys: { find: (alg, kid) => Promise.resolve(selectKeys(keys, alg, kid)) },
    });
    const mine = rules({}, changing);
    const text = await token({}, { alg: 'ES256' }, pairs.ES256.privateKey);
    expect(await codeOf(verifyToken(text, mine))).toBe('accepted');
    keys = [];
    expect(await codeOf(verifyToken(text, mine))).toBe('auth/invalid-token');
    // The same key, fetched again.
    keys = readKeys(pem(pairs.ES256.publicKey), 'test');
    expect(await codeOf(verifyToken(text, mine))).toBe('accepted');
  });

  test('waits for its keys like any other, and is refused while they can’t be had', async () => {
    let isAway = false;
    const keys = [secretKey(SECRET, 'test')];
    const away = new Error('away');
    const mine = rules(
      {},
      issuer(keys, {
        keys: {
          find: (alg, kid) => (isAway ? Promise.reject(away) : Promise.resolve(selectKeys(keys, alg, kid))),
        },
      }),
    );
    const text = await token();
    await verifyToken(text, mine);
    isAway = true;
    await expect(verifyToken(text, mine)).rejects.toBe(away);
  });
});

describe('Known tokens', () => {
  test('are only such as have a valid signature and make sense', async () => {
    const mine = rules();
    const wrong = [
      forge({ alg: 'HS256' }, { sub: 'ann', exp: SECOND + 60 }, 'y'.repeat(64)),
      forge({ alg: 'none' }, { sub: 'ann', exp: SECOND + 60 }),
      forge({ alg: 'HS256' }, { sub: 'ann' }),
      forge({ alg: 'HS256' }, { sub: 'a\u0000', exp: SECOND + 60 }),
      await token({ exp: SECOND - 60 }),
    ];
    for (const text of wrong) for (let i = 0; i < 2; i += 1) await codeOf(verifyToken(text, mine));
    expect(mine.known?.size).toBe(0);
  });

  test('are a bounded number, of a bounded length, of which those in use stay', () => {
    const known = {} as KnownToken;
    const many = new KnownTokens();
    many.add('first', known);
    for (let i = 0; i < 1500; i += 1) {
      many.add(`token ${i}`, known);
      expect(many.find('first')).toBe(known);
    }
    expect(many.size).toBe(1000);
    expect([many.find('token 1'), many.find('token 1499')]).toEqual([undefined, known]);

    const long = new KnownTokens();
    for (let i = 0; i < 300; i += 1) long.add(String(i).padEnd(8000), known);
    expect(long.size).toBe(125);
    // Adding one again doesn't count it twice.
    for (let i = 0; i < 300; i += 1) long.add('299'.padEnd(8000), known);
    expect(long.size).toBe(125);
    for (let i = 0; i < 300; i += 1) long.forget(String(i).padEnd(8000));
    expect(long.size).toBe(0);
    for (let i = 0; i < 125; i += 1) long.add(String(i).padEnd(8000), known);
    expect(long.size).toBe(125);
  });
});
