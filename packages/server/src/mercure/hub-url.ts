import { createError } from 'tidings/transport';

/** The URL of the hub, for clients: every relative URL of the protocol is relative to it. */
export interface HubUrl {
  readonly href: string;
  readonly path: string;
  /** The path of the metadata: https://www.rfc-editor.org/rfc/rfc9728#section-3.1 */
  readonly metadataPath: string;
  readonly metadataHref: string;
  /** Topics of the subscriptions begin with this path and a slash. */
  readonly subscriptionsPath: string;
}

export const DEFAULT_PATH = '/.well-known/mercure';
const METADATA = '/.well-known/oauth-protected-resource';

/** @throws {TidingsError} `config/invalid`. */
export function toHubUrl(text: string, setting: string): HubUrl {
  const { href, origin, pathname, search, hash } = new URL(text);
  // A route of the server, so nothing in it may have a meaning for a router.
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(pathname) || search !== '' || hash !== '') {
    throw createError(
      'config/invalid',
      `Expected \`${setting}\` to have a path of plain segments and nothing behind it, such as https://example.com${DEFAULT_PATH}; got ${text}.`,
      { details: { setting } },
    );
  }
  return {
    href,
    path: pathname,
    metadataPath: METADATA + pathname,
    metadataHref: origin + METADATA + pathname,
    subscriptionsPath: `${pathname}/subscriptions`,
  };
}

/**
 * Whether a topic belongs to the hub itself: its path, resolved against the hub's URL, is the hub's or below it, whatever
 * the host. So does one that only begins like it, such as with `/..` behind it: the log compares topics as they are written.
 */
export function isReserved(topic: string, { href, path }: HubUrl): boolean {
  if (isWithin(topic, path)) return true;
  return URL.canParse(topic, href) && isWithin(decodeUnreserved(new URL(topic, href).pathname), path);
}

function isWithin(at: string, path: string): boolean {
  return at === path || at.startsWith(`${path}/`);
}

/** https://www.rfc-editor.org/rfc/rfc3986#section-6.2.2.2 */
function decodeUnreserved(path: string): string {
  return path.replaceAll(/%([0-9a-fA-F]{2})/g, (escape, digits: string) => {
    const character = String.fromCharCode(Number.parseInt(digits, 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : escape;
  });
}
