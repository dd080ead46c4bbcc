/** Cuts a list into parts of at most `size` items. @returns at least one part, which is empty for an empty list */
export function inParts<Item>(items: readonly Item[], size: number): Item[][] {
  const parts: Item[][] = [];
  for (let start = 0; start === 0 || start < items.length; start += size) {
    parts.push(items.slice(start, start + size));
  }
  return parts;
}
