/** The requirements of the Mercure draft, in its order, at one server. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { until, untilAsync } from '../../tidings/test/http/deadline.ts';
import { DEADLINE } from '../../../scripts/deadline.ts';
import { ENGINES, type EngineLog } from './mercure-engines.ts';
import { HUB, ISSUER, clientOf, detail, freshTopic, mint, pattern } from './mercure-client.ts';
import { forge } from './tokens.ts';
import { type Started, SECRET, startServer, tokenFor } from './server-process.ts';

describe.each(ENGINES)('Mercure with its log in $name', (engine) => {
  if (!engine.isHere)
    return test('is tested', ({ skip }) => skip(`${engine.name} is missing: npm run pretest`));
  let log: EngineLog;
  let server: Started;
  let all: string;
  const client = clientOf(() => server.publicUrl);
  const { publish, subscribe, get } = client;

  beforeAll(async () => {
    log = await engine.start();
    server = await startServer({
      environment: { TIDINGS_AUTH_JWT_SECRET: SECRET, TIDINGS_LOG_URL: log.url },
      args: [
        `--mercure-url=${HUB}`,
        '--mercure-subscriptions',
        `--auth-jwt-issuer=${ISSUER}`,
        '--auth-anonymous-subscribe=*',
        '--cors-origins=https://app.example.com,https://reads.example.com',
        '--publish-origins=https://app.example.com',
        '--cors-credentials',
        '--stream-heartbeat=1s',
        '--publish-body-limit=64KiB',
        '--topics=[{"topic": "short", "retention": {"events": 2}}]',
      ],
    });
    all = await mint([detail(['publish', 'subscribe'], ['*'])]);
  });
  afterAll(async () => {
    await server.stop();
    await log.stop();
  });

  /** The data of the next updates. */
  async function next(stream: Awaited<ReturnType<typeof subscribe>>, count = 1): Promise<string[]> {
    const data: string[] = [];
    for (let i = 0; i < count; i += 1) data.push((await stream.frames.nextEvent()).data);
    return data;
  }

  /** Whether updates on a topic reach a stream, found out by one that does for sure. */
  async function reaches(query: readonly (readonly [string, string])[], topic: string): Promise<boolean> {
    const marker = freshTopic();
    const stream = await subscribe([...query, ['match', marker]]);
    expect(stream.status).toBe(200);
    expect((await publish({ topic, data: 'update' }, all)).status).toBe(200);
    await publish({ topic: marker, data: 'marker' }, all);
    return (await next(stream))[0] === 'update';
  }

  async function statusOf(query: string): Promise<number> {
    const stream = await subscribe(query);
    stream.cut();
    return stream.status;
  }

  describe('subscribing', () => {
    test('brings updates as an event stream, in order, with everything that SSE has', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic });
      expect([stream.status, stream.headers['content-type']]).toEqual([
        200,
        'text/event-stream; charset=utf-8',
      ]);
      await publish({ topic, data: 'first', type: 'note', id: 'urn:first', retry: '4321' }, all);
      await publish({ topic, data: 'second' }, all);
      expect(await stream.frames.nextEvent()).toMatchObject({ data: 'first', type: 'note', id: 'urn:first' });
      expect(await stream.frames.nextEvent()).toMatchObject({ data: 'second', type: 'message' });
      expect(stream.frames.text).toContain('retry: 4321\n');
    });

    test.each([
      ['match', 'https://example.com/a', 'https://example.com/a', true],
      ['match_exact', 'https://example.com/a', 'https://example.com/a', true],
      ['match', 'https://example.com/a', 'https://example.com/A', false],
      ['match', 'https://example.com/a', 'https://EXAMPLE.com/a', false],
      ['match', '/relative', 'https://hub.example.com/relative', false],
      ['match', 'caf\u00e9', 'cafe\u0301', false],
      ['match', 'https://example.com/:id', 'https://example.com/1', false],
      ['match', 'https://example.com/:id', 'https://example.com/:id', true],
      ['match', '*', 'whatever', true],
      ['match_exact', '*', 'whatever', true],
      ['match_urlpattern', '*', 'whatever', true],
      ['match_urlpattern', '*', 'no URL: http://[', true],
      ['match_urlpattern', 'https://example.com/books/:id', 'https://example.com/books/1', true],
      ['match_urlpattern', 'https://example.com/books/:id', 'https://EXAMPLE.com/books/1', true],
      ['match_urlpattern', 'https://example.com/books/:id', 'https://example.com/Books/1', false],
      ['match_urlpattern', 'https://example.com/books/:id', 'https://example.com/books/1/2', false],
      ['match_urlpattern', 'https://example.com/books/:id(\\d+)', 'https://example.com/books/17', true],
      ['match_urlpattern', 'https://example.com/books/:id(\\d+)', 'https://example.com/books/x', false],
      ['match_urlpattern', '/books/:id', '/books/1', true],
      ['match_urlpattern', '/books/:id', 'https://hub.example.com/books/1', true],
      ['match_urlpattern', '/books/:id', 'https://example.com/books/1', false],
      ['match_urlpattern', 'https://hub.example.com/books/:id', '/books/1', true],
      ['match_urlpattern', '*://*/*', 'http://[', false],
    ])('%s=%s and an update on %s: %s', async (name, matcher, topic, expected) => {
      expect(await reaches([[name, matcher]], topic)).toBe(expected);
    });

    test('combines matchers of all types', async () => {
      const topics = [freshTopic(), freshTopic(), `${freshTopic()}/1`];
      const stream = await subscribe([
        ['match', topics[0] as string],
        ['match_exact', topics[1] as string],
        ['match_urlpattern', `${topics[2]?.slice(0, -2)}/:id`],
      ]);
      for (const topic of topics) await publish({ topic, data: topic }, all);
      expect(await next(stream, 3)).toEqual(topics);
    });

    test('reads the query as a form, and ignores what it doesn’t know', async () => {
      const stream = await subscribe('foo=bar&match=a+b%2Fc&&match_exact=%zz&Topic=x');
      await publish({ topic: 'a b/c', data: '1' }, all);
      await publish({ topic: '%zz', data: '2' }, all);
      expect(await next(stream, 2)).toEqual(['1', '2']);
    });

    test.each([
      ['no matcher', 'foo=bar'],
      ['a name in another case', 'Match=a'],
      ['another name in the reserved namespace', 'match=a&matches=b'],
      ['an unknown matcher type', 'match_uritemplate=https://example.com/{id}'],
      ['a matcher type in another case', 'match_URLPattern=https://example.com/:id'],
      ['brackets, as PHP has them', 'match[]=a'],
      ['a name without a value', 'match'],
      ['an empty value', 'match='],
      ['a C0 control', 'match=a%0Ab'],
      ['a C1 control', 'match=a%C2%85b'],
      ['DEL', 'match=a%7Fb'],
      ['a zero-width character', 'match=a%E2%80%8Bb'],
      ['a soft hyphen, of the category Cf', 'match=a%C2%ADb'],
      ['bytes that are no UTF-8', 'match=a%FFb'],
      ['a URL Pattern that is none', 'match_urlpattern=https://example.com/:a/:a'],
      ['a URL Pattern with a broken regular expression', 'match_urlpattern=/((a)'],
      ['a URL Pattern that no linear engine can follow', 'match_urlpattern=/(%3F=a)'],
      ['too long a matcher', `match=${'x'.repeat(1025)}`],
      ['too many matchers', Array.from({ length: 101 }, (_, i) => `match=${i}`).join('&')],
      ['too many patterns', Array.from({ length: 11 }, (_, i) => `match_urlpattern=/${i}/:x`).join('&')],
    ])('is refused with %s', async (_, query) => {
      expect(await statusOf(query)).toBe(400);
    });

    test('with a pattern of exponential cost holds nobody up, and matches nothing beyond the bound', async () => {
      const evil = '/((?:a|a|aa)+)b';
      const before = performance.now();
      expect(await reaches([['match_urlpattern', evil]], `/${'a'.repeat(900)}`)).toBe(false);
      // A backtracking engine would take longer than the universe has lasted.
      expect(performance.now() - before).toBeLessThan(DEADLINE);
      expect(await reaches([['match_urlpattern', evil]], '/aab')).toBe(true);
    });

    test('keeps a quiet stream alive with comments', async () => {
      const stream = await subscribe({ match: freshTopic() });
      const before = stream.frames.text.length;
      await until('a comment', () => stream.frames.text.slice(before + 60).includes('\n:\n'));
    });

    test('answers HEAD without a stream', async () => {
      const { status, headers } = await ask(`${server.publicUrl}/.well-known/mercure?match=a`, {
        method: 'HEAD',
      });
      expect([status, headers['content-type']]).toEqual([200, 'text/event-stream; charset=utf-8']);
    });
  });

  describe('pages of other origins', () => {
    test('may read a stream with credentials if their origin is listed', async () => {
      const stream = await subscribe({ match: 'a' }, undefined, { origin: 'https://app.example.com' });
      expect(stream.headers).toMatchObject({
        'access-control-allow-origin': 'https://app.example.com',
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': expect.stringContaining('Mercure-Last-Event-ID'),
      });
    });

    test('may not if it isn’t: no origin is reflected', async () => {
      const stream = await subscribe({ match: 'a' }, undefined, { origin: 'https://evil.example.com' });
      expect(stream.headers['access-control-allow-origin']).toBeUndefined();
    });

    test('get their preflight answered', async () => {
      const { status, headers } = await ask(`${server.publicUrl}/.well-known/mercure`, {
        method: 'OPTIONS',
        headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
      });
      expect(status).toBe(204);
      expect(headers['access-control-allow-headers']).toContain('Authorization');
    });
  });

  describe('publishing', () => {
    test('answers with the publisher’s id, as text', async () => {
      const { status, headers, text } = await publish({ topic: freshTopic(), id: 'urn:uuid:é' }, all);
      expect([status, headers.get('content-type'), text]).toEqual([
        200,
        'text/plain; charset=utf-8',
        'urn:uuid:é',
      ]);
    });

    test('answers with an id of the hub’s if there is none: a fragment, and the one that subscribers get', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic });
      const { text } = await publish({ topic, data: 'x', id: '' }, all);
      expect(text).toMatch(/^#[\w-]+\.\d+$/);
      expect((await stream.frames.nextEvent()).id).toBe(text);
    });

    test('on several topics reaches the subscribers of each, once', async () => {
      const [canonical, alternate] = [freshTopic(), freshTopic()];
      const both = await subscribe([
        ['match', canonical],
        ['match', alternate],
      ]);
      const one = await subscribe({ match: alternate });
      await publish(
        [
          ['topic', canonical],
          ['topic', alternate],
          ['data', '1'],
        ],
        all,
      );
      await publish({ topic: alternate, data: '2' }, all);
      expect(await next(both, 2)).toEqual(['1', '2']);
      expect(await next(one, 2)).toEqual(['1', '2']);
    });

    test.each([
      ['one line', 'a', 'a'],
      ['LF, CR and CRLF', 'a\nb\rc\r\nd', 'a\nb\nc\nd'],
      [
        'what would be fields of the stream',
        'x\nevent: evil\nid: evil\n\ndata: evil',
        'x\nevent: evil\nid: evil\n\ndata: evil',
      ],
      ['an empty text', '', ''],
      ['any characters', 'é\u0000\u200b💫', 'é\u0000\u200b💫'],
    ])('brings data with %s', async (_, data, expected) => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic });
      const { text: id } = await publish({ topic, data }, all);
      expect(await stream.frames.nextEvent()).toMatchObject({ data: expected, type: 'message', id });
    });

    test('without data brings an empty one', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic });
      await publish({ topic }, all);
      expect(await next(stream)).toEqual(['']);
    });

    test('ignores fields that it doesn’t know', async () => {
      expect((await publish({ topic: freshTopic(), flavour: 'vanilla' }, all)).status).toBe(200);
    });

    test.each([
      ['no topic', 'data=x'],
      ['an empty topic', 'topic='],
      ['the wildcard as a topic', 'topic=*'],
      ['the wildcard as an alternate topic', 'topic=a&topic=*'],
      ['a control in a topic', 'topic=a%0Ab'],
      ['an invisible character in a topic', 'topic=a%E2%80%8Bb'],
      ['a topic that is no UTF-8', 'topic=a%FF'],
      ['data that is no UTF-8', 'topic=a&data=%FF'],
      ['an id with "#"', 'topic=a&id=%23x'],
      ['the id "earliest"', 'topic=a&id=earliest'],
      ['a line end in the id', 'topic=a&id=x%0Adata:evil'],
      ['NUL in the id', 'topic=a&id=x%00'],
      ['an invisible character in the id', 'topic=a&id=x%E2%80%AE'],
      ['a C1 control in a topic', 'topic=a%C2%85'],
      ['DEL in a topic', 'topic=a%7F'],
      ['a C1 control in the id', 'topic=a&id=x%C2%85'],
      ['DEL in the id', 'topic=a&id=x%7F'],
      ['a C1 control in the type', 'topic=a&type=x%C2%85'],
      ['DEL in the type', 'topic=a&type=x%7F'],
      ['the type "mercure"', 'topic=a&type=mercure'],
      ['a line end in the type', 'topic=a&type=x%0Ddata:evil'],
      ['an invisible character in the type', 'topic=a&type=x%EF%BB%BF'],
      ['a reconnection time with a sign', 'topic=a&retry=-1'],
      ['a reconnection time with other digits', 'topic=a&retry=%D9%A1'],
      ['a reconnection time in words', 'topic=a&retry=soon'],
      ['a topic of the server’s own', 'topic=tidings/connections'],
      ['a topic of presence', 'topic=presence/a'],
      ['the hub’s path', 'topic=/.well-known/mercure'],
      ['a path below the hub’s', 'topic=/.well-known/mercure/subscriptions/exact/a/b'],
      ['the hub’s path as an alternate topic', 'topic=a&topic=/.well-known/mercure/x'],
      ['the hub’s path at its host', 'topic=https://hub.example.com/.well-known/mercure/x'],
      ['the hub’s path at any host and scheme', 'topic=ftp://example.com/.well-known/mercure/x'],
      ['the hub’s path, relative', 'topic=mercure/x'],
      ['the hub’s path in escapes', 'topic=/.well-known/%2565rcure'.replace('%2565rcure', '%256Dercure/x')],
      ['the hub’s path behind dots', 'topic=/.well-known/mercure/../mercure/x'],
      ['the hub’s path behind escaped dots', 'topic=/a/%252e%252e/.well-known/mercure/x'],
      [
        'the hub’s path before dots that lead out of it',
        'topic=/.well-known/mercure/subscriptions/../../../x',
      ],
      [
        'the hub’s path before backslashes that lead out of it',
        'topic=/.well-known/mercure/x%5C..%5C..%5C..%5Cx',
      ],
      ['the hub’s path with backslashes', 'topic=/.well-known%5Cmercure%5Cx'],
      ['the hub’s path with a query', 'topic=/.well-known/mercure?x'],
    ])('is refused with %s, whatever the token allows', async (_, form) => {
      expect((await publish(form, all)).status).toBe(400);
    });

    test('takes a topic near the hub’s path, and one that is no URL', async () => {
      for (const topic of ['/.well-known/mercury', '/.well-known/mercure2/x', 'http://[/.well-known/mercure'])
        expect((await publish({ topic }, all)).status).toBe(200);
    });

    test.each([
      ['too large a body', { topic: 'a', data: 'x'.repeat(70_000) }],
      ['too many fields', `topic=a&${'x&'.repeat(30_000)}`],
      ['too long a topic', { topic: 'x'.repeat(1025) }],
      ['too many topics', Array.from({ length: 17 }, (_, i) => ['topic', String(i)] as const)],
      ['too long an id', { topic: 'a', id: 'x'.repeat(256) }],
      ['too long a type', { topic: 'a', type: 'x'.repeat(256) }],
    ])('is refused as too large with %s', async (_, form) => {
      expect((await publish(form, all)).status).toBe(413);
    });

    test('takes no request without a body', async () => {
      const { status } = await fetch(`${server.publicUrl}/.well-known/mercure`, {
        method: 'POST',
        headers: { authorization: `Bearer ${all}` },
      });
      expect(status).toBe(415);
    });

    test.each(['application/json', 'multipart/form-data; boundary=x', 'text/plain'])(
      'takes no %s',
      async (type) => {
        expect((await publish('topic=a', all, { 'content-type': type })).status).toBe(415);
      },
    );
  });

  describe('an access token', () => {
    test('is needed to publish: the challenge says where the metadata is, and no error', async () => {
      const { status, headers } = await publish({ topic: 'a' });
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toBe(
        'Bearer resource_metadata="https://hub.example.com/.well-known/oauth-protected-resource/.well-known/mercure"',
      );
    });

    const now = Math.floor(Date.now() / 1000);
    test.each([
      ['another key', { secret: `${SECRET}!` }],
      ['another type', { header: { typ: 'JWT' } }],
      ['the type of an ID token', { header: { typ: 'id+jwt' } }],
      ['no type', { header: { typ: undefined } }],
      ['another audience', { claims: { aud: 'https://other.example.com' } }],
      ['an audience that only begins like the hub', { claims: { aud: `${HUB}/x` } }],
      ['no audience', { without: ['aud'] }],
      ['another issuer', { claims: { iss: 'https://evil.example.com' } }],
      ['no issuer', { without: ['iss'] }],
      ['no end', { without: ['exp'] }],
      ['an end in the past', { claims: { exp: now - 10 } }],
      ['an end of a second ago', { claims: { exp: now - 1 } }],
      ['a beginning in the future', { claims: { nbf: now + 600 } }],
    ])('with %s is invalid', async (_, options) => {
      const token = await mint([detail(['publish', 'subscribe'], ['*'])], options);
      for (const { status, headers } of [
        await publish({ topic: 'a' }, token),
        await get('/.well-known/mercure?match=a', token),
      ]) {
        expect(status).toBe(401);
        expect(headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token", resource_metadata="/);
      }
    });

    test.each([
      ['an algorithm that the issuer’s key isn’t for', { alg: 'HS384' }],
      ['a key of its own', { jwk: { kty: 'oct', k: Buffer.from('x'.repeat(48)).toString('base64url') } }],
      ['the URL of a key of its own', { jku: 'https://evil.example.com/keys', kid: 'evil' }],
      ['a certificate of its own', { x5u: 'https://evil.example.com/cert' }],
      ['an extension that must be understood', { crit: ['b64'], b64: true }],
    ])('that was signed by somebody else and names %s is invalid', async (_, header) => {
      const claims = {
        iss: ISSUER,
        aud: HUB,
        exp: now + 600,
        authorization_details: [detail(['publish'], ['*'])],
      };
      const token = forge({ alg: 'HS256', typ: 'at+jwt', ...header }, claims, 'x'.repeat(48));
      const { status, headers } = await publish({ topic: 'a' }, token);
      expect(status).toBe(401);
      expect(headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/);
    });

    test('without a signature is invalid', async () => {
      const [header, claims] = [
        { alg: 'none', typ: 'at+jwt' },
        { iss: ISSUER, aud: HUB, exp: now + 600 },
      ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
      expect((await publish({ topic: 'a' }, `${header}.${claims}.`)).status).toBe(401);
    });

    test.each([
      ['the type in another case', { header: { typ: 'AT+JWT' } }],
      ['the type in full', { header: { typ: 'application/at+jwt' } }],
      ['several audiences', { claims: { aud: ['https://other.example.com', HUB] } }],
    ])('with %s is valid', async (_, options) => {
      const token = await mint([detail(['publish'], ['*'])], options);
      expect((await publish({ topic: 'a' }, token)).status).toBe(200);
    });

    test('is taken whatever the case of "Bearer"', async () => {
      expect((await publish({ topic: 'a' }, undefined, { authorization: `bEARER ${all}` })).status).toBe(200);
    });

    test('that can’t be read is a wrong request', async () => {
      const { status, headers } = await publish({ topic: 'a' }, undefined, { authorization: 'Bearer' });
      expect([status, headers.get('www-authenticate')]).toEqual([
        400,
        expect.stringMatching(/^Bearer error="invalid_request"/),
      ]);
    });

    test('in the URL counts for nothing', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic, access_token: all, authorization: all });
      expect(stream.status).toBe(200);
      await publish({ topic, data: 'secret', private: 'on' }, all);
      await publish({ topic, data: 'public' }, all);
      expect(await next(stream)).toEqual(['public']);
    });
  });

  describe('the cookie', () => {
    const cookie = (token: string): Record<string, string> => ({
      cookie: `x=1; __Secure-mercure_access_token=${token}`,
    });

    test('authorizes a subscriber', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic }, undefined, cookie(all));
      await publish({ topic, data: 'secret', private: 'on' }, all);
      expect(await next(stream)).toEqual(['secret']);
    });

    test('counts for nothing if there is the header', async () => {
      const nothing = await mint([detail(['publish'], ['other'])]);
      expect((await publish({ topic: 'a' }, all, cookie(nothing))).status).toBe(200);
      expect((await publish({ topic: 'a' }, nothing, cookie(all))).status).toBe(403);
    });

    test('counts if the header has another scheme', async () => {
      const headers = { ...cookie(all), authorization: 'Basic eDp5' };
      const stream = await subscribe({ match: freshTopic() }, undefined, headers);
      expect(stream.status).toBe(200);
    });

    test.each([
      ['the hub’s own origin', { origin: 'https://hub.example.com' }, 200],
      ['a listed origin', { origin: 'https://app.example.com' }, 200],
      ['a page of the hub’s origin', { referer: 'https://hub.example.com/page' }, 200],
      ['an origin that may only read', { origin: 'https://reads.example.com' }, 403],
      ['another origin', { origin: 'https://evil.example.com' }, 403],
      ['a page of another origin', { referer: 'https://evil.example.com/page' }, 403],
      ['an opaque origin', { origin: 'null' }, 403],
      ['no origin', {}, 403],
    ])('publishes for %s: %s', async (_, headers, expected) => {
      expect((await publish({ topic: 'a' }, undefined, { ...cookie(all), ...headers })).status).toBe(
        expected,
      );
    });

    test('counts as a cookie next to Basic, which a browser sends along, too', async () => {
      const headers = { ...cookie(all), authorization: 'Basic eDp5', origin: 'https://evil.example.com' };
      expect((await publish({ topic: 'a' }, undefined, headers)).status).toBe(403);
    });

    test('that is invalid is refused', async () => {
      const { status, headers } = await publish({ topic: 'a' }, undefined, {
        ...cookie('x.y.z'),
        origin: 'https://hub.example.com',
      });
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
    });
  });

  describe('authorization details', () => {
    const good = detail(['publish', 'subscribe'], ['*']);

    test.each([
      ['no list', { authorization_details: 'x' }],
      ['an entry that is no object', [good, 'x']],
      ['no actions', [good, { ...good, actions: undefined }]],
      ['empty actions', [good, { ...good, actions: [] }]],
      ['an action that is no text', [good, { ...good, actions: ['publish', 5] }]],
      ['no topics', [good, { ...good, topics: undefined }]],
      ['empty topics', [good, { ...good, topics: [] }]],
      ['a topic that is a text', [good, { ...good, topics: ['*'] }]],
      ['a topic without a match', [good, { ...good, topics: [{ match_type: 'exact' }] }]],
      ['a match that is no text', [good, { ...good, topics: [{ match: 5 }] }]],
      ['an empty match', [good, { ...good, topics: [{ match: '' }] }]],
      ['an unknown match type', [good, { ...good, topics: [{ match: 'a', match_type: 'uritemplate' }] }]],
      [
        'an unknown match type of the wildcard',
        [good, { ...good, topics: [{ match: '*', match_type: 'x' }] }],
      ],
      [
        'a match type in another case',
        [good, { ...good, topics: [{ match: '/a', match_type: 'URLPattern' }] }],
      ],
      [
        'a URL Pattern that is none',
        [good, { ...good, topics: [{ match: '/:a/:a', match_type: 'urlpattern' }] }],
      ],
      ['an invisible character in a match', [good, { ...good, topics: [{ match: 'a\u200b' }] }]],
      ['a payload that is no object', [good, { ...good, payload: 'x' }]],
      ['too long a match', [good, { ...good, topics: [{ match: 'x'.repeat(1025) }] }]],
      ['too many entries', Array.from({ length: 33 }, () => good)],
      [
        'too many topics',
        [
          detail(
            ['publish'],
            Array.from({ length: 101 }, (_, i) => String(i)),
          ),
        ],
      ],
    ])('with %s make the whole token invalid', async (_, details) => {
      const { status, headers } = await publish({ topic: 'a' }, await mint(details));
      expect([status, headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringContaining('error="invalid_token"'),
      ]);
    });

    test('of other types, and actions that nobody knows, allow nothing and harm nothing', async () => {
      const other = { type: 'https://other.example.com', anything: true };
      const known = await mint([other, detail(['unsubscribe'], ['*']), detail(['publish', 'dance'], ['a'])]);
      expect((await publish({ topic: 'a' }, known)).status).toBe(200);
      expect((await publish({ topic: 'b' }, known)).status).toBe(403);
      const type = { ...detail(['publish'], ['*']), type: 'HTTPS://mercure.rocks/authorization-detail' };
      expect((await publish({ topic: 'a' }, await mint([type]))).status).toBe(403);
    });

    test.each([undefined, []])('that are %o allow nothing', async (details) => {
      const token = await mint(details);
      const { status, headers } = await publish({ topic: 'a' }, token);
      expect([status, headers.get('www-authenticate')]).toEqual([
        403,
        expect.stringMatching(/^Bearer error="insufficient_scope"/),
      ]);
    });

    test.each([
      ['by name', [['a'], 'a'], 200],
      ['by another name', [['a'], 'A'], 403],
      ['by a pattern', [[pattern('https://example.com/:x')], 'https://example.com/1'], 200],
      [
        'by a pattern that doesn’t match',
        [[pattern('https://example.com/:x')], 'https://example.com/1/2'],
        403,
      ],
      ['by a pattern relative to the hub', [[pattern('/books/:id')], 'https://hub.example.com/books/1'], 200],
      ['by the wildcard of any type', [[{ match: '*', match_type: 'urlpattern' }], 'a'], 200],
      ['by what looks like the wildcard', [[pattern('https://*/*')], 'http://['], 403],
    ] as const)('allow to publish %s', async (_, [topics, topic], expected) => {
      expect((await publish({ topic }, await mint([detail(['publish'], [...topics])]))).status).toBe(
        expected,
      );
    });

    test('must allow every topic of an update, or nobody gets it', async () => {
      const [mine, other] = [freshTopic(), freshTopic()];
      const token = await mint([detail(['publish'], [mine])]);
      const stream = await subscribe({ match: mine });
      const form = [
        ['topic', mine],
        ['topic', other],
        ['data', 'refused'],
      ] as const;
      expect((await publish(form, token)).status).toBe(403);
      await publish({ topic: mine, data: 'allowed' }, token);
      expect(await next(stream)).toEqual(['allowed']);
    });
  });

  describe('a private update', () => {
    test.each(['on', '', 'false', '0'])('is private though its field says "%s"', async (value) => {
      const topic = freshTopic();
      const anonymous = await subscribe({ match: topic });
      const authorized = await subscribe({ match: topic }, await mint([detail(['subscribe'], [topic])]));
      await publish({ topic, data: 'secret', private: value }, all);
      await publish({ topic, data: 'public' }, all);
      expect(await next(anonymous)).toEqual(['public']);
      expect(await next(authorized, 2)).toEqual(['secret', 'public']);
    });

    test('is private if the field has no value at all', async () => {
      const topic = freshTopic();
      const anonymous = await subscribe({ match: topic });
      await publish(`topic=${topic}&data=secret&private`, all);
      await publish({ topic, data: 'public' }, all);
      expect(await next(anonymous)).toEqual(['public']);
    });

    test('reaches only those whose token allows one of its topics, whatever they listen to', async () => {
      const book = freshTopic();
      const user = `https://example.com/users/${crypto.randomUUID()}`;
      const listening = [['match', book]] as const;
      const own = await subscribe(listening, await mint([detail(['subscribe'], [pattern(`${user}/*`)])]));
      const other = await subscribe(listening, await mint([detail(['subscribe'], [`${book}/x`])]));
      const publisher = await subscribe(listening, await mint([detail(['publish'], ['*'])]));
      await publish(
        [
          ['topic', book],
          ['topic', `${user}/books/1`],
          ['data', 'secret'],
          ['private', 'on'],
        ],
        all,
      );
      await publish({ topic: book, data: 'public' }, all);
      expect(await next(own, 2)).toEqual(['secret', 'public']);
      expect(await next(other)).toEqual(['public']);
      expect(await next(publisher)).toEqual(['public']);
    });
  });

  describe('a stream', () => {
    test('ends when its token does', async () => {
      const exp = Math.floor(Date.now() / 1000) + 8;
      const stream = await subscribe(
        { match: freshTopic() },
        await mint([detail(['subscribe'], ['*'])], { claims: { exp } }),
      );
      expect(stream.status).toBe(200);
      await stream.frames.end();
      // The sweep comes every half second, and rounds down. Without the token's end, the stream would last an hour.
      expect(Date.now()).toBeLessThan(exp * 1000 + DEADLINE);
    });
  });

  describe('reconnecting', () => {
    async function history(
      ...updates: readonly Record<string, string>[]
    ): Promise<{ topic: string; ids: string[] }> {
      const topic = freshTopic();
      const ids: string[] = [];
      for (const update of updates) ids.push((await publish({ topic, ...update }, all)).text);
      return { topic, ids };
    }

    test.each(['publisher’s', 'hub’s'])('brings what came after an id of the %s', async (whose) => {
      const named = (n: number): Record<string, string> =>
        whose === 'hub’s' ? { data: String(n) } : { data: String(n), id: `urn:uuid:${crypto.randomUUID()}` };
      const { topic, ids } = await history(named(1), named(2), named(3));
      for (const query of [{ match: topic }, { match: topic, last_event_id: 'earliest' }]) {
        const stream = await subscribe(query, undefined, { 'last-event-id': ids[0] as string });
        expect(stream.headers['mercure-last-event-id']).toBe(ids[0]);
        expect(await next(stream, 2)).toEqual(['2', '3']);
      }
      const byQuery = await subscribe({ match: topic, last_event_id: ids[1] as string });
      expect(byQuery.headers['mercure-last-event-id']).toBe(ids[1]);
      expect(await next(byQuery)).toEqual(['3']);
    });

    test('takes an id in any script, in the field and in the answer', async () => {
      const { topic } = await history({ data: '1', id: 'é-💫' }, { data: '2' });
      const field = Buffer.from('é-💫', 'utf8').toString('latin1');
      const stream = await subscribe({ match: topic }, undefined, { 'last-event-id': field });
      expect(stream.headers['mercure-last-event-id']).toBe(field);
      expect(await next(stream)).toEqual(['2']);
    });

    test('without an id begins with what comes next, and has no field', async () => {
      const { topic } = await history({ data: '1' });
      const stream = await subscribe({ match: topic });
      expect(stream.headers['mercure-last-event-id']).toBeUndefined();
      await publish({ topic, data: '2' }, all);
      expect(await next(stream)).toEqual(['2']);
    });

    test.each(['earliest', 'urn:unknown', '#other.5', '#earliest', '#', 'what?'])(
      'from "%s" brings all there is',
      async (id) => {
        const { topic } = await history({ data: '1' }, { data: '2' });
        const stream = await subscribe({ match: topic, last_event_id: id });
        expect(stream.headers['mercure-last-event-id']).toBe('earliest');
        expect(await next(stream, 2)).toEqual(['1', '2']);
      },
    );

    test('has the field in the answer even to an empty id, which stands for what comes next', async () => {
      const { topic, ids } = await history({ data: '1' });
      for (const [query, headers] of [
        [{ match: topic, last_event_id: '' }, {}],
        [{ match: topic }, { 'last-event-id': '' }],
      ] as const) {
        const stream = await subscribe(query, undefined, headers);
        const field = String(stream.headers['mercure-last-event-id']);
        expect(field).toMatch(/^#/);
        const data = crypto.randomUUID();
        await publish({ topic, data }, all);
        expect(await next(stream)).toEqual([data]);
        const again = await subscribe({ match: topic, last_event_id: field });
        expect(await next(again)).toEqual([data]);
        expect(field).not.toBe(ids[0] === undefined ? '' : 'earliest');
      }
    });

    test('from an id that was used again begins after its first update', async () => {
      const id = `urn:uuid:${crypto.randomUUID()}`;
      const { topic } = await history({ data: '1', id }, { data: '2' }, { data: '3', id }, { data: '4' });
      const stream = await subscribe({ match: topic, last_event_id: id });
      expect(stream.headers['mercure-last-event-id']).toBe(id);
      expect(await next(stream, 3)).toEqual(['2', '3', '4']);
    });

    test('says so if updates since then are gone', async () => {
      const ids: string[] = [];
      for (const data of ['1', '2', '3', '4', '5'])
        ids.push((await publish({ topic: 'short', data }, all)).text);
      const stream = await subscribe({ match: 'short' }, undefined, { 'last-event-id': ids[1] as string });
      expect(stream.headers['mercure-last-event-id']).not.toBe(ids[1]);
      expect(await next(stream, 2)).toEqual(['4', '5']);
      const exact = await subscribe({ match: 'short' }, undefined, { 'last-event-id': ids[3] as string });
      expect(exact.headers['mercure-last-event-id']).toBe(ids[3]);
    });

    test('brings private updates only as far as the present token allows', async () => {
      const { topic, ids } = await history({ data: '1' }, { data: 'secret', private: 'on' }, { data: '3' });
      const after = { match: topic, last_event_id: ids[0] as string };
      expect(await next(await subscribe(after), 1)).toEqual(['3']);
      expect(await next(await subscribe(after, await mint([detail(['subscribe'], [`${topic}/x`])])))).toEqual(
        ['3'],
      );
      expect(await next(await subscribe(after, await mint([detail(['subscribe'], [topic])])), 2)).toEqual([
        'secret',
        '3',
      ]);
    });

    test('gets on exactly from a heartbeat, long after the last update', async () => {
      const topic = freshTopic();
      const quiet = await subscribe({ match: topic });
      await until('a heartbeat', () => quiet.frames.text.split('\n:\n').length > 1);
      quiet.cut();
      const id = /\nid: (#\S+)\n\n(?!.*id:)/s.exec(quiet.frames.text)?.[1] ?? '';
      await publish({ topic, data: '1' }, all);
      const stream = await subscribe({ match: topic }, undefined, { 'last-event-id': id });
      expect(stream.headers['mercure-last-event-id']).toBe(id);
      expect(await next(stream)).toEqual(['1']);
    });
  });

  describe('both doors', () => {
    test('lead to the same subscribers', async () => {
      const topic = freshTopic();
      const token = await tokenFor('both', { publish: [topic], subscribe: [topic] }).catch(() => '');
      const mercure = await subscribe({ match: topic });
      const own = await ask(`${server.publicUrl}/v1/events?topic=${encodeURIComponent(topic)}`);
      await own.frames.nextEvent();
      await publish({ topic, data: 'by Mercure', id: 'urn:x' }, all);
      expect((await own.frames.nextEvent()).data).toBe('by Mercure');
      expect(await next(mercure)).toEqual(['by Mercure']);
      expect(token).not.toBe('');
    });
  });

  describe('the metadata', () => {
    test('says what the hub is and takes', async () => {
      const { status, headers, text } = await get(
        '/.well-known/oauth-protected-resource/.well-known/mercure',
      );
      expect([status, headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
      expect(JSON.parse(text)).toEqual({
        resource: HUB,
        authorization_details_types_supported: ['https://mercure.rocks/authorization-detail'],
        bearer_methods_supported: ['header'],
        mercure_cookie: '__Secure-mercure_access_token',
        mercure_matcher_types_supported: ['exact', 'urlpattern'],
        mercure_subscriptions: true,
      });
    });
  });

  describe('active subscriptions', () => {
    const ROOT = '/.well-known/mercure/subscriptions';
    const expand = (text: string): string =>
      encodeURIComponent(text).replaceAll(
        /[!'()*]/g,
        (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
      );

    interface Document {
      readonly id: string;
      readonly subscriber: string;
      readonly active: boolean;
      readonly payload?: object;
    }

    test('are announced when they begin and end, privately, as events of the type "mercure"', async () => {
      const text = `https://example.com/(${crypto.randomUUID()})*/:x`;
      const topics = `${ROOT}/urlpattern/${expand(text)}/:subscriber`;
      const watcher = await subscribe({ match_urlpattern: topics }, all);
      const stranger = await subscribe([
        ['match_urlpattern', topics],
        ['match', 'marker'],
      ]);
      const stream = await subscribe({ match_urlpattern: text.replace('(', '').replace(')', '') }, all);
      stream.cut();
      const subscriber = await subscribe({ match: text }, all);
      expect(subscriber.status).toBe(200);
      const exact = await subscribe({ match_urlpattern: `${ROOT}/exact/${expand(text)}/:subscriber` }, all);
      subscriber.cut();
      const ended = await exact.frames.nextEvent();
      const document = JSON.parse(ended.data) as Document;
      expect(ended.type).toBe('mercure');
      expect(document).toEqual({
        id: `${ROOT}/exact/${expand(text)}/${expand(document.subscriber)}`,
        type: 'subscription',
        match_type: 'exact',
        match: text,
        subscriber: expect.stringMatching(/^urn:uuid:[0-9a-f-]{36}$/),
        active: false,
      });
      await publish({ topic: 'marker', data: 'marker' }, all);
      expect(await next(stranger)).toEqual(['marker']);
      watcher.cut();
    });

    test('begin with an event, and are listed with its document', async () => {
      const topic = freshTopic();
      const watcher = await subscribe(
        { match_urlpattern: `${ROOT}/:type/${expand(topic)}/:subscriber` },
        all,
      );
      const first = await subscribe({ match: topic }, all);
      const second = await subscribe(
        [
          ['match_urlpattern', topic],
          ['match', `${topic}/x`],
        ],
        all,
      );
      const [begun, other] = [await watcher.frames.nextEvent(), await watcher.frames.nextEvent()];
      const [one, two] = [begun, other].map(({ data }) => JSON.parse(data) as Document);
      expect(one?.active).toBe(true);
      expect(one?.subscriber).not.toBe(two?.subscriber);
      const single = await get(one?.id ?? '', all);
      expect([single.status, single.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(JSON.parse(single.text)).toEqual(one);
      const collection = await get(`${ROOT}/exact/${expand(topic)}`, all);
      expect(JSON.parse(collection.text)).toEqual({
        id: `${ROOT}/exact/${expand(topic)}`,
        type: 'subscriptions',
        subscriptions: [one],
      });
      const { subscriptions } = JSON.parse((await get(ROOT, all)).text) as { subscriptions: Document[] };
      expect(subscriptions).toEqual(expect.arrayContaining([one, two]));
      // Both of one connection have the same subscriber.
      expect(subscriptions.filter(({ subscriber }) => subscriber === two?.subscriber)).toHaveLength(2);
      first.cut();
      await untilAsync('the end', async () => (await get(one?.id ?? '', all)).status === 404);
      second.cut();
    });

    test('can be followed from the cursor of the list', async () => {
      const topic = freshTopic();
      const list = await get(ROOT, all);
      const link = list.headers.get('link') ?? '';
      expect(link).toMatch(
        /^<https:\/\/hub\.example\.com\/\.well-known\/mercure>; rel="mercure"; last-event-id="(#[^"]+)"; type="mercure"; content-type="application\/json"$/,
      );
      const stream = await subscribe({ match: topic }, all);
      const id = /last-event-id="([^"]+)"/.exec(link)?.[1] ?? '';
      const watcher = await subscribe(
        { match_urlpattern: `${ROOT}/exact/${expand(topic)}/:s`, last_event_id: id },
        all,
      );
      expect(watcher.headers['mercure-last-event-id']).toBe(id);
      expect(JSON.parse((await watcher.frames.nextEvent()).data)).toMatchObject({
        active: true,
        match: topic,
      });
      stream.cut();
    });

    test('show the payload of the first detail that matches', async () => {
      const topic = freshTopic();
      const token = await mint([
        detail(['publish'], ['*'], { payload: { of: 'a publisher' } }),
        detail(['subscribe'], [topic], { payload: { of: 'the topic' } }),
        detail(['subscribe'], [pattern(`${topic}/:id`)], { payload: { of: 'the pattern' } }),
        detail(['subscribe'], ['*'], { payload: { of: 'the rest' } }),
      ]);
      const stream = await subscribe(
        [
          ['match', topic],
          ['match_urlpattern', `${topic}/:id`],
          ['match', 'x'],
        ],
        token,
      );
      const payloadOf = async (type: string, match: string) => {
        const { text } = await get(`${ROOT}/${type}/${expand(match)}`, all);
        return (JSON.parse(text) as { subscriptions: Document[] }).subscriptions.map(
          ({ payload }) => payload,
        );
      };
      expect(await payloadOf('exact', topic)).toEqual([{ of: 'the topic' }]);
      expect(await payloadOf('urlpattern', `${topic}/:id`)).toEqual([{ of: 'the pattern' }]);
      expect(await payloadOf('exact', 'x')).toContainEqual({ of: 'the rest' });
      stream.cut();
    });

    test.each([
      ['no token', undefined, 401],
      ['a token for other topics', ['a'], 403],
      ['a token for the list itself', [ROOT], 200],
      ['a token for its pattern', [pattern('/.well-known/mercure/subscriptions*')], 200],
      [
        'a token for its absolute pattern',
        [pattern('https://hub.example.com/.well-known/:a/subscriptions')],
        200,
      ],
      ['a token for the absolute topic by name', [`https://hub.example.com${ROOT}`], 403],
      ['a token for all', ['*'], 200],
    ])('are shown with %s: %s', async (_, topics, expected) => {
      const token = topics === undefined ? undefined : await mint([detail(['subscribe'], topics)]);
      expect((await get(`${ROOT}?x=1`, token)).status).toBe(expected);
    });

    test('aren’t shown to a token that may only publish', async () => {
      expect((await get(ROOT, await mint([detail(['publish'], ['*'])]))).status).toBe(403);
    });

    test.each(['/exact/nobody/urn%3Auuid%3Ax', '/glob/a', '/exact', '/exact/a/b/c', '/exact/%ff/x'])(
      'that don’t exist (%s) are a 404',
      async (path) => {
        expect((await get(ROOT + path, all)).status).toBe(404);
      },
    );

    test('are refused with the challenge of each refusal', async () => {
      const none = await get(ROOT);
      expect(none.headers.get('www-authenticate')).toBe(
        'Bearer resource_metadata="https://hub.example.com/.well-known/oauth-protected-resource/.well-known/mercure"',
      );
      const other = await get(ROOT, await mint([detail(['subscribe'], ['a'])]));
      expect(other.headers.get('www-authenticate')).toMatch(/^Bearer error="insufficient_scope"/);
      const invalid = await get(ROOT, 'x.y.z');
      expect([invalid.status, invalid.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^Bearer error="invalid_token"/),
      ]);
    });

    test('have a path in which everything is encoded exactly once, and a subscriber whom nobody can choose', async () => {
      const match = `https://example.com/%2F ${crypto.randomUUID()}?a=é&b`;
      const watcher = await subscribe({ match_urlpattern: `${ROOT}/*` }, all);
      const stream = await subscribe({ match, subscriber: 'urn:chosen' }, all, { subscriber: 'urn:chosen' });
      let document: Document | undefined;
      while (document?.id.startsWith(`${ROOT}/exact/${expand(match)}/`) !== true)
        document = JSON.parse((await watcher.frames.nextEvent()).data) as Document;
      expect(document.id).toBe(`${ROOT}/exact/${expand(match)}/${expand(document.subscriber)}`);
      expect(document.id).toContain('%252F');
      expect(document.subscriber).toMatch(/^urn:uuid:/);
      expect(JSON.parse((await get(document.id, all)).text)).toEqual(document);
      stream.cut();
      watcher.cut();
    });

    test('have the cursor at every URL, which pages of listed origins may read', async () => {
      const topic = freshTopic();
      const stream = await subscribe({ match: topic }, all);
      const collection = `${ROOT}/exact/${expand(topic)}`;
      const { subscriptions } = JSON.parse((await get(collection, all)).text) as {
        subscriptions: Document[];
      };
      for (const path of [ROOT, collection, subscriptions[0]?.id ?? '']) {
        const { status, headers } = await get(path, all, { origin: 'https://app.example.com' });
        expect([status, headers.get('content-type')]).toEqual([200, 'application/json']);
        expect(headers.get('link')).toMatch(/; rel="mercure"; last-event-id="#[^"]+"; type="mercure"/);
        expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com');
        expect(headers.get('access-control-expose-headers')).toContain('Link');
      }
      stream.cut();
    });

    test('can’t be forged through the HTTP API either', async () => {
      const token = await mint([], { claims: { tidings: { publish: [{ pattern: '*' }] } } });
      for (const event of [
        { topics: `${ROOT}/exact/a/b`, data: 1 },
        { topics: ['a', `https://hub.example.com${ROOT}/x`], data: 1 },
        { topics: 'a', data: 1, type: 'mercure' },
      ]) {
        const { status } = await fetch(`${server.publicUrl}/v1/publish`, {
          method: 'POST',
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          body: JSON.stringify(event),
        });
        expect(status).toBe(400);
      }
    });
  });

  describe('the HTTP API with Mercure on', () => {
    test.each([
      ['without topics', { data: 1 }, 'topic/missing'],
      ['with a misspelt `topics`', { topic: 'a', data: 1 }, 'event/invalid-option'],
      ['with a number for topics', { topics: 7, data: 1 }, 'topic/invalid'],
      ['with an empty topic', { topics: '', data: 1 }, 'topic/invalid'],
    ])('refuses an event %s, and says what is wrong', async (_name, event, code) => {
      const token = await mint([], { claims: { tidings: { publish: [{ pattern: '*' }] } } });
      const response = await fetch(`${server.publicUrl}/v1/publish`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(event),
      });
      expect([response.status, await response.json()]).toEqual([400, expect.objectContaining({ code })]);
    });
  });
});
