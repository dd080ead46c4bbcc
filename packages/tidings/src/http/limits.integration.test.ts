import { describe, expect, test } from 'vitest';
import { type Reply, ask } from '../../test/http/client.ts';
import { until } from '../../test/http/deadline.ts';
import { expectProblem, startNode } from '../../test/http/hub.ts';
import { forbidden } from '../index.ts';

async function expectRefusal(reply: Reply, status: number, code: string): Promise<Record<string, unknown>> {
  const problem = await expectProblem(reply, status, code);
  expect(reply.headers['retry-after']).toMatch(/^[1-9]\d*$/);
  expect(problem['retryAfter']).toBe(Number(reply.headers['retry-after']));
  return problem;
}

describe('A connection too many', () => {
  test('in all is answered 503, until another one has gone', async () => {
    const { hub, url } = await startNode({ topics: ['a'] }, { limits: { connections: 2 } });
    const first = await ask(url);
    await ask(url);
    await expectRefusal(await ask(url), 503, 'hub/unavailable');
    expect((await ask(url, { method: 'HEAD' })).status).toBe(503);
    first.cut();
    await until('room', () => hub.connections().length === 1);
    expect((await ask(url)).status).toBe(200);
  });

  test('of a native EventSource, which knows only 200, gets a stream that ends and says when to come back', async () => {
    const { url } = await startNode({ topics: ['a'], cors: { origin: '*' } }, { limits: { connections: 1 } });
    await ask(url);
    const refused = await ask(url, {
      headers: { accept: 'text/event-stream', origin: 'https://example.com' },
    });
    expect(refused.status).toBe(200);
    expect(refused.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'access-control-allow-origin': '*',
    });
    await refused.frames.until('end', () => refused.frames.over);
    const { text } = refused.frames;
    const [, retry] = /^: hub\/unavailable: [^\n]+\nretry: (\d+)\n\n$/.exec(text) ?? [];
    expect(Number(retry)).toBeGreaterThanOrEqual(5000);
    expect(Number(retry)).toBeLessThanOrEqual(7500);
    // Where waiting won't help, a refusal stays a refusal.
    const { url: closed } = await startNode({
      topics: ['a'],
      authorize: () => {
        throw forbidden();
      },
    });
    expect((await ask(closed, { headers: { accept: 'text/event-stream' } })).status).toBe(403);
  });

  test('for a subject is answered 429; others are unaffected', async () => {
    const { hub, url } = await startNode(
      { topics: ['a'], authorize: ({ headers }) => ({ subject: String(headers['x-user']) }) },
      { limits: { connectionsPerSubject: 1 } },
    );
    const ann = { headers: { 'x-user': 'ann' } };
    const first = await ask(url, ann);
    const problem = await expectRefusal(await ask(url, ann), 429, 'limit/connections');
    expect(problem).toMatchObject({ per: 'subject', limit: 1 });
    expect((await ask(url, { method: 'HEAD', ...ann })).status).toBe(429);
    expect((await ask(url, { headers: { 'x-user': 'bob' } })).status).toBe(200);
    first.cut();
    await until('room', () => hub.connections().length === 1);
    expect((await ask(url, ann)).status).toBe(200);
  });

  test('from an address is answered 429, before the app is asked anything', async () => {
    let asked = 0;
    const { hub, url } = await startNode(
      {
        topics: ['a'],
        authorize: () => {
          asked += 1;
          return {};
        },
      },
      { limits: { connectionsPerAddress: 2 } },
    );
    await ask(url);
    await ask(url);
    expect(hub.connections().map(({ remote }) => remote)).toEqual(['127.0.0.1', '127.0.0.1']);
    const problem = await expectRefusal(await ask(url), 429, 'limit/connections');
    expect(problem).toMatchObject({ per: 'address', limit: 2 });
    expect(asked).toBe(2);
  });

  test('is counted by the address that the app determines', async () => {
    const { url } = await startNode(
      { topics: ['a'], address: ({ headers }) => headers['x-client']?.toString() },
      { limits: { connectionsPerAddress: 1 } },
    );
    expect((await ask(url, { headers: { 'x-client': '1' } })).status).toBe(200);
    expect((await ask(url, { headers: { 'x-client': '2' } })).status).toBe(200);
    await expectRefusal(await ask(url, { headers: { 'x-client': '1' } }), 429, 'limit/connections');
  });

  test('is refused even when many ask at the same moment and authorize takes its time', async () => {
    const { hub, url } = await startNode(
      {
        topics: ['a'],
        authorize: async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return { subject: 'ann' };
        },
      },
      { limits: { connectionsPerSubject: 3 } },
    );
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(url)));
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(3);
    expect(replies.filter(({ status }) => status === 429)).toHaveLength(7);
    expect(hub.connections()).toHaveLength(3);
  });

  test('leaves no count behind when a hook of the app fails', async () => {
    let fail = true;
    const { hub, url } = await startNode(
      {
        topics: ['a'],
        onConnect: () => {
          if (fail) throw new Error('database gone');
        },
        onError: () => {},
      },
      { limits: { connectionsPerAddress: 1, connections: 1 } },
    );
    for (let i = 0; i < 3; i += 1) expect((await ask(url)).status).toBe(500);
    fail = false;
    expect((await ask(url)).status).toBe(200);
    expect(hub.connections()).toHaveLength(1);
  });
});
