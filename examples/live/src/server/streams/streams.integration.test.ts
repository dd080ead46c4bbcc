import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import { until } from '../testing/until.ts';

const servers: TestServer[] = [];
async function start(...options: Parameters<typeof startServer>): Promise<TestServer> {
  const server = await startServer(...options);
  servers.push(server);
  return server;
}
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

describe('the topic of a stream', () => {
  test('has to exist', async () => {
    const server = await start();
    const person = server.person();
    const queries = ['topic=nothing', 'topic=posts&topic=count'];
    for (const query of [
      ...queries,
      'pattern=*',
      'topic=POSTS',
      'topic=page/made-up',
      'topic=presence/pages',
    ]) {
      const answer = await person.get(`/events?${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { code: 'topic/unknown' } });
    }
    for (const query of ['topic=', 'topic=a%0Ab']) {
      const answer = await person.get(`/events?${query}`);
      expect(answer, query).toMatchObject({ status: 400, body: { code: 'topic/invalid' } });
    }
    const many = Array.from({ length: 50 }, (_, i) => `topic=user/${i + 1}`).join('&');
    expect(await person.get(`/events?${many}`)).toMatchObject({
      status: 400,
      body: { code: 'limit/topics' },
    });
    expect(await person.get('/events')).toMatchObject({ status: 400, body: { code: 'topic/missing' } });
    expect(server.hub.stats().connected).toBe(0);
  });

  test('has to be requested with GET, and as an event stream', async () => {
    const server = await start();
    const wrongMethod = await server.person().send('PUT', '/events?topic=posts', {});
    expect(wrongMethod).toMatchObject({ status: 405, body: { code: 'request/method-not-allowed' } });
    expect(wrongMethod.headers.get('Allow')).toContain('GET');
    const wrongType = await server
      .person()
      .send('GET', '/events?topic=posts', undefined, { Accept: 'text/html' });
    expect(wrongType).toMatchObject({ status: 406, body: { code: 'request/not-acceptable' } });
    const head = await server.person().send('HEAD', '/events?topic=posts');
    expect(head.status).toBe(200);
    expect(server.hub.connections()).toEqual([]);
  });

  test.each([
    ['malformed', 'garbage', 'unknown-cursor'],
    ['of another log', 'other.5', 'epoch'],
    ['with a line break', 'a%0Ab', 'unknown-cursor'],
  ])('may come with a cursor %s: the page gets a gap', async (_, cursor, reason) => {
    const server = await start();
    const stream = await server.person().stream(`topic=posts&last_event_id=${cursor}`);
    const welcome = (await stream.next('tidings:welcome')).json();
    expect(welcome).toMatchObject({ resumed: false, gaps: [{ topics: ['posts'], reason }] });
    await stream.close();
  });

  test('may come with a cursor from the future: the page gets a gap', async () => {
    const server = await start();
    const [epoch] = server.hub.cursor().split('.');
    const stream = await server.person().stream(`topic=posts&last_event_id=${epoch}.999`);
    expect((await stream.next('tidings:welcome')).json()).toMatchObject({ resumed: false });
    await stream.close();
  });
});

test('after a restart with another log a page gets a gap', async () => {
  const first = await start();
  const cursor = first.hub.cursor();
  await first.close();
  servers.length = 0;
  const second = await start();
  const stream = await second.person().stream('topic=posts', { 'Last-Event-ID': cursor });
  expect((await stream.next('tidings:welcome')).json()).toMatchObject({
    resumed: false,
    gaps: [{ topics: ['posts'], reason: 'epoch' }],
  });
  await stream.close();
});

test('a connection that was cut is resumed exactly where it was', async () => {
  const server = await start();
  const ann = await server.signedUp('ann');
  const before = await ann.stream('topic=posts');
  await before.next('tidings:welcome');
  await ann.post('one');
  const { id: cursor = '' } = await before.next('post');
  await before.close();
  await ann.post('two');
  await ann.post('three');
  const after = await ann.stream('topic=posts', { 'Last-Event-ID': cursor });
  expect((await after.next('tidings:welcome')).json()).toMatchObject({ resumed: true, gaps: [] });
  expect((await after.next('post')).json().text).toBe('two');
  expect((await after.next('post')).json().text).toBe('three');
  await after.close();
});

describe('limits', () => {
  test('on connections of one user are answered 429 with Retry-After, until one is closed', async () => {
    const server = await start({ CONNECTIONS_PER_USER: '2' });
    const ann = await server.signedUp('ann');
    const [one, two] = [await ann.stream('topic=posts'), await ann.stream('topic=posts')];
    const third = await ann.get('/events?topic=posts');
    expect(third).toMatchObject({ status: 429, body: { code: 'limit/connections' } });
    expect(Number(third.headers.get('Retry-After'))).toBeGreaterThan(0);
    const bobs = await (await server.signedUp('bob')).stream('topic=posts');
    await one.close();
    await until(() => server.hub.connections().length === 2);
    const again = await ann.stream('topic=posts');
    expect(again.response.status).toBe(200);
    await Promise.all([two, bobs, again].map((stream) => stream.close()));
  });

  test('on connections of one address are answered 429 with Retry-After', async () => {
    const server = await start({ CONNECTIONS_PER_ADDRESS: '2' });
    const streams = [
      await server.person().stream('topic=posts'),
      await server.person().stream('topic=viewers'),
    ];
    const third = await server.person().get('/events?topic=posts');
    expect(third).toMatchObject({ status: 429, body: { code: 'limit/connections' } });
    expect(Number(third.headers.get('Retry-After'))).toBeGreaterThan(0);
    await Promise.all(streams.map((stream) => stream.close()));
  });

  test('on connecting per minute are answered 429 with Retry-After', async () => {
    const server = await start({ CONNECTS_PER_MINUTE: '2' });
    for (let i = 0; i < 2; i += 1) await (await server.person().stream('topic=posts')).close();
    const third = await server.person().get('/events?topic=posts');
    expect(third).toMatchObject({ status: 429, body: { code: 'limit/exceeded', status: 429 } });
    expect(third.headers.get('Content-Type')).toMatch('application/problem+json');
    const seconds = Number(third.headers.get('Retry-After'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
  });

  test('on the address trust only the configured proxy', async () => {
    const trusting = await start({ CONNECTIONS_PER_ADDRESS: '1', TRUST_PROXY: 'loopback' });
    const doubting = await start({ CONNECTIONS_PER_ADDRESS: '1' });
    const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });
    const one = await trusting.person().stream('topic=posts', from('192.0.2.1'));
    const two = await trusting.person().stream('topic=posts', from('192.0.2.2'));
    expect([one.response.status, two.response.status]).toEqual([200, 200]);
    const three = await doubting.person().stream('topic=posts', from('192.0.2.1'));
    const four = await doubting.person().send('GET', '/events?topic=posts', undefined, from('192.0.2.2'));
    expect([three.response.status, four.status]).toEqual([200, 429]);
    await Promise.all([one, two, three].map((stream) => stream.close()));
  });
});

describe('connections end', () => {
  test('after their maximum lifetime, with a time to come back', async () => {
    const server = await start({ MAX_LIFETIME_SECONDS: '0.5' });
    const stream = await server.person().stream('topic=posts');
    const goodbye = (await stream.next('tidings:goodbye')).json();
    expect(goodbye).toMatchObject({ reason: 'lifetime', retry: expect.any(Number) });
    await stream.ended;
    await until(() => server.hub.connections().length === 0);
  });

  test('when their session expires', async () => {
    const server = await start({ SESSION_DAYS: String(10 / 86_400) });
    const ann = await server.signedUp('ann');
    const stream = await ann.stream(`topic=user/${ann.user.id}`);
    expect((await stream.next('tidings:goodbye')).json()).toMatchObject({ reason: 'expired' });
    await stream.ended;
    expect((await ann.stream(`topic=user/${ann.user.id}`)).response.status).toBe(401);
  });

  test('when their peer takes no bytes for the stall time', async () => {
    const server = await start({ STALL_SECONDS: '0.5' });
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname).pause();
    await once(socket, 'connect');
    socket.write('GET /events?topic=posts HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => server.hub.connections().length === 1);
    const text = 'x'.repeat(60_000);
    for (let i = 0; i < 200; i += 1) await server.hub.publish('posts', text);
    await until(() => server.hub.connections().length === 0);
    expect(server.hub.stats().stalled).toBe(1);
    socket.destroy();
  });

  test('when their peer vanishes: a thousand leave nothing behind', async () => {
    const server = await start({ CONNECTIONS_PER_ADDRESS: '5000', VIEWER_GRACE_SECONDS: '0.1' });
    const { hostname, port } = new URL(server.url);
    for (let round = 0; round < 4; round += 1) {
      const sockets = Array.from({ length: 250 }, (_, i) => {
        const socket = connect(Number(port), hostname);
        const view = `view-${round}-${i}-0123456789`;
        const visit = `X-Page: /feed\r\nX-View: ${view}\r\n`;
        const query = `topic=posts&topic=pages&topic=page//feed`;
        socket.write(`GET /events?${query} HTTP/1.1\r\nHost: x\r\n${visit}\r\n`);
        socket.resume();
        return socket;
      });
      await until(() => server.hub.connections().length === 250);
      for (const socket of sockets) socket.destroy();
      await until(() => server.hub.connections().length === 0);
    }
    expect(server.hub.stats()).toMatchObject({ connected: 1000, connections: 0, topics: 0 });
    await until(async () => {
      const stream = await server.person().stream('topic=viewers');
      const { people } = (await stream.next('viewers:snapshot')).json();
      await stream.close();
      return people === 0;
    });
  });
});
