import type { Matcher } from '../protocol/matcher.ts';

const TOPIC = 'topic';
const PATTERN = 'pattern';
const CURSOR = 'last_event_id';
const WAIT = 'wait';

/** Ports that `fetch` refuses to talk to: https://fetch.spec.whatwg.org/#bad-port */
const BAD_PORTS: readonly number[] = [
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/** @returns the URL, or why nothing can be fetched from it. */
export function resolveUrl(url: string | URL, base: string | undefined): URL | string {
  let resolved: URL;
  try {
    resolved = new URL(url, base);
  } catch {
    return `"${String(url)}" is not a URL; outside of a page it has to be an absolute one.`;
  }
  const { protocol, port, username, password } = resolved;
  if (!/^https?:$/.test(protocol)) return `Expected a URL with http: or https:, got ${protocol}`;
  if (username !== '' || password !== '') {
    return 'A URL for `fetch` has no user name and no password; send an `Authorization` header.';
  }
  if (port !== '' && BAD_PORTS.includes(Number(port))) return `Browsers refuse to connect to port ${port}.`;
  return resolved;
}

/**
 * Takes what it asks for out of a URL. The other parameters stay as they were written, byte for byte: a signature may
 * be over them.
 */
export function takeTopics({ href }: URL): { readonly url: string; readonly topics: readonly Matcher[] } {
  const topics: Matcher[] = [];
  const patterns: Matcher[] = [];
  const url = withoutParameters(href, (name, value) => {
    if (name === TOPIC) topics.push(value);
    if (name === PATTERN) patterns.push({ pattern: value });
    return name === TOPIC || name === PATTERN;
  });
  return { url, topics: [...topics, ...patterns] };
}

/** What a stream's URL says besides the app's own parameters. */
export interface Query {
  readonly topics: readonly Matcher[];
  readonly cursor?: { readonly name: string; readonly value: string } | undefined;
  /** Seconds: the answer is to be a whole one, after no longer than this. */
  readonly wait?: number | undefined;
}

/** Where to ask for a stream. */
export function streamUrl(url: string, { topics, cursor, wait }: Query): string {
  const own = new URLSearchParams(topics.map(parameterOf));
  if (cursor !== undefined) own.append(cursor.name, cursor.value);
  if (wait !== undefined) own.append(WAIT, String(wait));
  const base =
    cursor === undefined ? withoutHash(url) : withoutParameters(url, (name) => name === cursor.name);
  const added = own.toString();
  if (added === '') return base;
  return base + (base.includes('?') ? (/[?&]$/.test(base) ? '' : '&') : '?') + added;
}

/** Where to change a connection: what that is for stands in the body. */
export function changeUrl(url: string): string {
  return withoutParameters(
    url,
    (name) => name === TOPIC || name === PATTERN || name === CURSOR || name === WAIT,
  );
}

export function parameterOf(matcher: Matcher): [string, string] {
  return typeof matcher === 'string' ? [TOPIC, matcher] : [PATTERN, matcher.pattern];
}

/** The name under which a hub takes a cursor in the query. */
export const CURSOR_PARAMETER: string = CURSOR;

function withoutParameters(url: string, drop: (name: string, value: string) => boolean): string {
  const [path = '', ...rest] = withoutHash(url).split('?');
  if (rest.length === 0) return path;
  const kept = rest
    .join('?')
    .split('&')
    .filter((pair) => {
      const [parsed] = new URLSearchParams(pair);
      return parsed === undefined || !drop(...parsed);
    });
  return kept.length === 0 ? path : `${path}?${kept.join('&')}`;
}

function withoutHash(url: string): string {
  return url.replace(/#.*$/s, '');
}
