import { createHmac } from 'node:crypto';
import type { Random } from './random.ts';
import { type FuzzRequest, framing, makeRequest } from './requests.ts';
import { type Claim, json, pattern, text, topic } from './values.ts';

/** The secret of the server under attack. */
export const SECRET = 'a-secret-of-the-fuzz-that-is-long-enough';
/** Of an API key whose hash the server knows. */
export const API_KEY = `tidings_${'k'.repeat(43)}`;
export const HUB = '/.well-known/mercure';

const encode = (value: string): string => Buffer.from(value).toString('base64url');

function sign(header: string, claims: string, secret = SECRET): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const HEADER = '{"alg":"HS256"}';
const AT = '{"alg":"HS256","typ":"at+jwt"}';
const FAR = 4_000_000_000;

function own(grant: unknown, more = ''): string {
  return sign(HEADER, `{"sub":"ann","exp":${FAR},"tidings":${JSON.stringify(grant)}${more}}`);
}

const everything = [{ pattern: '*' }];

/** Good ones get furthest. */
const all = own({ publish: everything, subscribe: everything });
const GOOD = [
  all,
  all,
  all,
  own({ publish: ['news', 'board'], subscribe: ['news', { pattern: 'posts/*' }] }),
  own({ publish: [], subscribe: everything, private: [] }),
  API_KEY,
  sign(AT, mercureClaims('["publish","subscribe"]', '[{"match":"*"}]')),
  sign(AT, mercureClaims('["subscribe"]', '[{"match":"/posts/:id","match_type":"URLPattern"}]')),
] as const;

const TOKENS = [
  // Expired, not yet valid, without an end, with one that is none.
  sign(HEADER, '{"sub":"ann","exp":1}'),
  sign(HEADER, `{"exp":${FAR},"nbf":${FAR}}`),
  sign(HEADER, '{"sub":"ann"}'),
  sign(HEADER, '{"exp":1e999}'),
  sign(HEADER, '{"exp":"4000000000"}'),
  // Signed by nobody, by somebody else, or by an algorithm that isn't accepted.
  sign('{"alg":"none"}', `{"exp":${FAR}}`),
  `${encode('{"alg":"none"}')}.${encode(`{"exp":${FAR}}`)}.`,
  sign(HEADER, `{"exp":${FAR}}`, 'another secret'),
  sign('{"alg":"HS512"}', `{"exp":${FAR}}`),
  sign('{"alg":"RS256"}', `{"exp":${FAR}}`),
  sign('{"alg":["HS256"]}', `{"exp":${FAR}}`),
  sign('{"alg":"HS256","kid":["a","b"]}', `{"exp":${FAR}}`),
  sign(`{"alg":"HS256","kid":"${'k'.repeat(600)}"}`, `{"exp":${FAR}}`),
  sign('{"alg":"HS256","crit":["b64"],"b64":false}', `{"exp":${FAR}}`),
  sign('{"alg":"HS256","zip":"DEF"}', `{"exp":${FAR}}`),
  sign('{"alg":"HS256","jwk":{"kty":"oct","k":"AA"}}', `{"exp":${FAR}}`),
  // JSON that is deep, long, double, none, or no object.
  sign(HEADER, '['.repeat(2500) + ']'.repeat(2500)),
  sign(HEADER, `{"exp":${FAR},"tidings":${'{"a":'.repeat(900)}1${'}'.repeat(900)}}`),
  sign('{"alg":"HS256","x":'.concat('['.repeat(1000), ']'.repeat(1000), '}'), `{"exp":${FAR}}`),
  sign(HEADER, `{"exp":${FAR},"exp":1,"sub":"ann","sub":"bob"}`),
  sign(HEADER, `{"exp":${FAR},"__proto__":{"tidings":{"publish":["news"]}}}`),
  sign(HEADER, 'null'),
  sign(HEADER, '"text"'),
  sign(HEADER, '{'),
  // Claims that are many, or patterns that are dear.
  own({ publish: Array.from({ length: 300 }, (_, i) => `t/${i}`) }),
  own({ subscribe: Array.from({ length: 150 }, (_, i) => ({ pattern: `*${i}*` })) }),
  own({ subscribe: [{ pattern: ':a'.repeat(400) }] }),
  own({ subscribe: [{ template: '{sub}'.repeat(300) }] }),
  own({ publish: 'news' }),
  own({ publsih: ['news'] }),
  own(null),
  sign(HEADER, `{"exp":${FAR},"sub":"a\\u0000b"}`),
  sign(HEADER, `{"exp":${FAR},"sub":"api-key/root","tidings":{"publish":["news"]}}`),
  // No token at all.
  'x'.repeat(8193),
  `${'x'.repeat(4000)}.${'y'.repeat(4000)}.z`,
  'a.b.c',
  '..',
  'tidings_wrong',
  `tidings_${'w'.repeat(43)}`,
] as const;

function mercureClaims(actions: string, topics: string): string {
  const detail = `{"type":"https://mercure.rocks/authorization-detail","actions":${actions},"topics":${topics}}`;
  return `{"sub":"ann","iss":"https://issuer.example","aud":"http://127.0.0.1${HUB}","client_id":"a","jti":"a","iat":1,"exp":${FAR},"authorization_details":[${detail}]}`;
}

const SCHEMES = ['Bearer', 'Bearer', 'Bearer', 'Bearer', 'bearer', 'Basic', 'Bearer  ', ''] as const;

/** One request to some door of the server. */
export function makeServedRequest(random: Random, claims: readonly Claim[]): FuzzRequest {
  const made = makeRequest(random, claims);
  const kind = random.int(20);
  const request =
    kind < 7
      ? { ...made, target: made.target.replace(/^\/events/, '/v1/events') }
      : kind < 13
        ? publishing(random, made)
        : kind < 16
          ? listening(random, made)
          : kind < 18
            ? updating(random, made)
            : elsewhere(random, made);
  return withCredentials(random, request);
}

function withCredentials(random: Random, request: FuzzRequest): FuzzRequest {
  const others = request.headers.filter(([name]) => name !== 'Authorization' && name !== 'Cookie');
  const given: [string, string][] = [];
  if (random.chance(0.5)) given.push(['Authorization', `Bearer ${random.pick(GOOD)}`]);
  else if (random.chance(0.6))
    given.push(['Authorization', `${random.pick(SCHEMES)} ${random.pick(TOKENS)}`]);
  if (random.chance(0.08))
    given.push(['Cookie', `tidings=${random.pick(TOKENS)}; mercure_access_token=${random.pick(TOKENS)}`]);
  const inQuery = random.chance(0.03) ? `access_token=${random.pick(TOKENS)}` : undefined;
  const target =
    inQuery === undefined
      ? request.target
      : `${request.target}${request.target.includes('?') ? '&' : '?'}${inQuery}`;
  const headers = [...given, ...others];
  const length = headers.reduce(
    (sum, [name, value]) => sum + name.length + value.length + 4,
    target.length + 60,
  );
  return { ...request, target, headers, isOdd: request.isOdd || length > 15_000 };
}

function publishing(random: Random, made: FuzzRequest): FuzzRequest {
  const [type, body] = random.pick<() => [string, string]>([
    () => ['application/json', eventJson(random)],
    () => [
      'application/json',
      `[${random.list(random.chance(0.05) ? 1500 : 4, () => eventJson(random)).join()}]`,
    ],
    () => [
      'application/x-ndjson',
      random.list(5, () => eventJson(random)).join(random.pick(['\n', '\r\n', '\n\n'])),
    ],
    () => ['application/x-www-form-urlencoded', eventForm(random)],
    () => ['application/json', json(random, 4)],
    () => ['application/json', '['.repeat(random.pick([10, 100_000, 400_000]))],
    () => ['application/json', `{"topics":"news","data":${'['.repeat(20_000)}${']'.repeat(20_000)}}`],
    () => [
      random.pick([
        'text/plain',
        'application/json; charset=utf-16',
        'multipart/form-data',
        'application/json/x',
      ]),
      '{}',
    ],
  ])();
  const headers: [string, string][] = [['Content-Type', type]];
  if (random.chance(0.4))
    headers.push([
      'Idempotency-Key',
      random.pick(['"a"', 'b', `"${random.int(1_000_000)}"`, '', '"', 'x'.repeat(3000), '"a", "b"', 'é']),
    ]);
  if (random.chance(0.05))
    headers.push(['Content-Encoding', random.pick(['gzip', 'br', 'deflate', 'zstd, gzip', 'x'])]);
  if (random.chance(0.1))
    headers.push([
      'traceparent',
      random.pick([
        '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        'ff-',
        '00-0-0-0',
        'x'.repeat(500),
      ]),
    ]);
  if (random.chance(0.1))
    headers.push(['Origin', random.pick(['https://app.example', 'null', 'https://evil.example'])]);
  return post(random, made, '/v1/publish', headers, body);
}

function eventJson(random: Random): string {
  const event: Record<string, unknown> = {};
  if (random.chance(0.95))
    event['topics'] = random.chance(0.7)
      ? topic(random)
      : random.list(random.chance(0.05) ? 100 : 3, () => topic(random));
  if (random.chance(0.95))
    event['data'] = random.pick<unknown>(['x', { n: 1 }, null, 'line\r\nid: forged', 'y'.repeat(5000), [[]]]);
  const maybe = (name: string, ...values: readonly [unknown, ...unknown[]]): void => {
    if (random.chance(0.05)) event[name] = random.pick(values);
  };
  maybe('type', 'post', 'tidings:welcome', 'a\nb', '', 5);
  maybe('id', 'one', 'x'.repeat(5000), '', '\u0000', random.int(100));
  maybe('key', 'k', '', 'k'.repeat(5000), {});
  maybe('private', true, 'true', 1);
  maybe('raw', true, 'x');
  maybe('tombstone', true, 0);
  maybe('ttl', 10, -1, 1e308, '5s');
  maybe('ifSeq', 0, 1.5, '1');
  maybe('ifAbsent', true, 'x');
  maybe('tags', { a: 'b' }, []);
  maybe(random.pick(['topic', 'event', 'toString', '__proto__', 'constructor']), 1, { a: 1 });
  return JSON.stringify(event);
}

function eventForm(random: Random): string {
  const fields = random.list(6, () => {
    const name = random.pick([
      'topics',
      'topics',
      'data',
      'type',
      'id',
      'private',
      'key',
      'ttl',
      'topics[]',
      'x',
      '__proto__',
      '',
    ]);
    const value = random.pick([topic(random), 'true', '5', text(random, 20)]);
    return `${encodeURIComponent(name)}=${encodeURIComponent(value.toWellFormed())}`;
  });
  if (random.chance(0.03)) return 'topics=a&'.repeat(random.pick([3000, 100_000]));
  if (random.chance(0.05))
    return random.pick(['%', 'topics=%zz', '&&=&', 'topics', '{"topics":"news"}', '%00=%ff']);
  return fields.join('&');
}

const MATCHES = [
  'match',
  'match_exact',
  'match_urlpattern',
  'topic',
  'match_regexp',
  'match_',
  'last_event_id',
  'Last-Event-ID',
] as const;

/** A stream of the Mercure protocol. */
function listening(random: Random, made: FuzzRequest): FuzzRequest {
  const parts = random.list(random.chance(0.02) ? 130 : 4, () => {
    const value = random.pick([
      topic(random),
      pattern(random),
      'https://example.com/:id(\\d+)+',
      '/books/*',
      '(.*)*',
      `/${'(a|a)*'.repeat(random.int(60))}`,
      '{a}{b}{c}'.repeat(random.int(200)),
      '#one',
      'earliest',
      '*',
    ]);
    return `${random.pick(MATCHES)}=${encodeURIComponent(value.toWellFormed())}`;
  });
  const path = random.chance(0.8)
    ? HUB
    : `${HUB}/subscriptions${random.pick(['', '/news', '/news/ann', '/%2F/%2F', '/%zz', '/a/b/c'])}`;
  return {
    ...made,
    method: made.method === 'POST' ? 'GET' : made.method,
    target: `${path}${parts.length > 0 ? '?' : ''}${parts.join('&')}`,
  };
}

/** An update of the Mercure protocol. */
function updating(random: Random, made: FuzzRequest): FuzzRequest {
  const fields = random.list(6, () => {
    const name = random.pick(['topic', 'topic', 'data', 'private', 'id', 'type', 'retry', 'x']);
    const value = random.pick([
      topic(random),
      text(random, 20),
      '5',
      '#no',
      'a\nb',
      'mercure',
      `${HUB}/subscriptions/a`,
    ]);
    return `${name}=${encodeURIComponent(value.toWellFormed())}`;
  });
  const headers: [string, string][] = [['Content-Type', 'application/x-www-form-urlencoded']];
  return post(random, made, HUB, headers, fields.join('&'));
}

function elsewhere(random: Random, made: FuzzRequest): FuzzRequest {
  const target = random.pick([
    '/openapi.json',
    '/',
    '/v1',
    '/v1/publish?topics=news',
    '/v1/events/',
    '/v1/events/x',
    '/v1//events?topic=news',
    '/V1/events?topic=news',
    '/v1/%65vents?topic=news',
    '/.well-known/oauth-protected-resource',
    `/.well-known/oauth-protected-resource${HUB}`,
    '/admin/v1/stats',
    '/metrics',
    '/health/ready',
    '/console/',
    '/__proto__',
    '/constructor',
    `/${'a/'.repeat(2000)}`,
    `/${text(random, 20).replaceAll(/[^!-~]/g, '')}`,
  ]);
  return { ...made, target };
}

function post(
  random: Random,
  made: FuzzRequest,
  target: string,
  headers: readonly (readonly [string, string])[],
  body: string,
): FuzzRequest {
  const rest = made.headers.filter(
    ([name]) => !['Content-Type', 'Origin'].includes(name) && random.chance(0.3),
  );
  return {
    ...made,
    method: random.chance(0.95) ? 'POST' : made.method,
    target,
    headers: [...headers, ...rest],
    body,
    framing: made.isOdd && random.chance(0.3) ? 'short' : framing(random),
  };
}
