import { describe, expect, test } from 'vitest';
import { type CredentialPlaces, credentialOf } from './credential.ts';
import { assertOwnSite } from './cross-site.ts';

const PLACES: CredentialPlaces = { cookies: ['session'], parameters: ['access_token'], inQuery: true };

function request(headers: Record<string, string> = {}, query = '', method = 'GET') {
  return { method, query: new URLSearchParams(query), header: (name: string) => headers[name] };
}

const find = (headers: Record<string, string>, query = '', places: Partial<CredentialPlaces> = {}) =>
  credentialOf(request(headers, query), { ...PLACES, ...places });

describe('A request’s credential', () => {
  test('comes in a header, a cookie or the query', () => {
    expect(find({ authorization: 'Bearer a.b.c' })).toEqual({ text: 'a.b.c', by: 'header' });
    expect(find({ authorization: 'bearer  a.b.c ' })).toEqual({ text: 'a.b.c', by: 'header' });
    expect(find({ cookie: 'x=1; session=a.b.c; y' })).toEqual({ text: 'a.b.c', by: 'cookie' });
    expect(find({ cookie: 'session="a.b.c"' })).toEqual({ text: 'a.b.c', by: 'cookie' });
    expect(find({}, 'access_token=a.b.c')).toEqual({ text: 'a.b.c', by: 'query' });
    expect(find({})).toBeUndefined();
  });

  test('is not looked for where the settings don’t have it', () => {
    expect(find({ cookie: 'session=a' }, '', { cookies: [] })).toBeUndefined();
    expect(find({ cookie: 'sessions=a; SESSION=b; session=' })).toBeUndefined();
    expect(() => find({}, 'access_token=a', { inQuery: false })).toThrow(/access_token/);
  });

  test('may be there twice, but not with another one', () => {
    expect(find({ authorization: 'Bearer a', cookie: 'session=a' }, 'access_token=a')?.text).toBe('a');
    for (const [headers, query] of [
      [{ authorization: 'Bearer a', cookie: 'session=b' }, ''],
      [{ authorization: 'Bearer a' }, 'access_token=b'],
      [{ cookie: 'session=a; session=b' }, ''],
      [{}, 'access_token=a&access_token=b'],
    ] as const) {
      expect(() => find(headers, query)).toThrow(
        expect.objectContaining({ code: 'auth/invalid-request', status: 400 }),
      );
    }
    expect(find({ authorization: 'Bearer a', cookie: 'session=b' }, '', { headerWins: true })?.text).toBe(
      'a',
    );
  });

  test('of another scheme is a proxy’s, and a broken one of ours is refused', () => {
    expect(find({ authorization: 'Basic YTpi' })).toBeUndefined();
    expect(find({ authorization: 'Basic YTpi', cookie: 'session=a' })?.by).toBe('cookie');
    for (const authorization of ['Bearer', 'Bearer ', 'Bearer a b', 'Bearer a,b', 'Bearer "a"', 'Bearer é'])
      expect(() => find({ authorization })).toThrow(/followed by a token/);
  });
});

describe('A request with a cookie', () => {
  const isAllowed = (headers: Record<string, string>, method = 'POST'): boolean => {
    try {
      assertOwnSite(
        request({ host: 'live.example', ...headers }, '', method),
        (origin) => origin === 'https://app.example',
      );
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'auth/forbidden', status: 403 });
      return false;
    }
  };

  test.each([
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://live.example' }],
    [{ 'sec-fetch-site': 'none' }],
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://app.example' }],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://app.example' }],
    [{ origin: 'https://app.example' }],
    [{ origin: 'http://live.example' }],
    [{ origin: 'https://public.example', 'x-forwarded-host': 'public.example' }],
    [{}],
  ])('counts if it comes from a page of its own, or of an origin that is allowed: %j', (headers) => {
    expect(isAllowed(headers)).toBe(true);
  });

  test.each([
    [{ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }],
    [{ 'sec-fetch-site': 'same-site', origin: 'https://evil.live.example' }],
    [{ 'sec-fetch-site': 'cross-site' }],
    [{ 'sec-fetch-site': 'cross-site', origin: 'null' }],
    [{ origin: 'https://evil.example' }],
    [{ origin: 'https://live.example.evil.example' }],
    [{ origin: 'null' }],
    [{ origin: 'https://app.example.evil.example' }],
  ])('is refused if a page of somebody else had the browser send it: %j', (headers) => {
    expect(isAllowed(headers)).toBe(false);
  });

  test('may be a link from elsewhere, whose answer that page can’t read, but no stream for it', () => {
    expect(isAllowed({ 'sec-fetch-site': 'cross-site' }, 'GET')).toBe(true);
    expect(isAllowed({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 'GET')).toBe(false);
  });
});
