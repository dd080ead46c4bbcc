/** The characters with a special meaning in a pattern. */
const SPECIAL = /[\\*:(){}+?]/g;

/**
 * Escapes text that is to stand for itself in a pattern. Use it for names that users choose: without it, a user called
 * `*` would get everybody's events.
 *
 * @example { pattern: `user/${escapePattern(name)}/*` }
 */
export function escapePattern(text: string): string {
  return text.replaceAll(SPECIAL, (character) => `\\${character}`);
}

/** Whether a topic was probably meant to be a pattern: it has a `*`, or a segment such as `:id`. */
export function looksLikePattern(topic: string): boolean {
  return /\*|(?:^|\/):[A-Za-z_$][\w$]*(?:\/|$)/.test(topic);
}
