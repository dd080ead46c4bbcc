/** The topics that somebody wrote, between spaces or commas. */
export function topicsIn(text: string): string[] {
  return text.split(/[\s,]+/).filter((topic) => topic !== '');
}

/** The query for the tail: what has a `*`, `:` or `{` is a pattern. */
export function tailQuery(text: string): string {
  const query = new URLSearchParams();
  for (const topic of topicsIn(text)) query.append(/[*:{]/.test(topic) ? 'pattern' : 'topic', topic);
  return String(query);
}

/** Data as it was meant: JSON where it is JSON, else text. */
export function dataIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Plain text is data, too.
    return text;
  }
}
