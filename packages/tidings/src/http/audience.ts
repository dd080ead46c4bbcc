import type { MatcherSet } from '../protocol/matcher-set.ts';
import type { Checked } from './authorization.ts';

/** Characters of base64url: 132 bits. */
const LENGTH = 22;

/**
 * Stands for the reader of a stream without telling who it is: a subject may be a secret, such as a session's id. Streams
 * with the same audience may take each other's place, so they have equal grants: one could otherwise read private events by
 * the other's. Topics that the app chose may depend on the reader in ways that `authorize` doesn't tell.
 *
 * @param chosen the topics, if the app chose them.
 */
export async function audienceOf(
  { subject, member, granted, permitted }: Checked,
  chosen: MatcherSet | undefined,
): Promise<string> {
  const reader = JSON.stringify([
    subject ?? null,
    member?.id ?? null,
    granted.key,
    permitted?.key ?? null,
    chosen?.key ?? null,
  ]);
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(reader));
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .slice(0, LENGTH);
}
