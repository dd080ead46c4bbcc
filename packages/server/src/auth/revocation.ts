import type { Gateway } from 'tidings/transport';
import type { Authenticator } from './authenticator.ts';

/**
 * Refuses credentials that were revoked, at any server of the log and before any restart, to publishers as well: the hub
 * itself looks at connections only.
 */
export function refuseRevoked(authenticator: Authenticator, gateway: Gateway): Authenticator {
  return {
    ...authenticator,
    async authenticate(request, door) {
      const grant = await authenticator.authenticate(request, door);
      if (grant.credential === undefined) return grant;
      await gateway.ready();
      gateway.assertAuthorized(grant);
      return grant;
    },
  };
}
