/**
 * C0 and C1 controls, DEL, and characters of the category Cf, which are invisible: one topic could pass for another. The
 * draft forbids them in topics, matchers, ids and types. Half surrogate pairs have no UTF-8.
 */
const FORBIDDEN = /[\p{Cc}\p{Cf}]|\p{Surrogate}/u;

export function hasForbidden(text: string): boolean {
  return FORBIDDEN.test(text);
}

/** The wildcard, which matches every topic; no topic is called so. */
export const WILDCARD = '*';
