import { TidingsError } from '../protocol/tidings-error.ts';
import type { Matcher } from '../protocol/matcher.ts';

const TOPIC = 'topic';
const PATTERN = 'pattern';
const CURSOR = 'last_event_id';

/** @throws {TidingsError} `client/invalid-option` */
export function resolveUrl(url: string | URL): URL {
  const { document, location } = globalThis as {
    document?: { baseURI: string };
    location?: { href: string };
  };
  try {
    return new URL(url, document?.baseURI ?? location?.href);
  } catch (cause) {
    const message = `"${String(url)}" is not a URL; outside of a page it has to be an absolute one.`;
    throw new TidingsError('client/invalid-option', message, { cause, details: { option: 'url' } });
  }
}

/** Takes what it asks for out of a URL. */
export function takeTopics({ searchParams }: URL): readonly Matcher[] {
  const patterns = searchParams.getAll(PATTERN).map((pattern) => ({ pattern }));
  const taken: readonly Matcher[] = [...searchParams.getAll(TOPIC), ...patterns];
  if (taken.length > 0) {
    searchParams.delete(TOPIC);
    searchParams.delete(PATTERN);
  }
  return taken;
}

/** Where to ask for a stream. A cursor in the URL, rather than in the header, says that no state was received yet. */
export function streamUrl(url: string, topics: readonly Matcher[], cursor?: string): string {
  const stream = new URL(url);
  for (const matcher of topics) {
    if (typeof matcher === 'string') stream.searchParams.append(TOPIC, matcher);
    else stream.searchParams.append(PATTERN, matcher.pattern);
  }
  if (cursor !== undefined) stream.searchParams.set(CURSOR, cursor);
  return stream.href;
}

/** Where to change a connection: what that is for stands in the body. */
export function changeUrl(url: string): string {
  const change = new URL(url);
  if (change.searchParams.has(CURSOR)) change.searchParams.delete(CURSOR);
  return change.href;
}
