import { findMentions } from '../../shared/mentions.ts';

/** A piece of a post's text. Joined again, the pieces are the text. */
export interface TextPart {
  readonly kind: 'text' | 'mention';
  readonly text: string;
}

/** A post's text in pieces, to set off the `@names` of `users`, who are in lower case. */
export function splitMentions(text: string, users: readonly string[]): TextPart[] {
  const parts: TextPart[] = [];
  let from = 0;
  for (const mention of findMentions(text)) {
    if (!users.includes(mention.name.toLowerCase())) continue;
    if (mention.start > from) parts.push({ kind: 'text', text: text.slice(from, mention.start) });
    parts.push({ kind: 'mention', text: text.slice(mention.start, mention.end) });
    from = mention.end;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}

/** One of `count` colours for a name: the same for the same name, in any case. FNV-1a. */
export function hueOf(name: string, count: number): number {
  let hash = 0x811c9dc5;
  for (const char of name.toLowerCase()) hash = Math.imul(hash ^ (char.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % count;
}
