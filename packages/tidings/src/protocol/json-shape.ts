const [QUOTE, BACKSLASH, COMMA, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [
  0x22, 0x5c, 0x2c, 0x5b, 0x5d, 0x7b, 0x7d,
];

/** How much a JSON text may hold. */
export interface JsonBounds {
  /** Lists and objects within each other. */
  readonly depth: number;
  /** Values: members of objects, items of lists, and the lists and objects themselves. */
  readonly values: number;
}

/**
 * The bound that a JSON text exceeds; undefined if none. `JSON.parse` needs a hundred times longer for a value than for a
 * character of text, so the length of a text alone doesn't bound how long it holds up the event loop.
 */
export function exceededBound(json: string, { depth, values }: JsonBounds): keyof JsonBounds | undefined {
  let level = 0;
  let count = 1;
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === QUOTE) at = endOfText(json, at);
    else if (code === COMMA) count += 1;
    else if (code === OPEN_LIST || code === OPEN_OBJECT) {
      level += 1;
      count += 1;
      if (level > depth) return 'depth';
    } else if (code === CLOSE_LIST || code === CLOSE_OBJECT) level -= 1;
    if (count > values) return 'values';
  }
  return undefined;
}

/** Where the text ends that begins with the quote at `start`. */
function endOfText(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at += 1) {
    const code = json.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at;
  }
  return json.length;
}
