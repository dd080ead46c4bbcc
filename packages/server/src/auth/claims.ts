import { TidingsError } from 'tidings';
import { type Permissions, parseGrant, unite } from './grants.ts';
import { invalidToken } from './refusals.ts';
import type { VerifiedToken } from './tokens.ts';

/**
 * The permissions of a token: those that the settings give to all of its issuer's tokens, and those of its own claim.
 *
 * @throws {TidingsError} `auth/invalid-token` (401).
 */
export function permissionsOf({ claims, issuer }: VerifiedToken): Permissions {
  const own = Object.hasOwn(claims, issuer.claim) ? claims[issuer.claim] : undefined;
  const general = issuer.grant(claims);
  if (own === undefined) return general;
  try {
    return unite([general, parseGrant(own, issuer.claim, 'topic')(claims)]);
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    throw invalidToken(`The token’s claim \`${issuer.claim}\` can’t be read. ${error.message}`, error);
  }
}
