import { invalidRequest } from './refusals.ts';

/** A credential, and the part of the request that carried it. */
export interface Credential {
  readonly text: string;
  readonly by: 'header' | 'cookie' | 'query';
}

/** The parts of a request that authentication looks at. */
export interface AuthRequest {
  readonly method: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
}

export interface CredentialPlaces {
  /** Names of cookies that may have a token. Empty: cookies are not looked at. */
  readonly cookies: readonly string[];
  /** Query parameters that may have a token. */
  readonly parameters: readonly string[];
  /** Whether a token may come in the query, where proxies and browsers write it down. */
  readonly inQuery: boolean;
  /** With both, the header counts alone, instead of a refusal. */
  readonly headerWins?: boolean;
}

/** https://www.rfc-editor.org/rfc/rfc6750#section-2.1; a scheme's name is case-insensitive. */
const BEARER = /^Bearer +([\w.~+/-]+=*) *$/i;

/**
 * The one credential of a request, if it has one. Other schemes than Bearer are a proxy's, so they don't count.
 *
 * @throws {TidingsError} `auth/invalid-request` (400) for several, as RFC 6750 has it, or for one that can't be read.
 */
export function credentialOf(request: AuthRequest, places: CredentialPlaces): Credential | undefined {
  const fromHeader = bearerOf(request.header('authorization'));
  if (fromHeader !== undefined && places.headerWins === true) return fromHeader;
  const all = [fromHeader, ...fromCookies(request, places), ...fromQuery(request, places)].filter(
    (credential) => credential !== undefined,
  );
  const [first] = all;
  if (all.some(({ text }) => text !== first?.text)) {
    const places = [...new Set(all.map(({ by }) => by))].join(' and ');
    throw invalidRequest(`The request has several different tokens (${places}); send one.`);
  }
  return first;
}

function bearerOf(header: string | undefined): Credential | undefined {
  if (header === undefined || !/^Bearer\b/i.test(header)) return undefined;
  const text = BEARER.exec(header)?.[1];
  if (text === undefined) throw invalidRequest('Expected "Authorization: Bearer" to be followed by a token.');
  return { text, by: 'header' };
}

function fromQuery(request: AuthRequest, { parameters, inQuery }: CredentialPlaces): readonly Credential[] {
  const given = parameters.filter((name) => request.query.has(name));
  if (given.length > 0 && !inQuery) {
    throw invalidRequest(
      `Tokens in the URL (?${given[0] ?? ''}=) are not accepted here; send "Authorization: Bearer" or a cookie.`,
    );
  }
  return given.flatMap((name) => request.query.getAll(name)).map((text) => ({ text, by: 'query' }));
}

/** Of one name there may be several: a sibling domain can set cookies for all of its parent's. They don't count if equal. */
function fromCookies(request: AuthRequest, { cookies }: CredentialPlaces): readonly Credential[] {
  if (cookies.length === 0) return [];
  const pairs = (request.header('cookie') ?? '').split(';').map((pair) => {
    const at = pair.indexOf('=');
    return [pair.slice(0, Math.max(at, 0)).trim(), pair.slice(at + 1).trim()] as const;
  });
  return pairs
    .filter(([name, value]) => cookies.includes(name) && value !== '')
    .map(([, value]) => ({ text: value.replace(/^"(.*)"$/, '$1'), by: 'cookie' }));
}
