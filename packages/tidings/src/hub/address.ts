/** An address as limits count it. */
export interface AddressGroup {
  /** The same for all addresses that one customer of a network is likely to have. */
  readonly key: string;
  /** Whether it belongs to this machine or a private network, as a proxy's address often does. */
  readonly isPrivate: boolean;
}

/** How many of the eight groups of an IPv6 address name a network: networks hand out a /64 at least. */
const NETWORK_GROUPS = 4;

/** https://www.iana.org/assignments/iana-ipv4-special-registry: first bytes, and for some a range of the second. */
const PRIVATE_V4: readonly (readonly [first: number, from: number, to: number])[] = [
  [10, 0, 255],
  [100, 64, 127],
  [127, 0, 255],
  [169, 254, 254],
  [172, 16, 31],
  [192, 168, 168],
];

/**
 * IPv4 addresses, including those mapped into IPv6, count by themselves. IPv6 addresses count by their /64, since a
 * customer who has one address has the whole network. Any other text that an app gives as an address is taken verbatim.
 */
export function groupOf(address: string): AddressGroup {
  const v4 = toV4(address);
  if (v4 !== undefined) return { key: v4.join('.'), isPrivate: isPrivateV4(v4) };
  const groups = toGroups(address);
  if (groups === undefined) return { key: address, isPrivate: false };
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped)
    return groupOf(
      groups
        .slice(6)
        .flatMap((group) => [group >> 8, group & 0xff])
        .join('.'),
    );
  const network = groups.slice(0, NETWORK_GROUPS);
  return {
    key: `${network.map((group) => group.toString(16)).join(':')}::/64`,
    isPrivate: isPrivateV6(groups),
  };
}

function toV4(text: string): readonly number[] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const bytes = match?.slice(1).map(Number);
  return bytes?.every((byte) => byte <= 255) === true ? bytes : undefined;
}

/** The eight groups of an IPv6 address: https://www.rfc-editor.org/rfc/rfc4291#section-2.2 */
function toGroups(address: string): readonly number[] | undefined {
  const [text = ''] = address.split('%');
  const halves = text.split('::');
  if (!text.includes(':') || halves.length > 2) return undefined;
  const [head = [], tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(toNumbers)));
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const groups = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  return groups.every((group) => group >= 0) ? groups : undefined;
}

/** One group, or two written as IPv4; -1 if it is neither. */
function toNumbers(text: string): readonly number[] {
  const [a, b, c, d] = toV4(text) ?? [];
  if (a !== undefined && b !== undefined && c !== undefined && d !== undefined)
    return [a * 256 + b, c * 256 + d];
  return [/^[0-9a-f]{1,4}$/i.test(text) ? Number.parseInt(text, 16) : -1];
}

function isPrivateV4([first, second = 0]: readonly number[]): boolean {
  return PRIVATE_V4.some(([byte, from, to]) => first === byte && second >= from && second <= to);
}

/** Loopback, unique local fc00::/7, link-local fe80::/10. */
function isPrivateV6(groups: readonly number[]): boolean {
  const [first = 0] = groups;
  const isLoopback = groups.slice(0, 7).every((group) => group === 0) && groups[7] === 1;
  return isLoopback || (first & 0xfe00) === 0xfc00 || (first & 0xffc0) === 0xfe80;
}
