import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ask } from '../../../tidings/test/http/client.ts';
import { until, untilAsync } from '../../../tidings/test/http/deadline.ts';
import { RawClient } from '../../../tidings/test/http/raw-client.ts';
import { ADMIN_TOKEN, type InProcess, type LogLine, startInProcess } from '../../test/in-process.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE}-00f067aa0ba902b7-01`;

let server: InProcess;
beforeAll(async () => {
  server = await startInProcess({
    presence: [{ pattern: 'room/:id', interval: '10ms', grace: '0', members: 5 }],
    topics: [{ pattern: 'price/*', state: true }],
  });
});
afterAll(() => server.close());

const admin = { authorization: `Bearer ${ADMIN_TOKEN}` };

async function stream(query: string, headers: Readonly<Record<string, string>> = {}) {
  const reply = await ask(`${server.publicUrl}/v1/events?${query}`, { headers });
  const welcome = JSON.parse((await reply.frames.nextEvent()).data) as { connection: string };
  return { ...reply, id: welcome.connection };
}

describe('health', () => {
  test('is ready and live while the server serves', async () => {
    const ready = await fetch(`${server.internalUrl}/health/ready`);
    expect(ready.status).toBe(200);
    expect(await ready.json()).toEqual({ ready: true, phase: 'serving', caughtUp: true, log: 'up' });
    const live = await fetch(`${server.internalUrl}/health/live`);
    expect(await live.json()).toEqual({ live: true, logAwayFor: 0 });
  });

  test('is not ready, but live, while the server drains', async () => {
    const draining = await startInProcess({ 'shutdown.delay': '6s' });
    const closing = draining.close();
    const ready = await fetch(`${draining.internalUrl}/health/ready`);
    expect(ready.status).toBe(503);
    expect(await ready.json()).toMatchObject({ ready: false, phase: 'draining' });
    expect((await fetch(`${draining.internalUrl}/health/live`)).status).toBe(200);
    // Clients that are sent here anyway are still served.
    expect((await ask(`${draining.publicUrl}/v1/events?topic=a`)).status).toBe(200);
    await closing;
  });

  test('and nothing else of the internal port is on the public one', async () => {
    for (const path of ['/health/ready', '/health/live', '/metrics', '/admin/v1/stats', '/console'])
      expect((await fetch(server.publicUrl + path, { headers: admin })).status, path).toBe(404);
  });
});

describe('metrics', () => {
  test('have those of the hub, of the process and of HTTP', async () => {
    await server.publish({ topics: 'a', data: 1 });
    await fetch(`${server.publicUrl}/nothing`);
    const wanted = [
      /^tidings_published_events_total [1-9]/m,
      /^tidings_log_up 1$/m,
      /^tidings_http_requests_total\{method="POST",route="\/v1\/publish",status="200"\} [1-9]/m,
      /^tidings_http_requests_total\{method="GET",route="none",status="404"\} [1-9]/m,
      /^process_resident_memory_bytes \d/m,
      /^nodejs_eventloop_lag_p99_seconds /m,
    ];
    // An answer serves all who ask within a second.
    await untilAsync('metrics of these requests', async () => {
      const text = await (await fetch(`${server.internalUrl}/metrics`)).text();
      return wanted.every((line) => line.test(text));
    });
  });
});

describe('the metric of requests', () => {
  test('counts a stream once, when it ends', async () => {
    const count = async (): Promise<number> => {
      const text = await (await fetch(`${server.internalUrl}/metrics`)).text();
      return Number(
        /^tidings_http_requests_total\{method="GET",route="\/v1\/events\/?",status="200"\} (\d+)$/m.exec(
          text,
        )?.[1] ?? 0,
      );
    };
    const before = await count();
    const { cut } = await stream('topic=counted');
    const { cut: cutOther } = await stream('topic=counted');
    await server.publish({ topics: 'counted', data: 1 });
    cut();
    await untilAsync('a stream that is counted', async () => (await count()) > before);
    expect(await count()).toBe(before + 1);
    cutOther();
    await untilAsync('both', async () => (await count()) === before + 2);
  });
});

describe('the admin API', () => {
  test('needs its token, whatever is asked for', async () => {
    for (const headers of [{}, { authorization: 'Bearer wrong' }, { authorization: ADMIN_TOKEN }]) {
      for (const path of ['stats', 'connections', 'tail', 'nothing']) {
        const response = await fetch(`${server.internalUrl}/admin/v1/${path}`, { headers });
        expect(response.status, path).toBe(path === 'nothing' ? 404 : 401);
      }
      const response = await fetch(`${server.internalUrl}/admin/v1/revoke`, { method: 'POST', headers });
      expect(response.status).toBe(401);
    }
  });

  test('says which media type it expected, and which it got', async () => {
    const response = await fetch(`${server.internalUrl}/admin/v1/revoke`, {
      method: 'POST',
      headers: { ...admin, 'content-type': 'application/x-www-form-urlencoded' },
      body: '{"subject":"ann"}',
    });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      code: 'request/unsupported-media-type',
      detail: 'Expected a body of application/json, got "application/x-www-form-urlencoded".',
    });
  });

  test('is off without a token, and refuses one that is short', async () => {
    const without = await startInProcess({ 'internal.token': undefined });
    const { status, body } = await without.admin('/stats');
    expect([status, body.code]).toEqual([403, 'auth/forbidden']);
    await without.close();
    await expect(startInProcess({ 'internal.token': 'short' })).rejects.toMatchObject({
      code: 'config/invalid',
    });
  });

  test('shows the counters, the nodes and whether the server is well', async () => {
    const { body } = await server.admin('/stats');
    expect(body).toMatchObject({
      phase: 'serving',
      development: false,
      health: { ready: true, caughtUp: true, log: { up: true } },
      stats: { connections: expect.any(Number), gaps: { trimmed: 0 } },
      cluster: { nodes: 1 },
    });
    const { body: cluster } = await server.admin('/nodes');
    expect(cluster.nodes).toEqual([expect.objectContaining({ id: 'only', stats: expect.any(Object) })]);
  });

  test('lists connections by what is asked for, and ends one', async () => {
    const [first, second] = [
      await stream('topic=list/1&topic=list/x'),
      await stream('topic=list/2&pattern=list/:id'),
    ];
    const { body: all } = await server.admin('/connections?q=list/&sort=oldest');
    expect(all.connections.map(({ id }: { id: string }) => id)).toEqual([first.id, second.id]);
    const { body: one } = await server.admin('/connections?topic=list/1');
    expect(one).toMatchObject({
      matching: 1,
      connections: [
        {
          id: first.id,
          remote: '127.0.0.1',
          phase: 'live',
          lag: 0,
          topics: ['list/1', 'list/x'],
          topicCount: 2,
        },
      ],
    });
    const { body: limited } = await server.admin('/connections?q=list/&limit=1');
    expect([limited.matching, limited.connections.length]).toEqual([2, 1]);
    expect(await server.admin('/disconnect', { connection: first.id, retry: 5 })).toMatchObject({
      status: 202,
    });
    await first.frames.end();
    expect(first.frames.text).toContain('"reason":"evicted"');
    await untilAsync('the end of its socket', async () => {
      const { body } = await server.admin('/connections?q=list/');
      return body.matching === 1;
    });
    second.cut();
  });

  test('refuses what makes no sense', async () => {
    for (const path of [
      '/connections?sort=size',
      '/connections?sort=constructor',
      '/connections?sort=__proto__',
      '/connections?limit=0',
      '/connections?phase=up',
      '/topics?sbject=a',
      '/presence',
    ])
      expect(await server.admin(path), path).toMatchObject({
        status: 400,
        body: { code: 'request/invalid-query' },
      });
    for (const body of [{}, [], { conection: 'x' }, { subject: 5 }, { retry: 5 }])
      expect(await server.admin('/disconnect', body)).toMatchObject({
        status: 400,
        body: { code: 'request/invalid-body' },
      });
    for (const body of [{}, { for: 5 }, { subject: 'a', for: -1 }])
      expect(await server.admin('/revoke', body)).toMatchObject({
        status: 400,
        body: { code: 'request/invalid-body' },
      });
    for (const body of [[], 'text', [1]])
      expect(await server.admin('/publish', body)).toMatchObject({
        status: 400,
        body: { code: 'request/invalid-body' },
      });
  });

  test('lists topics by how many ask for them, and shows presence', async () => {
    const peers = [await stream('topic=room/7'), await stream('topic=room/7&pattern=seats/*')];
    const { body } = await server.admin('/topics?q=room');
    expect(body).toEqual({ total: 1, topics: [{ topic: 'room/7', connections: 2 }] });
    expect((await server.admin('/topics?q=seats')).body.topics).toEqual([
      { pattern: 'seats/*', connections: 1 },
    ]);
    await untilAsync('both are present', async () => {
      const { body: presence } = await server.admin('/presence?topic=room/7');
      return presence.topic === 'room/7' && presence.count === 2;
    });
    for (const { cut } of peers) cut();
  });

  test('publishes', async () => {
    const peer = await stream('topic=by-hand');
    const { body } = await server.admin('/publish', { topics: 'by-hand', data: { n: 1 } });
    expect(body.events).toEqual([expect.objectContaining({ duplicate: false })]);
    expect((await peer.frames.nextEvent()).data).toBe('{"n":1}');
    peer.cut();
  });

  test('revokes a subject', async () => {
    expect(await server.admin('/revoke', { subject: 'mallory', for: 60_000 })).toMatchObject({ status: 202 });
  });
});

describe('the tail', () => {
  async function tail(query = '', headers: Readonly<Record<string, string>> = {}) {
    const reply = await ask(`${server.internalUrl}/admin/v1/tail?${query}`, {
      headers: { ...admin, ...headers },
    });
    expect(reply.status).toBe(200);
    return reply;
  }

  test('shows events with their topics, private ones too, and whose trace they are of', async () => {
    const { frames, cut } = await tail('pattern=tail/*');
    await server.publish({ topics: 'other', data: 0 });
    await server.publish(
      { topics: ['tail/1', 'tail/2'], data: 'x', private: true },
      { traceparent: TRACEPARENT },
    );
    const { data, type, id } = await frames.nextEvent();
    expect(type).toBe('event');
    expect(JSON.parse(data)).toMatchObject({
      topics: ['tail/1', 'tail/2'],
      private: true,
      data: '"x"',
      traceId: TRACE,
      time: expect.any(Number),
    });
    cut();
    await server.publish({ topics: 'tail/1', data: 'missed' });
    const again = await tail('pattern=tail/*', { 'last-event-id': id ?? '' });
    expect(JSON.parse((await again.frames.nextEvent()).data)).toMatchObject({ data: '"missed"' });
    again.cut();
  });

  test('leaves out what comes too fast, counts it, and cuts long data', async () => {
    const { frames, cut } = await tail('topic=fast&rate=2');
    const events = Array.from({ length: 50 }, (_, n) => ({ topics: 'fast', data: `${n}`.repeat(20_000) }));
    await server.publish(events.slice(0, 10));
    const first = JSON.parse((await frames.nextEvent()).data);
    expect([first.data.length, first.length]).toEqual([16_384, 20_002]);
    await frames.until('count of the skipped', () => frames.text.includes('event: skipped'));
    expect(frames.all.filter(({ type }) => type === 'event').length).toBeLessThan(10);
    cut();
  });

  test('goes on at the head with a cursor that makes no sense', async () => {
    const { frames, cut } = await tail('topic=sense', { 'last-event-id': 'no cursor' });
    await server.publish({ topics: 'sense', data: 1 });
    expect(JSON.parse((await frames.nextEvent()).data)).toMatchObject({ data: '1' });
    cut();
  });

  test('ends with its reader', async () => {
    const readers = async () => (await server.admin('/stats')).body.stats.inProcess as number;
    await untilAsync('no reader of earlier tests', async () => (await readers()) === 0);
    const { cut } = await tail();
    await untilAsync('a reader', async () => (await readers()) === 1);
    cut();
    await untilAsync('no reader', async () => (await readers()) === 0);
  });
});

describe('the access log', () => {
  const of = (msg: string, field: string, value: unknown) =>
    server.lines.filter((line) => line.msg === msg && line[field] === value);

  test('has a line for a publish, with who, what and the trace, and none of its secrets', async () => {
    await server.publish(
      { topics: 'logged', data: 'confidential' },
      { traceparent: TRACEPARENT, cookie: 'sid=hush' },
    );
    await until('line', () =>
      of('answered', 'traceId', TRACE).some(({ topics }) => String(topics) === 'logged'),
    );
    const line = of('answered', 'traceId', TRACE).find(({ topics }) => String(topics) === 'logged');
    expect(line).toMatchObject({
      method: 'POST',
      path: '/v1/publish',
      status: 200,
      remote: '127.0.0.1',
      credential: 'subject:backend',
      events: 1,
      cursor: expect.any(String),
      parentId: '00f067aa0ba902b7',
    });
    const all = JSON.stringify(server.lines);
    for (const secret of ['confidential', 'hush', 'Bearer', ADMIN_TOKEN, 'eyJ'])
      expect(all).not.toContain(secret);
  });

  test('times an answer that comes before its request’s body without the body', async () => {
    const client = await RawClient.connect(Number(new URL(server.publicUrl).port));
    const sentAt = performance.now();
    client.send('POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{').read();
    await until('answer', () => client.text.includes('}'));
    const took = performance.now() - sentAt;
    await until('some more time', () => performance.now() - sentAt > 2 * took + 200);
    client.send('}');
    const early = (): LogLine[] => of('answered', 'path', '/early');
    await until('line', () => early().length > 0);
    expect(early()[0]?.['milliseconds']).toBeLessThanOrEqual(took + 1);
    client.socket.destroy();
  });

  test('has two lines for a stream: one when it begins, one with what it got', async () => {
    const { id, cut, frames } = await stream('topic=lines&authorization=hush-hush');
    await server.publish({ topics: 'lines', data: 1 });
    await frames.nextEvent();
    cut();
    await until('end', () => of('a stream is over', 'connection', id).length === 1);
    expect(of('a stream begins', 'connection', id)).toMatchObject([
      { topics: ['lines'], topicCount: 1, remote: '127.0.0.1' },
    ]);
    expect(of('a stream is over', 'connection', id)).toMatchObject([
      { reason: 'left', delivered: 1, bytes: expect.any(Number), milliseconds: expect.any(Number) },
    ]);
    expect(JSON.stringify(server.lines)).not.toContain('hush-hush');
  });

  test('has a line for a refusal, without the query', async () => {
    await ask(`${server.publicUrl}/v1/events?topic=a`, {
      headers: { authorization: 'Bearer bad.token.here' },
    });
    await until('line', () => of('answered', 'status', 401).length > 0);
    expect(of('answered', 'status', 401)[0]).toMatchObject({ path: '/v1/events', method: 'GET' });
    expect(JSON.stringify(server.lines)).not.toContain('bad.token.here');
  });

  test('can be less, and is so after a reload', async () => {
    const quiet = await startInProcess({ 'logging.access': 'failures' });
    await quiet.publish({ topics: 'a', data: 1 });
    await quiet.publish({ topics: '', data: 1 });
    await until('the failure', () => quiet.lines.some(({ status }) => status === 400));
    expect(quiet.lines.filter(({ msg }) => msg === 'answered').map(({ status }) => status)).toEqual([400]);
    await quiet.close();
  });
});
