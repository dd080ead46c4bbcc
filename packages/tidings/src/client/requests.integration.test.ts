import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { type Running, serve } from '../../test/http/server.ts';
import { connect, type TidingsError } from './index.ts';

/** Records methods and bodies, and answers with a status. */
function serveBodies(seen: string[], status: number): Promise<Running> {
  return serve((request, response) => {
    void text(request).then((body) => {
      seen.push(`${request.method} ${body}`);
      response.writeHead(status).end();
    });
  });
}

describe('a request', () => {
  it('has the app’s method and body, made anew for each try', async () => {
    const seen: string[] = [];
    const { url } = await serveBodies(seen, 503);
    let count = 0;
    const body = async () => JSON.stringify({ count: (count += 1) });
    const { comesBack } = observe(url, { method: 'PUT', body });
    await comesBack();
    await comesBack();
    await until('two requests', () => seen.length >= 2);
    expect(seen.slice(0, 2)).toEqual(['PUT {"count":1}', 'PUT {"count":2}']);
  });

  it('can have a stream or a fixed text as its body', async () => {
    const seen: string[] = [];
    const { url } = await serveBodies(seen, 204);
    const streamed = observe(url, { body: () => Readable.toWeb(Readable.from([Buffer.from('streamed')])) });
    await streamed.hasStatus('closed');
    await observe(url, { body: 'fixed' }).hasStatus('closed');
    expect(seen).toEqual(['POST streamed', 'POST fixed']);
  });

  it.each(['headers', 'body'] as const)(
    'is given up on for now if the app does not make its %s in time',
    async (name) => {
      const { clock, errors, hasStatus, client } = observe('http://localhost', {
        [name]: () => new Promise(() => {}),
        timeouts: { hooks: 2_000 },
      });
      await turn();
      clock.advance(2_000);
      await hasStatus('waiting');
      const code = name === 'headers' ? 'client/headers-failed' : 'client/hook-failed';
      expect(errors).toEqual([`${code}, again in 500`]);
      client.close();
      expect(clock.timers).toBe(0);
    },
  );
});

describe('a cursor', () => {
  it.each<[string, string, 'header' | 'query' | { query: string } | undefined, string, string | undefined]>([
    ["that is not a hub's goes into the header from the first request on", '42', undefined, '?sig=%7e', '42'],
    [
      "that is a hub's goes into the query at first",
      'a.1',
      undefined,
      '?sig=%7e&last_event_id=a.1',
      undefined,
    ],
    ['goes into the header if the app says so', 'a.1', 'header', '?sig=%7e', 'a.1'],
    ['goes into the query if the app says so', '42', 'query', '?sig=%7e&last_event_id=42', undefined],
    [
      'has the name that the app gives it',
      '42',
      { query: 'lastEventID' },
      '?sig=%7e&lastEventID=42',
      undefined,
    ],
  ])('%s', async (_, cursor, cursorIn, search, header) => {
    const seen: string[] = [];
    const server = await serve((request, response) => {
      seen.push(request.url ?? '', String(request.headers['last-event-id']));
      response.writeHead(204).end();
    });
    await observe(`${server.url}/?sig=%7e`, { cursor, cursorIn }).hasStatus('closed');
    expect(seen).toEqual([`/${search}`, String(header)]);
  });

  it('stays in the query for servers that want it there', async () => {
    const server = await serveExchanges();
    const { comesBack, hasMessages } = observe(server.url, { cursorIn: 'query' });
    const first = await server.next();
    first.stream('id: 1\ndata: x\n\n');
    await hasMessages(1);
    first.cut();
    await comesBack();
    const second = await server.next();
    expect(second.url.search).toBe('?last_event_id=1');
    expect(second.headers).not.toHaveProperty('last-event-id');
  });
});

it('a cursor that no header can carry isn’t sent, and the client goes on', async () => {
  const server = await serveExchanges();
  const { client, messages, comesBack, hasMessages } = observe(server.url);
  for (const id of ['\u0001', 'a\u007f', '\u0085']) {
    const exchange = await server.next();
    expect(exchange.headers).not.toHaveProperty('last-event-id');
    exchange.stream(`id: ${id}\ndata: 1\n\n`);
    await hasMessages(messages.length + 1);
    exchange.cut();
    await comesBack();
  }
  expect((await server.next()).headers['last-event-id']).toBe('\u00c2\u0085');
  expect(client.cursor).toBe('\u0085');
});

describe('a failure', () => {
  it('is retried if the app has found a new token', async () => {
    const server = await serveExchanges();
    let token = 'old';
    const seen: (number | undefined)[] = [];
    const { errors, comesBack, hasStatus } = observe(server.url, {
      headers: () => ({ authorization: token }),
      async shouldRetry({ status }) {
        seen.push(status);
        await turn();
        token = 'new';
        return status === 401 ? 0 : undefined;
      },
    });
    (await server.next()).answer(401);
    await comesBack();
    const second = await server.next();
    expect(second.headers.authorization).toBe('new');
    second.stream('data: 1\n\n');
    await hasStatus('open');
    expect([seen, errors]).toEqual([[401], ['auth/unauthorized, again in 0']]);
  });

  it.each<[string, number, boolean | number | undefined, string]>([
    ['that would end the client does not', 404, true, 'client/http-status, again in 500'],
    ['that would be retried ends the client', 503, false, 'client/http-status'],
    ['is followed by a wait as long as the app says', 503, 7_000, 'client/http-status, again in 7000'],
    ['is followed by no wait at all, but for once', 503, NaN, 'client/http-status, again in 0'],
    ['is left to the client', 404, undefined, 'client/http-status'],
  ])('%s, if the app decides so', async (_, status, answer, told) => {
    const server = await serveExchanges();
    const { errors } = observe(server.url, { shouldRetry: () => answer });
    (await server.next()).answer(status);
    await until('report', () => errors.length > 0);
    expect(errors).toEqual([told]);
  });

  it('is decided on in time, also after a server that was silent', async () => {
    const server = await serveExchanges();
    const asked: string[] = [];
    const { clock, errors, hasStatus } = observe(server.url, {
      shouldRetry({ code }) {
        asked.push(code);
        return new Promise<boolean>(() => {});
      },
    });
    const exchange = await server.next();
    clock.advance(60_000);
    // The connection isn't kept while the app thinks.
    await exchange.gone;
    await until('question', () => asked.length > 0 && clock.timers === 1);
    clock.advance(30_000);
    await hasStatus('waiting');
    expect([asked, errors]).toEqual([['client/silent'], ['client/hook-failed, again in 500']]);
  });

  it('within the decision itself counts as temporary', async () => {
    const server = await serveExchanges();
    const { errors } = observe(server.url, {
      shouldRetry() {
        throw new Error('a bug of the app');
      },
    });
    (await server.next()).answer(404);
    await until('report', () => errors.length > 0);
    expect(errors).toEqual(['client/hook-failed, again in 500']);
  });

  it('carries status, headers and the server’s words', async () => {
    const server = await serveExchanges();
    const observed = observe(server.url);
    const body = JSON.stringify({
      type: 'about:blank',
      title: 'No',
      detail: 'Not for you.',
      code: 'app/no',
      hint: [7],
    });
    const headers = { 'content-type': 'application/problem+json', 'x-request-id': 'r7' };
    (await server.next()).answer(403, headers, body);
    await observed.hasStatus('failed');
    expect(observed.lastError).toMatchObject({
      status: 403,
      details: { code: 'app/no', detail: 'Not for you.', hint: [7], headers: { 'x-request-id': 'r7' } },
    } satisfies Partial<TidingsError>);
  });
});

describe('an answer that ends', () => {
  it('closes the client if it is to be read once', async () => {
    const server = await serveExchanges();
    const { client, errors, hasStatus } = observe(server.url, { once: true, body: '{}' });
    const read = (async () => {
      const seen: string[] = [];
      for await (const { data } of client.events()) seen.push(data);
      return seen;
    })();
    const exchange = await server.next();
    exchange.stream('data: 1\n\ndata: 2\n\n');
    exchange.response.end();
    expect(await read).toEqual(['1', '2']);
    await hasStatus('closed');
    expect([errors, server.count]).toEqual([[], 1]);
  });

  it('is asked for again if it broke off', async () => {
    const server = await serveExchanges();
    const { hasMessages, hasStatus, comesBack } = observe(server.url, { once: true });
    const first = await server.next();
    first.stream('id: 1\ndata: 1\n\n');
    await hasMessages(1);
    first.cut();
    await comesBack();
    const second = await server.next();
    expect(second.headers['last-event-id']).toBe('1');
    second.stream('data: 2\n\n');
    second.response.end();
    await hasStatus('closed');
  });

  it('closes the client at the event that the app knows as the last, which is handed out', async () => {
    const server = await serveExchanges();
    const { client } = observe(server.url, { isLast: ({ data }) => data === '[DONE]' });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { data } of client) seen.push(data);
    })();
    const exchange = await server.next();
    exchange.stream('data: 1\n\ndata: [DONE]\n\ndata: 3\n\n');
    await reading;
    await exchange.gone;
    expect([seen, client.status]).toEqual([['1', '[DONE]'], 'closed']);
  });
});

describe('closing', () => {
  it('happens on a signal, even one that was aborted before', async () => {
    const server = await serveExchanges();
    const controller = new AbortController();
    const { client, errors } = observe(server.url, { signal: controller.signal });
    const exchange = await server.next();
    controller.abort();
    await exchange.gone;
    expect([client.status, errors]).toEqual(['closed', []]);
    const late = observe(server.url, { signal: controller.signal });
    await turn();
    expect([late.client.status, server.count]).toEqual(['closed', 1]);
    await expect(late.client.subscribe('a')).rejects.toMatchObject({ code: 'client/closed' });
  });

  it('happens on leaving a loop over the client, but not one over its events', async () => {
    const server = await serveExchanges();
    const { client } = observe(server.url);
    const reading = (async () => {
      for await (const { data } of client.events()) if (data === '1') break;
      for await (const { data } of client) if (data === '2') break;
    })();
    const exchange = await server.next();
    exchange.stream('data: 1\n\n');
    await turn();
    expect(client.status).not.toBe('closed');
    const timer = setInterval(() => exchange.send('data: 2\n\n'), 5);
    await reading;
    clearInterval(timer);
    expect(client.status).toBe('closed');
    await exchange.gone;
  });

  it('happens at the end of a block', async () => {
    const server = await serveExchanges();
    let status: string;
    {
      await using client = connect(server.url);
      await server.next();
      status = client.status;
      setImmediate(() => (status = client.status));
    }
    await turn();
    expect(status).toBe('closed');
  });
});

it('comments reach the listeners for them', async () => {
  const server = await serveExchanges();
  const { client, openings, hasMessages } = observe(server.url);
  const comments: string[] = [];
  client.onComment((comment) => comments.push(comment));
  (await server.next()).stream(`:first\n: ping 7\n${welcome()}data: 1\n\n`);
  await hasMessages(1);
  expect(comments).toEqual(['first', 'ping 7']);
  expect(openings.map(({ connection }) => connection)).toEqual(['c1']);
});
