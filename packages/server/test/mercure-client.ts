/** A client of the Mercure protocol, as the draft describes it. */
import { SignJWT } from 'jose';
import { type Reply, ask } from '../../tidings/test/http/client.ts';
import { SECRET } from './server-process.ts';

export const HUB = 'https://hub.example.com/.well-known/mercure';
export const ISSUER = 'https://issuer.example.com';
const DETAIL = 'https://mercure.rocks/authorization-detail';

export type Topic = string | { readonly match: unknown; readonly match_type?: unknown };

/** A detail of `authorization_details`; a text is a topic of the type `exact`. */
export function detail(actions: readonly unknown[], topics: readonly Topic[], more: object = {}): object {
  return {
    type: DETAIL,
    actions,
    topics: topics.map((topic) => (typeof topic === 'string' ? { match: topic } : topic)),
    ...more,
  };
}

export function pattern(match: string): Topic {
  return { match, match_type: 'urlpattern' };
}

export interface TokenOptions {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly secret?: string;
  /** Claims to leave out. */
  readonly without?: readonly string[];
}

/** A valid access token, except for what the options change. */
export function mint(
  details: unknown,
  { claims, header, secret = SECRET, without = [] }: TokenOptions = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const all: Record<string, unknown> = {
    iss: ISSUER,
    aud: HUB,
    sub: 'somebody',
    client_id: 'tests',
    iat: now,
    exp: now + 600,
    jti: crypto.randomUUID(),
    authorization_details: details,
    ...claims,
  };
  for (const name of without) delete all[name];
  return new SignJWT(all)
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', ...header })
    .sign(new TextEncoder().encode(secret));
}

export type Fields = readonly (readonly [string, string])[] | Readonly<Record<string, string>> | string;

export interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export interface Client {
  publish(fields: Fields, token?: string, headers?: Readonly<Record<string, string>>): Promise<Posted>;
  subscribe(query: Fields, token?: string, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  get(path: string, token?: string, headers?: Readonly<Record<string, string>>): Promise<Posted>;
}

export function clientOf(url: () => string): Client {
  const bearer = (token: string | undefined) =>
    token === undefined ? {} : { authorization: `Bearer ${token}` };
  const toText = (fields: Fields): string =>
    typeof fields === 'string' ? fields : String(new URLSearchParams(fields as Record<string, string>));
  const read = async (response: Response): Promise<Posted> => ({
    status: response.status,
    headers: response.headers,
    text: await response.text(),
  });
  return {
    publish: async (fields, token, headers = {}) =>
      read(
        await fetch(`${url()}/.well-known/mercure`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-www-form-urlencoded', ...bearer(token), ...headers },
          body: toText(fields),
        }),
      ),
    subscribe: (query, token, headers = {}) =>
      ask(`${url()}/.well-known/mercure?${toText(query)}`, { headers: { ...bearer(token), ...headers } }),
    get: async (path, token, headers = {}) =>
      read(await fetch(url() + path, { headers: { ...bearer(token), ...headers } })),
  };
}

/** Everything about one topic, each test with its own. */
export function freshTopic(): string {
  return `https://example.com/${crypto.randomUUID()}`;
}
