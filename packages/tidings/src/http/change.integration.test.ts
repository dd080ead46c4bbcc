import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { createHub, unauthorized } from '../index.ts';
import type { Welcome } from '../protocol/control.ts';
import { createDecoder } from '../protocol/decode.ts';
import { sse as sseFetch } from '../fetch/index.ts';
import { sse } from '../node/index.ts';

interface Event {
  readonly type: string;
  readonly data: string;
}

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp();
});

const options = {
  authorize: (req: { headers: { authorization?: string | undefined } | Headers }) => {
    const { headers } = req;
    const user = headers instanceof Headers ? headers.get('authorization') : headers.authorization;
    if (typeof user !== 'string') throw unauthorized();
    return { subject: user, topics: ['a', 'b', { pattern: `user/${user}/*` }] };
  },
};

type Send = (init: {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string;
}) => Promise<Response>;

async function serveNode(hub: ReturnType<typeof createHub>): Promise<Send> {
  const server: Server = createServer(sse(hub, options));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUps.push(async () => {
    await hub.close({ within: 0 });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return ({ path = '/', ...init }) => fetch(`http://127.0.0.1:${port}${path}`, init);
}

async function serveFetch(hub: ReturnType<typeof createHub>): Promise<Send> {
  const handle = sseFetch(hub, options);
  cleanUps.push(() => hub.close({ within: 0 }));
  return ({ path = '/', ...init }) => handle(new Request(`http://hub.test${path}`, init));
}

describe.each([
  ['node', serveNode],
  ['fetch', serveFetch],
])('over %s, a POST to the stream’s URL', (_, serve) => {
  async function open(user: string) {
    const hub = createHub();
    const send = await serve(hub);
    const stream = await send({ path: '/?topic=a', headers: { authorization: user } });
    const events: Event[] = [];
    const decoder = createDecoder({ onEvent: (event) => events.push(event) });
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader();
    const next = async (type: string): Promise<string> => {
      for (;;) {
        const found = events.find((event) => event.type === type);
        if (found !== undefined) return found.data;
        const { value, done } = await reader.read();
        if (done) throw new Error(`no ${type}`);
        decoder.feed(value);
      }
    };
    const welcome = JSON.parse(await next('tidings:welcome')) as Welcome;
    const post = (
      body: unknown,
      headers: Record<string, string> = { authorization: user },
    ): Promise<Response> =>
      send({
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
    return { hub, post, next, who: { connection: welcome.connection, secret: welcome.secret } };
  }

  test('adds and drops topics of the open stream', async () => {
    const { hub, post, next, who } = await open('ann');
    const reply = await post({ ...who, add: ['b', { pattern: 'user/ann/*' }], drop: ['a'] });
    expect(reply.status).toBe(200);
    const topics = ['b', { pattern: 'user/ann/*' }];
    expect(await reply.json()).toEqual({ cursor: hub.cursor(), topics });
    expect(JSON.parse(await next('tidings:subscribed'))).toEqual({ topics });
    await hub.publish('a', 1, { type: 'dropped' });
    await hub.publish('b', 2, { type: 'added' });
    expect(await next('added')).toBe('2');
    expect(hub.connections()[0]?.topics).toEqual(topics);
  });

  test('calls `authorize` anew', async () => {
    const { post, who } = await open('ann');
    expect((await post({ ...who, add: ['secret'] })).status).toBe(403);
    expect((await post({ ...who, add: [{ pattern: 'user/bob/*' }] })).status).toBe(403);
    expect((await post({ ...who, add: ['b'] }, {})).status).toBe(401);
    expect((await post({ ...who, add: ['b'] }, { authorization: 'bob' })).status).toBe(403);
  });

  test.each([
    ['not JSON', '{', 400, 'request/invalid-body'],
    ['not an object', 'null', 400, 'request/invalid-body'],
    ['no secret', '{"connection":"x"}', 400, 'request/invalid-body'],
    ['topics of a wrong type', '{"connection":"x","secret":"y","add":[1]}', 400, 'request/invalid-body'],
    ['an unknown connection', '{"connection":"x","secret":"y"}', 404, 'connection/unknown'],
    ['a huge body', 'x'.repeat(300_000), 413, 'request/body-too-large'],
    ['very many values', `[${'0,'.repeat(10_000)}0]`, 400, 'request/invalid-body'],
    ['what is nested deep', '['.repeat(100_000), 400, 'request/invalid-body'],
  ])('refuses %s', async (_what, body, status, code) => {
    const { post } = await open('ann');
    const reply = await post(body);
    expect(reply.status).toBe(status);
    expect(await reply.json()).toMatchObject({ code });
  });

  test('refuses a wrong secret, dropping all topics, and invalid topics', async () => {
    const { hub, post, who } = await open('ann');
    expect(await (await post({ ...who, secret: 'guess' })).json()).toMatchObject({
      code: 'connection/unknown',
    });
    expect(await (await post({ ...who, drop: ['a'] })).json()).toMatchObject({ code: 'topic/missing' });
    expect(await (await post({ ...who, add: ['a\nb'] })).json()).toMatchObject({ code: 'topic/invalid' });
    expect(hub.connections()[0]?.topics).toEqual(['a']);
  });
});
