import type { IncomingMessage } from 'node:http';
import { describe, expect, it } from 'vitest';
import { observe } from '../../test/client/observed.ts';
import { createGate, turn, until, within } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { forbidden, memoryLog } from '../index.ts';
import type { NodeHandlerOptions } from '../node/index.ts';
import type { ClientOptions } from './index.ts';

async function start(handler: NodeHandlerOptions<IncomingMessage> = {}, options: ClientOptions = {}) {
  const log = memoryLog({ topics: [{ match: { pattern: 'state/*' }, state: true }] });
  const served = await startNode(handler, { log });
  const observed = observe(served.url, { topics: ['a'], ...options });
  await observed.hasStatus('open');
  await until('opening', () => observed.openings.length > 0);
  return { ...served, ...observed, topics: () => served.hub.connections()[0]?.topics };
}

describe('subscribe', () => {
  it('adds topics to the open connection, from the cursor that it resolves with', async () => {
    const { hub, client, messages, topics, hasMessages } = await start();
    await hub.publish('b', 'before');
    const cursor = await client.subscribe('b', { pattern: 'c/*' });
    expect(cursor).toBe(hub.cursor());
    expect(topics()).toEqual(['a', 'b', { pattern: 'c/*' }]);
    for (const topic of ['a', 'b', 'c/d']) await hub.publish(topic, topic);
    await hasMessages(3);
    expect(messages).toEqual(['"a"', '"b"', '"c/d"']);
    expect(hub.stats()).toMatchObject({ connected: 1, connections: 1 });
  });

  it('brings the values of states', async () => {
    const { hub, client, messages, hasMessages } = await start();
    await hub.publish('state/x', 1, { key: 'k' });
    await client.subscribe('state/x');
    await hasMessages(1);
    await hub.publish('state/x', 2, { key: 'k' });
    await hasMessages(2);
    expect(messages).toEqual(['1', '2']);
  });

  it('sends the app’s parameters and its current headers, as the stream’s request does', async () => {
    const asked: string[] = [];
    let count = 0;
    const { client } = await start(
      {
        authorize: ({ method, url, headers }) => {
          asked.push(`${method} ${url} ${headers['authorization']}`);
          return {};
        },
      },
      { headers: async () => ({ authorization: String((count += 1)) }) },
    );
    await client.subscribe('b');
    expect(asked).toEqual(['GET /?topic=a 1', 'POST / 2']);
  });

  it('with topics that are there already changes nothing', async () => {
    const { hub, client, topics } = await start();
    expect(await client.subscribe('a')).toBe(hub.cursor());
    expect(topics()).toEqual(['a']);
  });

  it('names the topics of a client that has none yet, before it has connected', async () => {
    const { hub, url } = await startNode();
    const { client, hasMessages } = observe(url);
    const subscribed = Promise.all([client.subscribe('a'), client.subscribe('b')]);
    expect(await within('subscription', subscribed)).toEqual([hub.cursor(), hub.cursor()]);
    await hub.publish('b', 1);
    await hasMessages(1);
  });

  it('does not wait for the consumer that waits for it', async () => {
    const { hub, client } = await start();
    const seen: string[] = [];
    const consumed = (async () => {
      for await (const { data } of client) {
        seen.push(data);
        if (data === '1') {
          await turn();
          await client.subscribe('b');
          await hub.publish('b', 'b');
        }
        if (data === '"b"') break;
      }
    })();
    for (let n = 1; n <= 5; n += 1) await hub.publish('a', n);
    await within('events', consumed);
    expect(seen).toEqual(['1', '2', '3', '4', '5', '"b"']);
  });
});

describe('unsubscribe', () => {
  it('drops topics', async () => {
    const { hub, client, messages, topics, hasMessages } = await start({}, { topics: ['a', 'b'] });
    await client.unsubscribe('a', 'x');
    expect(topics()).toEqual(['b']);
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    await hasMessages(1);
    expect(messages).toEqual(['2']);
  });

  it('refuses to drop the last topic, without a request', async () => {
    const { client, topics } = await start();
    await expect(client.unsubscribe('a')).rejects.toMatchObject({ code: 'topic/missing', status: 400 });
    expect(topics()).toEqual(['a']);
  });
});

describe('a refusal', () => {
  const authorize: NodeHandlerOptions<IncomingMessage>['authorize'] = (_, wanted) => {
    if (wanted.includes('secret')) throw forbidden('Not for you.');
    return {};
  };

  it.each([
    [
      'secret',
      'auth/forbidden',
      { status: 403, details: { code: 'auth/forbidden', detail: 'Not for you.' } },
    ],
    ['bad\ntopic', 'client/http-status', { status: 400, details: { code: 'topic/invalid' } }],
  ])('of %j rejects, and the stream goes on as it was', async (topic, code, fields) => {
    const { hub, client, errors, messages, topics, hasMessages } = await start({ authorize });
    await expect(client.subscribe(topic)).rejects.toMatchObject({ code, ...fields });
    expect(topics()).toEqual(['a']);
    await client.subscribe('b');
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    await hasMessages(2);
    expect([messages, errors, client.status, hub.stats().connected]).toEqual([['1', '2'], [], 'open', 1]);
  });

  it('is the answer of a URL with fixed topics', async () => {
    const { hub, client, hasMessages, errors } = await start({ topics: ['fixed'] }, { topics: [] });
    await expect(client.subscribe('b')).rejects.toMatchObject({ code: 'auth/forbidden' });
    await hub.publish('fixed', 1);
    await hasMessages(1);
    expect(errors).toEqual([]);
  });

  it('of headers that cannot be made rejects with their error', async () => {
    let calls = 0;
    const headers = (): HeadersInit => {
      if ((calls += 1) > 1) throw new Error('no token');
      return {};
    };
    const { client } = await start({}, { headers });
    await expect(client.subscribe('b')).rejects.toMatchObject({ code: 'client/headers-failed' });
    expect(client.status).toBe('open');
  });
});

describe('changes at the same time', () => {
  it('happen one after the other, in the order of the calls', async () => {
    let running = 0;
    let most = 0;
    const { hub, client, topics } = await start({
      authorize: async () => {
        most = Math.max(most, (running += 1));
        await turn();
        running -= 1;
        return {};
      },
    });
    const [, refused, ...done] = await Promise.allSettled([
      client.subscribe('b'),
      client.subscribe('no\ntopic'),
      client.unsubscribe('a'),
      client.subscribe('a', 'c'),
      client.unsubscribe('b'),
    ]);
    expect(refused.status).toBe('rejected');
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(topics()).toEqual(['a', 'c']);
    expect([most, hub.stats().connected]).toEqual([1, 1]);
  });
});

describe('closing', () => {
  it('rejects pending changes and later ones', async () => {
    const gate = createGate();
    const { client } = await start({
      authorize: async ({ method }) => {
        if (method === 'POST') await gate.passed;
        return {};
      },
    });
    const pending = [client.subscribe('b'), client.unsubscribe('a')];
    await turn();
    client.close();
    for (const change of [...pending, client.subscribe('c')]) {
      await expect(change).rejects.toMatchObject({ code: 'client/closed' });
    }
    gate.open();
  });

  it('by a failure rejects with its error', async () => {
    const { url } = await startNode({ authorize: () => Promise.reject(forbidden()) });
    const { client, hasStatus } = observe(url, { topics: ['a'] });
    await expect(client.subscribe('b')).rejects.toMatchObject({ code: 'auth/forbidden' });
    await hasStatus('failed');
    await expect(client.subscribe('b')).rejects.toMatchObject({ code: 'auth/forbidden' });
  });
});
