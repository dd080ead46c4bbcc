import { describe } from 'tidings/transport';

/** Parameters whose values may be credentials: `access_token`, `api-key`, `sslpassword`… */
const SECRET_NAME = /pass|pwd|secret|token|auth|key|sig|jwt|cred|session/i;
const MASK = '***';

/** A URL for logs and people: without its password, and without parameters that look like credentials. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return text;
  const parsed = new URL(text);
  const secrets = [...parsed.searchParams.keys()].filter((name) => SECRET_NAME.test(name));
  // Over HTTP, a user name alone is most likely a token.
  const isTokenUser = parsed.password === '' && parsed.username !== '' && /^https?:$/.test(parsed.protocol);
  if (parsed.password === '' && !isTokenUser && secrets.length === 0) return text;
  if (parsed.password !== '') parsed.password = MASK;
  if (isTokenUser) parsed.username = MASK;
  for (const name of secrets) parsed.searchParams.set(name, MASK);
  return parsed.href;
}

/** The server of a URL alone: receivers of webhooks have their secrets in the path. */
export function shownOrigin(url: string): string {
  const { origin, pathname, search } = new URL(url);
  return pathname === '/' && search === '' ? origin : `${origin}/…`;
}

/** A wrong URL in a message. Where it can't be parsed, a password may be anywhere in it, so only its scheme is shown. */
export function describeUrl(value: unknown): string {
  if (typeof value !== 'string') return describe(value);
  if (/^https?:\/\//i.test(value) && URL.canParse(value)) return JSON.stringify(shownUrl(value));
  const beginning = /^[a-z][a-z\d+.-]*:(?:\/\/)?/i.exec(value)?.[0];
  return beginning === undefined ? 'text without a scheme' : `text that begins with "${beginning}"`;
}
