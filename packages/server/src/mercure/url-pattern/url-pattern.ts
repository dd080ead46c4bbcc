import { URLPattern } from 'urlpattern-polyfill/urlpattern';
import { type Component, type ComponentOptions, parseComponent } from './component.ts';

/** The components of a URL, and of a URL Pattern: https://urlpattern.spec.whatwg.org/#url-pattern-struct */
const NAMES = ['protocol', 'username', 'password', 'hostname', 'port', 'pathname', 'search', 'hash'] as const;
type Name = (typeof NAMES)[number];

/** A topic as URL Patterns see it. */
export type UrlParts = Readonly<Record<Name, string>> & { readonly text: string };

const NOTHING: ComponentOptions = { delimiter: '', prefix: '' };
const HOSTNAME: ComponentOptions = { delimiter: '.', prefix: '' };
const PATHNAME: ComponentOptions = { delimiter: '/', prefix: '/' };
/** https://url.spec.whatwg.org/#special-scheme */
const SPECIAL = ['http', 'https', 'ws', 'wss', 'ftp', 'file'];
/**
 * The most `:`, `*`, `(` and `{` of a pattern. Reading one takes about half a millisecond, and more with each of them.
 */
const MAX_GROUPS = 32;
/** Characters of a pattern that isn't plain, for the same reason. */
const MAX_LENGTH = 512;

export class InvalidUrlPattern extends Error {}

/** A topic's URL, resolved against the hub's; undefined if it is none, which no pattern matches. */
export function toUrlParts(topic: string, base: string): UrlParts | undefined {
  if (!URL.canParse(topic, base)) return undefined;
  const { protocol, username, password, hostname, port, pathname, search, hash } = new URL(topic, base);
  const parts = {
    protocol: protocol.slice(0, -1),
    username,
    password,
    hostname,
    port,
    pathname,
    search: search.slice(1),
    hash: hash.slice(1),
  };
  return { ...parts, text: textOf(parts) };
}

/** The components that most patterns give, in an order in which many have the same beginning. */
function textOf({ protocol, hostname, port, pathname }: Pick<UrlParts, Name>): string {
  return `${protocol}\n${hostname}\n${port}\n${pathname}`;
}

/** A URL Pattern, compared in a time that is bounded. */
export class BoundedUrlPattern {
  /** How `UrlParts.text` of every topic begins that it matches. */
  readonly beginning: string;
  readonly isCostly: boolean;
  /** Only the components that don't match everything. */
  readonly #components: readonly (readonly [Name, Component])[];

  /**
   * @param base the URL that a relative pattern is relative to.
   * @throws {InvalidUrlPattern} whose message completes "The URL Pattern is invalid: …".
   */
  constructor(pattern: string, base: string) {
    const texts = componentsOf(pattern, base);
    const protocol = parse(texts.protocol, NOTHING);
    const isSpecial = SPECIAL.some((scheme) => protocol.matches(scheme));
    const options: Partial<Record<Name, ComponentOptions>> = {
      hostname: HOSTNAME,
      pathname: isSpecial ? PATHNAME : NOTHING,
    };
    const components = NAMES.map((name) => [name, parse(texts[name], options[name] ?? NOTHING)] as const);
    this.beginning = beginningOf(Object.fromEntries(components) as Record<Name, Component>);
    this.isCostly = components.some(([, { isCostly }]) => isCostly);
    this.#components = components.filter(([name]) => texts[name] !== '*');
  }

  matches(parts: UrlParts): boolean {
    for (const [name, component] of this.#components) if (!component.matches(parts[name])) return false;
    return true;
  }
}

function beginningOf({ protocol, hostname, port, pathname }: Record<Name, Component>): string {
  let beginning = '';
  for (const component of [protocol, hostname, port]) {
    beginning += component.beginning;
    if (!component.isLiteral) return beginning;
    beginning += '\n';
  }
  return beginning + pathname.beginning;
}

function parse(text: string, options: ComponentOptions): Component {
  try {
    return parseComponent(text, options);
  } catch (cause) {
    throw new InvalidUrlPattern((cause as Error).message, { cause });
  }
}

type Texts = Readonly<Record<Name, string>>;

/** Each component's pattern, as the standard writes it. */
function componentsOf(pattern: string, base: string): Texts {
  const plain = plainComponents(pattern, base);
  if (plain !== undefined) return plain;
  if (pattern.length > MAX_LENGTH) throw new InvalidUrlPattern(`it has more than ${MAX_LENGTH} characters`);
  if ((pattern.match(/[:*({]/g)?.length ?? 0) > MAX_GROUPS)
    throw new InvalidUrlPattern(`it has more than ${MAX_GROUPS} of ":", "*", "(" and "{"`);
  try {
    // The same on every version of Node: all nodes of a cluster must agree.
    return new URLPattern(pattern, base);
  } catch (cause) {
    throw new InvalidUrlPattern('its syntax is not that of https://urlpattern.spec.whatwg.org', { cause });
  }
}

/** An http(s) URL, or a path, of unreserved characters, whose segments may be `:name` or `*`: nearly all patterns are. */
const PLAIN =
  /^(?:(https?):\/\/([a-z0-9]+(?:[.-][a-z0-9]+)*\.[a-z]{2,})(?::(\d{1,5}))?)?((?:\/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*|:[A-Za-z_]\w*|\*)?)+)$/;
const DEFAULT_PORTS: Readonly<Record<string, number>> = { http: 80, https: 443 };

/** Answers as `URLPattern` would, some hundred times as fast; undefined if the pattern isn't that plain. */
function plainComponents(pattern: string, base: string): Texts | undefined {
  const [, scheme, host, givenPort, pathname] = PLAIN.exec(pattern) ?? [];
  if (pathname === undefined || pathname.startsWith('//') || hasTwins(pathname)) return undefined;
  if (scheme === undefined || host === undefined) {
    const { protocol, hostname, port } = new URL(base);
    if (!/^[a-z0-9.-]+$/.test(hostname)) return undefined;
    return { ...ANY, protocol: protocol.slice(0, -1), hostname, port, pathname };
  }
  // Punycode has rules of its own.
  if (host.includes('xn--') || Number(givenPort) > 65_535) return undefined;
  const port =
    givenPort === undefined || Number(givenPort) === DEFAULT_PORTS[scheme] ? '' : String(Number(givenPort));
  return { ...ANY, protocol: scheme, hostname: host, port, pathname };
}

const ANY = { username: '*', password: '*', search: '*', hash: '*' };

/** Whether a name stands in it twice, which is an error. */
function hasTwins(pathname: string): boolean {
  const names = pathname.match(/(?<=\/):\w+/g) ?? [];
  return new Set(names).size < names.length;
}
