/** An `@name` in a post's text: `text.slice(start, end)` is the name with its `@`. */
export interface Mention {
  name: string;
  start: number;
  end: number;
}

// Not after a word character: the domain of an e-mail address is no mention; and never a part of a
// longer word, which would mention @ann where @annabel is meant.
const MENTION = /(?<![\p{L}\p{N}_@.-])@([A-Za-z0-9_]{2,24})(?![\p{L}\p{N}_])/gu;

/** The `@names` of a text in order, repeated ones too. Whether such a user exists is not known here. */
export function findMentions(text: string): Mention[] {
  const mentions: Mention[] = [];
  for (const match of text.matchAll(MENTION)) {
    const name = match[1];
    if (name !== undefined) {
      mentions.push({ name, start: match.index, end: match.index + match[0].length });
    }
  }
  return mentions;
}
