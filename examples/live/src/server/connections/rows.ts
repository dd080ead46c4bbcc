import { isIPv4 } from 'node:net';
import type { ConnectionInfo } from 'tidings';
import type { ConnectionRow } from '../../shared/api.ts';
import { isForCounting } from '../events/topics.ts';

/**
 * The public details of a connection. The page is public, so addresses are cut to their network, private topics lose
 * their owner, the page that somebody views is left out, and only the kind of program remains of the user agent.
 */
export function toRow(connection: ConnectionInfo): Omit<ConnectionRow, 'browser'> {
  return {
    id: connection.id,
    connectedAt: connection.connectedAt,
    remote: maskAddress(connection.remote),
    signedIn: connection.subject !== undefined,
    topics: connection.topics
      .filter((topic) => !isForCounting(topic))
      .map((topic) => (typeof topic === 'string' ? topic.replace(/^user\/.*/, 'user/…') : topic.pattern)),
    state: connection.phase,
    lag: connection.lag,
    bytes: connection.bytes,
    protocol: connection.protocol,
    agent: nameAgent(connection.userAgent ?? ''),
  };
}

/** Three of four bytes of IPv4, the first 48 bits of IPv6; this machine by its name, which identifies no visitor. */
export function maskAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  const v4 = address.replace(/^::ffff:/i, '');
  if (v4 === '::1' || (isIPv4(v4) && v4.startsWith('127.'))) return 'localhost';
  if (isIPv4(v4)) return v4.replace(/\.\d+$/, '.x');
  const [head = ''] = address.split('::');
  return `${head.split(':').slice(0, 3).join(':')}::x`;
}

// Most browsers name others as well; the most specific name comes first.
const agents: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Edge', /Edg\/(\d{1,4})/],
  ['Opera', /OPR\/(\d{1,4})/],
  ['Samsung Internet', /SamsungBrowser\/(\d{1,4})/],
  ['Firefox', /(?:Firefox|FxiOS)\/(\d{1,4})/],
  ['Chrome', /(?:Chrome|CriOS)\/(\d{1,4})/],
  ['Safari', /Version\/(\d{1,4}).*Safari\//],
  ['curl', /^curl\/(\d{1,4})/],
  ['Node.js', /^(?:node|undici)/i],
];

export function nameAgent(userAgent: string): string {
  for (const [name, pattern] of agents) {
    const match = pattern.exec(userAgent);
    if (match !== null) return match[1] === undefined ? name : `${name} ${match[1]}`;
  }
  return userAgent === '' ? 'unknown' : 'other';
}
