import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../tidings/test/http/client.ts';
import { describeApi } from '../src/api/openapi.ts';
import { ApiDescription } from './api-description.ts';
import { type Started, startServer, tokenFor } from './server-process.ts';

let server: Started;
let all: string;
let news: string;
let reader: string;
/** Every answer that the tests of this file have seen. */
const description = new ApiDescription(describeApi());

beforeAll(async () => {
  server = await startServer({
    args: [
      '--publish-body-limit=64KiB',
      '--publish-batch=10',
      '--publish-origins=https://app.example',
      '--auth-anonymous-subscribe=news',
      '--topics=[{"pattern": "price/*", "state": true}]',
    ],
  });
  all = await tokenFor('all', { publish: ['*'], subscribe: ['*'], private: ['*'] });
  news = await tokenFor('news', { publish: ['news', 'news/*'] });
  reader = await tokenFor('reader', { subscribe: ['*'] });
});
afterAll(() => server.stop());

interface Posted {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { readonly code?: string };
}

interface Post {
  readonly token?: string | undefined;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function post(
  body: unknown,
  { token = all, type = 'application/json', headers = {} }: Post = {},
): Promise<Posted> {
  const response = await fetch(`${server.publicUrl}/v1/publish`, {
    method: 'POST',
    headers: {
      ...(type !== '' && { 'content-type': type }),
      ...(token !== '' && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: typeof body === 'string' || body instanceof Uint8Array ? (body as BodyInit) : JSON.stringify(body),
  });
  const answer = (await response.json()) as Posted['body'];
  description.saw('post', '/v1/publish', response, answer);
  return { status: response.status, headers: response.headers, body: answer };
}

async function follow(query: string, token = all) {
  const headers = token === '' ? {} : { authorization: `Bearer ${token}` };
  const reply = await ask(`${server.publicUrl}/v1/events?${query}`, { headers });
  const { status, headers: given } = reply;
  const answer = status === 200 ? reply.frames.text : await reply.json();
  description.saw(
    'get',
    '/v1/events',
    { status, headers: new Headers({ 'content-type': String(given['content-type']) }) },
    answer,
  );
  return { ...reply, frames: reply.frames, json: () => Promise.resolve(answer as Record<string, unknown>) };
}

describe('publishing over HTTP', () => {
  test('of one event answers with its cursor, and subscribers get it', async () => {
    const { frames } = await follow('topic=greetings');
    await frames.nextEvent();
    const { status, headers, body } = await post({ topics: 'greetings', data: { text: 'Hi' }, type: 'note' });
    expect([status, headers.get('content-type'), headers.get('cache-control')]).toEqual([
      200,
      'application/json; charset=utf-8',
      'no-store',
    ]);
    expect(body).toEqual({ cursor: expect.any(String), seq: expect.any(Number), duplicate: false });
    expect(await frames.nextEvent()).toMatchObject({
      type: 'note',
      data: '{"text":"Hi"}',
      id: body['cursor'],
    });
  });

  test.each([
    [
      'a list',
      'application/json',
      JSON.stringify([
        { topics: 'l', data: 1 },
        { topics: ['l', 'm'], data: 2 },
      ]),
    ],
    ['lines', 'application/x-ndjson', '{"topics":"l","data":1}\n{"topics":["l","m"],"data":2}\n\n'],
  ])('of %s answers with a list, in order', async (_name, type, text) => {
    const { frames } = await follow('topic=l');
    await frames.nextEvent();
    const { status, body } = await post(text, { type });
    expect(status).toBe(200);
    const seqs = (body as unknown as { seq: number }[]).map(({ seq }) => seq);
    expect(seqs).toEqual([seqs[0], (seqs[0] ?? 0) + 1]);
    expect([(await frames.nextEvent()).data, (await frames.nextEvent()).data]).toEqual(['1', '2']);
  });

  test('of a form has text as data, or whatever `raw` says', async () => {
    const { frames } = await follow('topic=form&topic=b');
    await frames.nextEvent();
    const form = (fields: string) => post(fields, { type: 'application/x-www-form-urlencoded' });
    expect((await form('topics=form&topics=b&data=1+%26+2&type=note')).status).toBe(200);
    expect(await frames.nextEvent()).toMatchObject({ type: 'note', data: '"1 & 2"' });
    expect((await form('topics=form&raw=true&data=%7B%22n%22%3A1%7D')).status).toBe(200);
    expect((await frames.nextEvent()).data).toBe('{"n":1}');
  });

  test('is all or none', async () => {
    const { body: before } = await post({ topics: 'a', data: 1 });
    const { status, body } = await post([
      { topics: 'a', data: 2 },
      { topics: 'a', data: 3, type: 'two\nlines' },
    ]);
    expect([status, body.code, body['index']]).toEqual([400, 'event/invalid-type', 1]);
    const { body: after } = await post({ topics: 'a', data: 4 });
    expect(after['seq']).toBe(Number(before['seq']) + 1);
  });

  test('with a condition answers 409 with what is there, and nothing is published', async () => {
    const price = { topics: 'price/tea', key: 'tea', data: 1 };
    const { body: first } = await post({ ...price, ifAbsent: true });
    expect(first).toMatchObject({ duplicate: false });
    const { status, body } = await post({ ...price, ifAbsent: true });
    expect([status, body.code, body['seq']]).toEqual([409, 'event/conflict', first['seq']]);
    expect((await post({ ...price, ifSeq: first['seq'], data: 2 })).status).toBe(200);
    expect((await post({ ...price, ifSeq: first['seq'], data: 3 })).status).toBe(409);
    expect((await post({ topics: 'price/tea', key: 'tea', tombstone: true })).status).toBe(200);
  });

  test('with the same Idempotency-Key publishes once for a credential, quoted or not', async () => {
    const key = { 'idempotency-key': 'order-1' };
    const order = [
      { topics: 'news', data: 1 },
      { topics: 'news', data: 2 },
    ];
    const { body: first } = await post(order, { headers: key });
    const { status, body: again } = await post(order, { headers: { 'idempotency-key': '"order-1"' } });
    expect(status).toBe(200);
    expect(again).toEqual((first as unknown as object[]).map((each) => ({ ...each, duplicate: true })));
    const { body: other } = await post(order, { headers: key, token: news });
    expect(other).toMatchObject([{ duplicate: false }, { duplicate: false }]);
  });

  test('with a condition and an Idempotency-Key succeeds again when it is retried', async () => {
    const headers = { 'idempotency-key': 'conditional' };
    const event = { topics: 'price/milk', key: 'milk', data: 1, ifAbsent: true };
    const { body: first } = await post(event, { headers });
    const { status, body } = await post(event, { headers });
    expect([status, body]).toEqual([200, { ...first, duplicate: true }]);
  });

  test('of data named like parts of JavaScript passes it on unchanged', async () => {
    const { frames } = await follow('topic=odd');
    await frames.nextEvent();
    await post('{"topics": "odd", "data": {"__proto__": {"a": 1}, "constructor": {"prototype": 2}}}');
    expect((await frames.nextEvent()).data).toBe('{"__proto__":{"a":1},"constructor":{"prototype":2}}');
    expect((await post('{"topics": "odd", "data": 1, "__proto__": {"private": true}}')).body.code).toBe(
      'event/invalid-option',
    );
  });
});

describe('a request to publish is refused', () => {
  const event = { topics: 'news', data: 1 };
  const manyEvents = Array.from({ length: 11 }, () => event);
  const deep = `{"topics":"a","data":${'['.repeat(30_000)}${']'.repeat(30_000)}}`;

  test.each<[string, unknown, Post, number, string]>([
    ['without credentials', event, { token: '' }, 401, 'auth/unauthorized'],
    ['with a token of another key', event, { token: 'x.y.z' }, 401, 'auth/invalid-token'],
    [
      'with a scheme that is no Bearer',
      event,
      { token: '', headers: { authorization: 'Basic YTpi' } },
      401,
      'auth/unauthorized',
    ],
    [
      'for a topic that isn’t granted',
      { topics: ['news', 'other'], data: 1 },
      { token: 'news' },
      403,
      'auth/forbidden',
    ],
    ['by a token that only reads', event, { token: 'reader' }, 403, 'auth/forbidden'],
    ['that is no JSON', '{"topics":', {}, 400, 'request/invalid-body'],
    ['that is empty', '', {}, 400, 'request/invalid-body'],
    ['that is no object', '5', {}, 400, 'request/invalid-body'],
    ['that is an empty list', '[]', {}, 400, 'request/invalid-body'],
    ['that is no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), {}, 400, 'request/invalid-body'],
    [
      'with a line that is no JSON',
      '{"topics":"a","data":1}\n{',
      { type: 'application/x-ndjson' },
      400,
      'request/invalid-body',
    ],
    ['without topics', { data: 1 }, {}, 400, 'topic/missing'],
    ['without data', { topics: 'news' }, {}, 400, 'event/invalid-data'],
    ['with a topic that has control characters', { topics: 'a\nb', data: 1 }, {}, 400, 'topic/invalid'],
    ['on a topic of the hub', { topics: 'presence/a', data: 1 }, {}, 400, 'topic/reserved'],
    [
      'on a topic of the server',
      { topics: ['news', 'tidings/server/connections'], data: 1 },
      {},
      400,
      'topic/reserved',
    ],
    ['with a misspelt field', { ...event, privat: true }, {}, 400, 'event/invalid-option'],
    [
      'with a field of a form that is misspelt',
      'topic=a&data=1',
      { type: 'application/x-www-form-urlencoded' },
      400,
      'event/invalid-option',
    ],
    [
      'with a flag that is no flag',
      'topics=a&data=1&private=1',
      { type: 'application/x-www-form-urlencoded' },
      400,
      'event/invalid-option',
    ],
    [
      'of JSON that came as a form',
      event,
      { type: 'application/x-www-form-urlencoded' },
      400,
      'request/invalid-body',
    ],
    ['with data that is nested too deeply', deep, {}, 400, 'event/invalid-data'],
    ['with another content type', 'hello', { type: 'text/plain' }, 415, 'request/unsupported-media-type'],
    ['without a content type', new Uint8Array([1]), { type: '' }, 415, 'request/unsupported-media-type'],
    ['with a large body', { topics: 'a', data: 'x'.repeat(70_000) }, {}, 413, 'request/body-too-large'],
    ['with too many events', manyEvents, {}, 413, 'request/too-many-events'],
    [
      'with an empty Idempotency-Key',
      event,
      { headers: { 'idempotency-key': '' } },
      400,
      'request/invalid-idempotency-key',
    ],
    [
      'with a broken Idempotency-Key',
      event,
      { headers: { 'idempotency-key': '"a' } },
      400,
      'request/invalid-idempotency-key',
    ],
    [
      'by a page of another origin',
      event,
      { headers: { origin: 'https://evil.example' } },
      403,
      'auth/forbidden',
    ],
    [
      'by a page without origin',
      event,
      { headers: { origin: 'null', 'sec-fetch-site': 'cross-site' } },
      403,
      'auth/forbidden',
    ],
    [
      'by a sandboxed page that claims the same site',
      event,
      { headers: { origin: 'null', 'sec-fetch-site': 'same-site' } },
      403,
      'auth/forbidden',
    ],
    [
      'by a page that pretends to be of another port',
      event,
      { headers: { origin: 'https://app.example:8443' } },
      403,
      'auth/forbidden',
    ],
  ])('%s', async (_name, body, given, status, code) => {
    const token = { news, reader }[given.token ?? ''] ?? given.token;
    const answer = await post(body, { ...given, token });
    expect([answer.status, answer.body.code, answer.body['status']]).toEqual([status, code, status]);
    expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8');
  });

  test('with an Idempotency-Key that was used for another body', async () => {
    const headers = { 'idempotency-key': 'again' };
    await post(event, { headers });
    const { status, body } = await post({ ...event, data: 2 }, { headers });
    expect([status, body.code]).toEqual([422, 'request/idempotency-key-reused']);
  });
});

describe('pages of other origins', () => {
  test('may publish if they are listed, and read the answer', async () => {
    const headers = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' };
    const preflight = await fetch(`${server.publicUrl}/v1/publish`, {
      method: 'OPTIONS',
      headers: { ...headers, 'access-control-request-method': 'POST' },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Idempotency-Key');
    const { status, headers: given } = await post({ topics: 'news', data: 1 }, { headers });
    expect([status, given.get('access-control-allow-origin'), given.get('vary')]).toEqual([
      200,
      'https://app.example',
      'Origin',
    ]);
  });

  test('learn nothing if they aren’t', async () => {
    const preflight = await fetch(`${server.publicUrl}/v1/publish`, {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('a stream', () => {
  test('of open topics needs no credentials, and has no private events', async () => {
    const { status, frames } = await follow('topic=news', '');
    expect(status).toBe(200);
    await frames.nextEvent();
    await post({ topics: 'news', data: 'secret', private: true });
    await post({ topics: 'news', data: 'public' });
    expect((await frames.nextEvent()).data).toBe('"public"');
  });

  test.each([
    ['topic=other', '', 401, 'auth/unauthorized'],
    ['pattern=*', '', 401, 'auth/unauthorized'],
    ['topic=other', 'news', 403, 'auth/forbidden'],
    ['topics=other', 'all', 400, 'topic/missing'],
    ['', 'all', 400, 'topic/missing'],
  ])('of ?%s with the token %j answers %i', async (query, name, status, code) => {
    const token = { news, all }[name] ?? '';
    const reply = await follow(query, token);
    expect([reply.status, (await reply.json())['code']]).toEqual([status, code]);
  });

  test('begins with the cursor that an app read before its database', async () => {
    const response = await fetch(`${server.publicUrl}/v1/cursor`, {
      headers: { authorization: `Bearer ${reader}` },
    });
    const answer = (await response.json()) as { cursor: string };
    description.saw('get', '/v1/cursor', response, answer);
    const { cursor } = answer;
    await post({ topics: 'list', data: 'later' });
    const { frames } = await follow(`topic=list&last_event_id=${cursor}`);
    expect((await frames.nextEvent()).type).toBe('tidings:welcome');
    expect((await frames.nextEvent()).data).toBe('"later"');
  });

  test('changes its topics by POST to the same URL', async () => {
    const { frames } = await follow('topic=one');
    const { data } = await frames.nextEvent();
    const { connection, secret } = JSON.parse(data);
    const changed = await ask(`${server.publicUrl}/v1/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${all}`, 'content-type': 'application/json' },
      json: { connection, secret, add: ['two'] },
    });
    expect(changed.status).toBe(200);
    expect(await frames.nextEvent()).toMatchObject({ type: 'tidings:subscribed' });
    await post({ topics: 'two', data: 2 });
    expect((await frames.nextEvent()).data).toBe('2');
  });
});

test.each([
  ['GET', '/', 404, 'request/not-found'],
  ['GET', '/v1/publish', 405, 'request/method-not-allowed'],
  ['DELETE', '/v1/events', 405, 'request/method-not-allowed'],
  ['GET', '/v1/%00', 404, 'request/not-found'],
  ['GET', '/v1/%', 404, 'request/not-found'],
])('%s %s answers %i with problem details', async (method, path, status, code) => {
  const reply = await ask(server.publicUrl + path, { method });
  expect([reply.status, (await reply.json())['code']]).toEqual([status, code]);
});

describe('the description of the API', () => {
  test('is valid OpenAPI, and what the server serves', async () => {
    const response = await fetch(`${server.publicUrl}/openapi.json`);
    const served: unknown = await response.json();
    description.saw('get', '/openapi.json', response, served);
    expect(served).toEqual(describeApi());
    expect(await description.errors()).toEqual([]);
  });

  test('has every answer that these tests have seen, in the form that it says', () => {
    expect(description.undescribed()).toEqual([]);
    expect(description.seen('post', '/v1/publish')).toEqual([200, 400, 401, 403, 409, 413, 415, 422]);
  });

  test('has examples that the server accepts', async () => {
    for (const { mediaType, body, isValid } of description.examples('post', '/v1/publish')) {
      expect([body, isValid]).toEqual([body, true]);
      const { status } = await post(body, { type: mediaType });
      // The example of a condition has another seq than here.
      expect([200, 409]).toContain(status);
    }
  });
});

test('nothing that went wrong here was a failure of the server', () => {
  expect(server.output()).not.toContain('"level":50');
});
