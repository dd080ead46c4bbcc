import type { Matcher } from '../protocol/matcher.ts';

/** The name under which a hub takes a cursor in the query. */
export const CURSOR_PARAMETER = 'last_event_id';

/**
 * Ports that `fetch` refuses to talk to, each as its distance from the one before, in base 36:
 * https://fetch.spec.whatwg.org/#bad-port
 */
const BAD_PORTS =
  '0 1 6 2 2 2 2 2 2 1 1 1 1 2 c 5 1 a g 8 2 8 8 6 1 1 1 5 1 1 2 2 2 2 4 c 2 2 4 i i 5u 12 12 1b 1 1 1 b 4 1 1 8 8 6 2 7 o e z 9t 1 3 2 k4 1 3 92 18q aq 41 o6 1 q3 fq 2r 1 1 1 1 a i 2lz';

/** @returns the URL. @throws {Error} whose message says why nothing can be fetched from it. */
export function resolveUrl(url: string | URL, base: string | undefined): URL {
  let resolved: URL;
  try {
    resolved = new URL(url, base);
  } catch {
    throw new Error(`"${url}" is not a URL; outside of a page it has to be an absolute one.`);
  }
  const { protocol, port, username, password } = resolved;
  if (!/^https?:$/.test(protocol)) throw new Error(`Expected a URL with http: or https:, got ${protocol}`);
  if (username + password !== '')
    throw new Error('A URL for `fetch` has no user name and no password; send an `Authorization` header.');
  let bad = 0;
  for (const distance of BAD_PORTS.split(' ')) {
    bad += Number.parseInt(distance, 36);
    if (port === String(bad)) throw new Error(`Browsers refuse to connect to port ${port}.`);
  }
  return resolved;
}

/** Takes the topics out of a URL. */
export function takeTopics({ href }: URL): { readonly url: string; readonly topics: readonly Matcher[] } {
  const topics: Matcher[] = [];
  const url = editUrl(href, ([name, value]) => {
    const topic = name === 'topic';
    if (topic) topics.push(value);
    if (name === 'pattern') topics.push({ pattern: value });
    return topic || name === 'pattern';
  });
  return { url, topics };
}

/**
 * The URL to ask for a stream, with parameters besides the app's own. `replaced`: the name of one that only they have.
 */
export function streamUrl(
  url: string,
  parameters: readonly (readonly [string, string])[],
  replaced?: string,
): string {
  return editUrl(url, ([name]) => name === replaced, new URLSearchParams(parameters as never).toString());
}

/** The URL for changing a connection: its topics go into the body. */
export function changeUrl(url: string): string {
  return editUrl(url, ([name]) => ['topic', 'pattern', CURSOR_PARAMETER, 'wait'].includes(name));
}

export function parameterOf(matcher: Matcher): [string, string] {
  return typeof matcher === 'string' ? ['topic', matcher] : ['pattern', matcher.pattern];
}

/** The parameters that stay keep their bytes: a signature may be over them. */
function editUrl(url: string, drop: (parameter: [string, string]) => boolean, added = ''): string {
  const [path = '', query] = url.replace(/#.*/s, '').split(/\?(.*)/s);
  const kept = query?.split('&').filter((pair) => ![...new URLSearchParams(`&${pair}`)].some(drop)) ?? [];
  const all = added === '' ? kept : [...kept, added];
  return all.length === 0 ? path : `${path}?${all.join('&')}`;
}
