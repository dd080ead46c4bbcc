import type { Random } from './random.ts';
import { type Claim, change, cursor, json, pattern, text, topic } from './values.ts';

export interface FuzzRequest {
  readonly method: string;
  /** As it stands in the request line. */
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | undefined;
  /** In chunks, which may have extensions and trailers; of its length; or shorter than it says. */
  readonly framing: 'chunked' | 'trailers' | 'length' | 'short';
  /** The end of the request line. Default: `HTTP/1.1`. */
  readonly version?: string;
  /** Whether the server's own HTTP, rather than the hub, may refuse it, or close the socket. */
  readonly isOdd: boolean;
}

const METHODS = ['PUT', 'DELETE', 'PATCH', 'TRACE', 'QUERY', 'PROPFIND'] as const;
const ACCEPTS = [
  'text/event-stream',
  '*/*',
  'text/*;q=0.5',
  'text/event-stream;q=0',
  'application/json',
  'text/event-stream, application/problem+json',
  ',;,=',
  'text/html',
] as const;
const ENCODINGS = [
  'gzip',
  'gzip;q=0',
  'br',
  '*',
  '*;q=0',
  'identity',
  'gzip, deflate, br',
  ';;;',
  '',
] as const;
const ORIGINS = [
  'https://app.example',
  'https://evil.example',
  'null',
  'http://127.0.0.1',
  '',
  'not an origin',
  'https://app.example:443',
] as const;
/** The last one has a line that ends in LF alone. */
const VERSIONS = ['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', 'HTTP/1.1 ', 'http/1.1', '', 'HTTP/1.1\nX: a'] as const;
const SITES = ['same-origin', 'same-site', 'cross-site', 'none', 'x'] as const;
/** The first part of the credentials says what the server's `authorize` does. */
const CREDENTIALS = [
  'ann',
  'bob',
  'none',
  'refuse',
  'forbid',
  'rate',
  'fail',
  'reject',
  'expired',
  'soon',
  'slow',
  'odd',
  'all',
  'nothing',
] as const;
const TYPES = [
  'application/json',
  'application/json; charset=utf-8',
  'APPLICATION/JSON',
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  '',
  'json',
] as const;

/** One request such as somebody might send who means no good, or is just broken. */
export function makeRequest(random: Random, claims: readonly Claim[]): FuzzRequest {
  const kind = random.int(20);
  const method =
    kind < 11
      ? 'GET'
      : kind < 16
        ? 'POST'
        : kind === 16
          ? 'HEAD'
          : kind === 17
            ? 'OPTIONS'
            : random.pick(METHODS);
  const isPost = method === 'POST';
  const body = isPost || random.chance(0.02) ? change(random, claims) : undefined;
  const oddness = random.chance(0.03)
    ? random.pick(['header', 'header', 'method', 'target', 'framing', 'expect', 'large', 'line'])
    : undefined;
  const request = {
    method: oddness === 'method' ? random.pick(['get', 'CONNECT', 'FOO', 'G E T', '']) : method,
    target: oddness === 'target' ? oddTarget(random) : `/events${query(random, claims)}`,
    headers: [...headers(random, claims, isPost), ...oddHeaders(random, oddness)],
    body,
    framing: body !== undefined && oddness === 'framing' ? 'short' : framing(random),
    ...(oddness === 'line' && { version: random.pick(VERSIONS) }),
  } as const;
  return { ...request, isOdd: oddness !== undefined || headLength(request) > MAX_HEAD };
}

export function framing(random: Random): 'chunked' | 'trailers' | 'length' {
  if (random.chance(0.8)) return 'length';
  return random.chance(0.7) ? 'chunked' : 'trailers';
}

/** Node refuses heads of more than 16 KB, and may count a little differently. */
const MAX_HEAD = 15_000;

function headLength({ target, headers }: Pick<FuzzRequest, 'target' | 'headers'>): number {
  return headers.reduce((sum, [name, value]) => sum + name.length + value.length + 4, target.length + 50);
}

function query(random: Random, claims: readonly Claim[]): string {
  const parts: string[] = [];
  const add = (name: string, value: string): void => {
    parts.push(`${name}=${random.chance(0.9) ? encode(value) : garble(value)}`);
  };
  const many = random.chance(0.02) ? 150 : 3;
  for (const each of random.list(many, () => topic(random))) add('topic', each);
  for (const each of random.list(random.chance(0.02) ? 30 : 1, () => pattern(random))) add('pattern', each);
  if (random.chance(0.3)) add('last_event_id', cursor(random, claims));
  if (random.chance(0.05)) add('last_event_id', cursor(random, claims));
  if (random.chance(0.05)) add('labels', random.pick(['1', '0', '']));
  if (random.chance(0.15))
    add('wait', random.pick(['0', '0', '0', '1', '-1', '999999999999', 'x', '1.5', '']));
  if (random.chance(0.03))
    add(random.pick(['topics', 'pattern[]', 'topic[]', '__proto__', '']), topic(random));
  if (random.chance(0.02))
    parts.push(
      random.pick([
        '%',
        '%zz',
        '%E0%A4%A',
        '&&&',
        '=',
        '=&=',
        '?',
        'topic',
        'topic=%00',
        'topic=%ff',
        'topic=%ed%a0%80',
        'topic=%c0%80',
        'pattern=%ed%b0%80*',
        'topic=a;topic=b',
        'wait=0&wait=1',
        `${'&'.repeat(3000)}topic=news`,
      ]),
    );
  return parts.length === 0 ? '' : `?${parts.join('&')}`;
}

/** `encodeURIComponent` refuses half of a surrogate pair. */
function encode(value: string): string {
  return encodeURIComponent(value.toWellFormed());
}

/** Bytes as they are, but for those that no request line can have. */
function garble(value: string): string {
  return Buffer.from(value)
    .toString('latin1')
    .replaceAll(/[^!-~]/g, (character) => `%${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
    .replaceAll('#', '%23');
}

function headers(random: Random, claims: readonly Claim[], isPost: boolean): [string, string][] {
  const all: [string, string][] = [];
  const maybe = (probability: number, name: string, value: () => string): void => {
    if (random.chance(probability)) all.push([name, value()]);
  };
  maybe(0.4, 'Accept', () => random.pick(ACCEPTS));
  maybe(0.3, 'Accept-Encoding', () => random.pick(ENCODINGS));
  maybe(0.25, 'Last-Event-ID', () => headerText(cursor(random, claims)));
  maybe(0.5, 'Authorization', () => random.pick(CREDENTIALS));
  maybe(0.2, 'Origin', () => random.pick(ORIGINS));
  maybe(0.2, 'Sec-Fetch-Site', () => random.pick(SITES));
  maybe(isPost ? 0.97 : 0.05, 'Content-Type', () =>
    random.chance(0.85) ? 'application/json' : random.pick(TYPES),
  );
  maybe(0.1, 'User-Agent', () => headerText(text(random, 20).repeat(random.pick([1, 1, 100]))));
  maybe(0.05, 'X-Forwarded-For', () => random.pick(['1.2.3.4', '::1', 'unknown', '1.2.3.4, 5.6.7.8']));
  maybe(0.05, 'X-Forwarded-Host', () => random.pick(['evil.example', 'app.example', '']));
  maybe(0.05, 'Cookie', () => `session=${headerText(text(random, 10))}`);
  maybe(0.05, 'Access-Control-Request-Method', () => random.pick(['GET', 'POST', 'FOO']));
  maybe(0.03, 'Connection', () => random.pick(['close', 'keep-alive']));
  maybe(0.03, 'Last-Event-ID', () => headerText(cursor(random, claims)));
  return all;
}

function headerText(value: string): string {
  const isSendable = (byte: number): boolean => byte === 9 || (byte >= 32 && byte !== 127);
  return Buffer.from(Buffer.from(value).filter(isSendable)).toString('latin1');
}

function oddHeaders(random: Random, oddness: string | undefined): [string, string][] {
  if (oddness === 'expect') return [['Expect', random.pick(['100-continue', '200-ok', ''])]];
  if (oddness === 'large') return [['X-Large', 'x'.repeat(random.pick([8000, 20_000]))]];
  if (oddness !== 'header') return [];
  return [
    random.pick<[string, string]>([
      ['Upgrade', 'websocket'],
      ['Upgrade', 'h2c'],
      ['Connection', 'upgrade'],
      ['Transfer-Encoding', 'gzip, chunked'],
      ['Content-Length', '-1'],
      ['Content-Length', '5, 6'],
      ['Content-Length', '99999999999999999999'],
      ['Content-Length', '9007199254740993'],
      ['Content-Length', '0x5'],
      ['Content-Length', '+5'],
      ['Content-Length', ''],
      ['Transfer-Encoding', 'chunked, chunked'],
      ['Transfer-Encoding', 'identity'],
      ['Transfer-Encoding', ' chunked'],
      ['X', 'folded\r\n  over two lines'],
      ['Last-Event-ID', 'e.1\r\n 2'],
      ['Accept', 'text/event-stream\r\n\t;q=0'],
      ['X', 'a\nTransfer-Encoding: chunked'],
      ['Trailer', 'Content-Type'],
      ['HTTP2-Settings', 'AAMAAABkAAQAoAAA'],
      ['Connection', 'close, upgrade, content-length'],
      ['Connection', 'Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x'],
      ['X', '\u0000'],
      ['X\u0001', 'a'],
      ['Bad Name', 'a'],
      ['Host', 'a, b'],
      ['Host', 'other.example'],
      ['TE', 'trailers'],
      ['', 'a'],
    ]),
  ];
}

/** A change of a connection by the peer that opened it, most of them right. */
export function makeChange(random: Random, opened: FuzzRequest, claim: Claim): FuzzRequest {
  const credentials = opened.headers.filter(([name]) => name === 'Authorization');
  const add = random.list(4, () => (random.chance(0.3) ? { pattern: pattern(random) } : topic(random)));
  const drop = random.list(2, () => topic(random));
  const body = random.chance(0.8)
    ? JSON.stringify({ connection: claim.connection, secret: claim.secret, add, drop })
    : change(random, [claim]);
  const headers = [...credentials, ['Content-Type', 'application/json']] as const;
  return { method: 'POST', target: '/events', headers, body, framing: 'length', isOdd: false };
}

function oddTarget(random: Random): string {
  return random.pick([
    '*',
    '',
    '//events?topic=news',
    '/events/../events?topic=news',
    'http://other.example/events?topic=news',
    'https://a:b@other.example:99999/events?topic=news',
    'http://',
    'events?topic=news',
    '?topic=news',
    '/events?topic=\u0000',
    '/events?topic=a b',
    '/events?topic=\u00e9\u00ff',
    '/events\t?topic=news',
    '/events?topic=news\u007f',
    '/events?topic=news#part',
    '/events/%2e%2e?topic=news',
    '/events/%zz?topic=news',
    '/EVENTS?topic=news',
    '/events/?topic=news',
    `/events?${'x'.repeat(random.pick([7000, 20_000]))}`,
    '/%',
    `/events?${json(random).replaceAll(/[^!-~]/g, '')}`,
  ]);
}
