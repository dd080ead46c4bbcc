import { errors, jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { type Matcher, unauthorized } from 'tidings';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import type { Authenticator, CredentialRequest, Door, Grant } from './authenticator.ts';
import { anonymousTopics, jwtSecret } from './settings.ts';

export interface AuthenticatorDeps {
  readonly logger: Logger;
  /** Tokens signed with it count, and anybody may read public events. */
  readonly developmentKey: Uint8Array | undefined;
}

interface Rules {
  readonly key: Uint8Array | undefined;
  readonly anonymous: readonly Matcher[];
}

/** @throws {TidingsError} `config/invalid`. */
export function createAuthenticator(
  settings: Settings,
  { developmentKey }: AuthenticatorDeps,
): Promise<Authenticator> {
  let rules = readRules(settings, developmentKey);
  return Promise.resolve({
    authenticate: (request: CredentialRequest, door?: Door) => authenticate(rules, request, door),
    reload(next: Settings) {
      rules = readRules(next, developmentKey);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  });
}

function readRules(settings: Settings, developmentKey: Uint8Array | undefined): Rules {
  if (developmentKey !== undefined) return { key: developmentKey, anonymous: [{ pattern: '*' }] };
  const secret = settings.get(jwtSecret);
  const key = secret === undefined ? undefined : new TextEncoder().encode(secret);
  if (key !== undefined && key.length < 32) {
    throw createError(
      'config/invalid',
      `\`${jwtSecret.name}\` has ${key.length} bytes; it needs 32 or more.`,
      {
        details: { setting: jwtSecret.name },
      },
    );
  }
  return { key, anonymous: settings.get(anonymousTopics).map((pattern) => ({ pattern })) };
}

async function authenticate(rules: Rules, request: CredentialRequest, door: Door = ownDoor): Promise<Grant> {
  const token = bearerOf(request);
  if (token === undefined)
    return { credential: undefined, publish: [], subscribe: rules.anonymous, private: [] };
  if (rules.key === undefined) throw unauthorized('This server takes no tokens.');
  try {
    const { payload } = await jwtVerify(token, rules.key, { algorithms: ['HS256'] });
    const { sub, exp, iat, jti } = payload;
    return {
      ...door.toGrant(payload),
      credential: sub ?? jti ?? 'token',
      claims: payload,
      ...(sub !== undefined && { subject: sub }),
      ...(exp !== undefined && { expiresAt: exp * 1000 }),
      ...(iat !== undefined && { issuedAt: iat * 1000 }),
      ...(jti !== undefined && { tokenId: jti }),
    };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw createError('auth/expired', 'The token has expired.');
    if (!(error instanceof errors.JOSEError)) throw error;
    throw unauthorized('The token is not valid here.');
  }
}

function bearerOf({ header }: CredentialRequest): string | undefined {
  return /^Bearer +([\w.~+/-]+=*)$/i.exec(header('authorization') ?? '')?.[1];
}

/** The server's own claim: `tidings: { publish, subscribe, private }`, lists of patterns. */
const ownDoor: Door = {
  toGrant({ tidings }) {
    const { publish, subscribe, private: secret } = (tidings ?? {}) as Record<string, unknown>;
    return { publish: patternsOf(publish), subscribe: patternsOf(subscribe), private: patternsOf(secret) };
  },
};

function patternsOf(value: unknown): readonly Matcher[] {
  if (!Array.isArray(value)) return [];
  return value.filter((pattern) => typeof pattern === 'string').map((pattern) => ({ pattern }));
}
