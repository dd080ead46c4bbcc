import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { until } from '../../test/http/deadline.ts';
import type { ReceivedEvent } from './index.ts';

describe('a request', () => {
  it('names the topics, asks for an event stream and carries no cursor at first', async () => {
    const server = await serveExchanges();
    observe(`${server.url}/events?x=1`, {
      topics: ['a', { pattern: 'b/*' }],
      headers: { authorization: 'Bearer t' },
    });
    const { url, headers } = await server.next();
    expect(url.search).toBe('?x=1&topic=a&pattern=b%2F*');
    expect(headers).toMatchObject({
      accept: 'text/event-stream, application/problem+json',
      authorization: 'Bearer t',
    });
    expect(headers).not.toHaveProperty('last-event-id');
  });

  it('carries the page’s cursor in the URL, because the page has no states yet', async () => {
    const server = await serveExchanges();
    const { client } = observe(server.url, { cursor: 'a.7' });
    expect(client.cursor).toBe('a.7');
    const { url, headers } = await server.next();
    expect(url.search).toBe('?last_event_id=a.7');
    expect(headers).not.toHaveProperty('last-event-id');
  });
});

describe('events', () => {
  it('reach the listeners of their type, until those are removed', async () => {
    const server = await serveExchanges();
    const { client, messages, hasMessages } = observe(server.url);
    const prices: ReceivedEvent[] = [];
    const remove = client.on('price', (event) => prices.push(event));
    const exchange = await server.next();
    exchange.stream(
      `${welcome()}id: a.1\nevent: price\ndata: {"eur":5}\n\nid: a.2\ndata: one\ndata: two\n\n`,
    );
    await hasMessages(1);
    remove();
    exchange.send('id: a.3\nevent: price\ndata: {}\n\ndata: three\n\n');
    await hasMessages(2);
    expect(messages).toEqual(['one\ntwo', 'three']);
    expect(prices).toEqual([expect.objectContaining({ type: 'price', data: '{"eur":5}', cursor: 'a.1' })]);
    expect(prices[0]?.json<{ eur: number }>().eur).toBe(5);
  });

  it('come through byte by byte, even with torn characters', async () => {
    const server = await serveExchanges();
    const { messages, hasMessages } = observe(server.url);
    const exchange = await server.next();
    exchange.stream();
    for (const byte of new TextEncoder().encode('data: grüße 😀\r\n\r\n')) {
      exchange.send(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await hasMessages(1);
    expect(messages).toEqual(['grüße 😀']);
  });

  it('still reach the other listeners when one throws, and its error becomes an uncaught one', async () => {
    const reportError = vi.fn();
    vi.stubGlobal('reportError', reportError);
    onTestFinished(() => void vi.unstubAllGlobals());
    const server = await serveExchanges();
    const { client, messages, hasMessages } = observe(server.url);
    const error = new Error('a bug of the app');
    client.on('bug', () => {
      throw error;
    });
    (await server.next()).stream('id: 1\nevent: bug\ndata: x\n\nid: 2\ndata: y\n\n');
    await hasMessages(1);
    expect(messages).toEqual(['y']);
    expect(reportError).toHaveBeenCalledExactlyOnceWith(error);
    expect(client).toMatchObject({ status: 'open', cursor: '2' });
  });

  it('that are too large fail the client, after the events before them', async () => {
    const server = await serveExchanges();
    const { errors, messages, hasStatus } = observe(server.url, { maxEventBytes: 1_000 });
    const exchange = await server.next();
    exchange.stream(`data: small\n\ndata: ${'x'.repeat(2_000)}\n\n`);
    await hasStatus('failed');
    await exchange.gone;
    expect(messages).toEqual(['small']);
    expect(errors).toEqual(['decode/event-too-large']);
  });
});

describe('opening', () => {
  it('reports what the welcome says', async () => {
    const server = await serveExchanges();
    const { openings, statuses, gaps } = observe(server.url, { cursor: 'a.1' });
    const gap = { topics: ['a'], reason: 'trimmed' };
    (await server.next()).stream(welcome({ resumed: false, gaps: [gap] }));
    await until('opening', () => openings.length > 0);
    expect(openings).toMatchObject([
      {
        connection: 'c1',
        resumed: false,
        gaps: [gap],
        heartbeat: 15_000,
        response: { status: 200, url: `${server.url}/?last_event_id=a.1` },
      },
    ]);
    expect(openings[0]?.response.headers.get('content-type')).toBe('text/event-stream');
    expect(gaps).toEqual([gap]);
    expect(statuses).toEqual(['connecting', 'open']);
  });

  it('is reported once even for servers that just begin', async () => {
    const server = await serveExchanges();
    const { openings, hasMessages } = observe(server.url);
    (await server.next()).stream('data: 1\n\ndata: 2\n\n');
    await hasMessages(2);
    expect(openings).toMatchObject([{ resumed: false, gaps: [] }]);
    expect(openings).toHaveLength(1);
  });

  it('happens before the events of the connection', async () => {
    const server = await serveExchanges();
    const { client, hasMessages } = observe(server.url);
    const order: string[] = [];
    client.onOpen(() => order.push('open'));
    client.onGap(() => order.push('gap'));
    client.on('message', ({ data }) => order.push(data));
    (await server.next()).stream(`${welcome({ gaps: [{ topics: ['a'], reason: 'epoch' }] })}data: 1\n\n`);
    await hasMessages(1);
    expect(order).toEqual(['open', 'gap', '1']);
  });
});

it('reports a gap in the middle of a stream', async () => {
  const server = await serveExchanges();
  const { gaps } = observe(server.url);
  const gap = { topics: [{ pattern: 'a/*' }], reason: 'trimmed' };
  const exchange = await server.next();
  exchange.stream(`${welcome()}id: a.9\nevent: tidings:gap\ndata: ${JSON.stringify({ gaps: [gap] })}\n\n`);
  await until('gap', () => gaps.length > 0);
  expect(gaps).toEqual([gap]);
});
