import { DETAIL_TYPE } from './authorization-details.ts';
import type { Hub } from './hub.ts';
import { MATCHER_TYPES } from './matchers.ts';

/** Tells clients how to get and send tokens: https://www.rfc-editor.org/rfc/rfc9728 */
export function metadataOf(
  { url, cookie }: Hub,
  {
    authorizationServers,
    subscriptions,
  }: { authorizationServers: readonly string[]; subscriptions: boolean },
): Readonly<Record<string, unknown>> {
  return {
    resource: url.href,
    ...(authorizationServers.length > 0 && { authorization_servers: authorizationServers }),
    authorization_details_types_supported: [DETAIL_TYPE],
    bearer_methods_supported: ['header'],
    mercure_cookie: cookie,
    mercure_matcher_types_supported: MATCHER_TYPES,
    ...(subscriptions && { mercure_subscriptions: true }),
  };
}
