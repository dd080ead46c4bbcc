import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { serveExchanges, welcome } from '../../test/client/exchanges.ts';
import { observe } from '../../test/client/observed.ts';
import { until } from '../../test/http/deadline.ts';

describe('after a drop', () => {
  it('the client comes back with the cursor of the last whole event', async () => {
    const server = await serveExchanges();
    const { clock, errors, messages, statuses, hasStatus, hasMessages } = observe(server.url);
    const first = await server.next();
    first.stream(`${welcome()}id: a.1\ndata: one\n\nid: a.2\ndata: t`);
    await hasMessages(1);
    first.cut();
    await hasStatus('waiting');
    clock.advance(1_000);
    const second = await server.next();
    expect(second.headers['last-event-id']).toBe('a.1');
    second.stream(`${welcome({ resumed: true }, 'a.1')}id: a.2\ndata: two\n\n`);
    await hasMessages(2);
    expect(messages).toEqual(['one', 'two']);
    // Half of the 2,000 ms in the welcome's `retry:`.
    expect(errors).toEqual(['client/network, again in 1000']);
    expect(statuses).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open']);
  });

  it('a heartbeat has moved the cursor', async () => {
    const server = await serveExchanges();
    const { client, clock, hasStatus } = observe(server.url);
    const first = await server.next();
    first.stream(`${welcome()}id: a.5\n\n`);
    await until('cursor', () => client.cursor === 'a.5');
    first.response.end();
    await hasStatus('waiting');
    clock.advance(1_000);
    expect((await server.next()).headers['last-event-id']).toBe('a.5');
  });

  it('an event without an id does not lose the cursor', async () => {
    const server = await serveExchanges();
    const { client, comesBack, hasMessages } = observe(server.url, { cursor: 'a.3' });
    const first = await server.next();
    first.stream('data: no id\n\n');
    await hasMessages(1);
    expect(client.cursor).toBe('a.3');
    first.cut();
    await comesBack();
    expect((await server.next()).headers['last-event-id']).toBe('a.3');
  });

  it('ids of other servers are sent as UTF-8, as EventSource does', async () => {
    const server = await serveExchanges();
    const { comesBack, hasMessages } = observe(server.url);
    const first = await server.next();
    first.stream('id: größe ✓\ndata: 1\n\n');
    await hasMessages(1);
    first.cut();
    await comesBack();
    const sent = (await server.next()).headers['last-event-id'];
    expect(Buffer.from(String(sent), 'latin1').toString()).toBe('größe ✓');
  });

  it('waits grow while no connection lasts, and start over after one does', async () => {
    const server = await serveExchanges();
    const { client, clock, errors, comesBack, hasStatus } = observe(server.url);
    for (let failures = 0; failures < 3; failures += 1) {
      (await server.next()).response.destroy();
      await comesBack();
    }
    const short = await server.next();
    short.stream('id: 1\n\n');
    await until('cursor', () => client.cursor === '1');
    short.cut();
    await comesBack();
    const lasting = await server.next();
    lasting.stream('id: 2\n\n');
    await until('cursor', () => client.cursor === '2');
    clock.advance(5_000);
    lasting.cut();
    await hasStatus('waiting');
    // A stream that broke early is not asked for within three seconds.
    const waits = [500, 1_000, 2_000, 3_000 + 4_000, 500];
    expect(errors).toEqual(waits.map((wait) => `client/network, again in ${wait}`));
  });

  it('the end of a stream is no error', async () => {
    const server = await serveExchanges();
    const { errors, hasMessages, comesBack } = observe(server.url);
    const first = await server.next();
    first.stream('id: 1\ndata: 1\n\n');
    await hasMessages(1);
    first.response.end();
    expect(await comesBack()).toBe(3_500);
    expect((await server.next()).headers['last-event-id']).toBe('1');
    expect(errors).toEqual([]);
  });
});

describe('a goodbye', () => {
  it('is obeyed at the time it names, without an error, even if the network comes back sooner', async () => {
    const server = await serveExchanges();
    const { clock, errors, hasStatus } = observe(server.url);
    const first = await server.next();
    first.stream(`${welcome()}id: a.1\ndata: 1\n\n`);
    first.send('retry: 4321\nevent: tidings:goodbye\ndata: {"reason":"drain","retry":4321}\n\n');
    await hasStatus('waiting');
    await first.gone;
    clock.advance(4_320);
    expect(server.count).toBe(1);
    clock.advance(1);
    expect((await server.next()).headers['last-event-id']).toBe('a.1');
    expect(errors).toEqual([]);
  });
});

describe('a cursor that is to persist', () => {
  it('survives a reload', async () => {
    const items = new Map<string, string>();
    vi.stubGlobal('sessionStorage', {
      getItem: (key: string) => items.get(key) ?? null,
      setItem: (key: string, value: string) => items.set(key, value),
    });
    onTestFinished(() => void vi.unstubAllGlobals());
    const server = await serveExchanges();
    const before = observe(server.url, { persist: 'feed' });
    (await server.next()).stream('id: a.1\ndata: 1\n\nid: a.2\ndata: 2\n\n');
    await before.hasMessages(2);
    await until('stored cursor', () => items.get('feed') === 'a.2');
    before.client.close();
    observe(server.url, { persist: 'feed' });
    expect((await server.next()).url.search).toBe('?last_event_id=a.2');
  });
});

describe('a client that was cut off within the values of states', () => {
  it.each([
    [undefined, '?topic=load'],
    ['a.5', '?topic=load&last_event_id=a.5'],
  ])('with the cursor %s asks for all of them again', async (cursor, search) => {
    const server = await serveExchanges();
    const options = { topics: ['load'], ...(cursor !== undefined && { cursor }) };
    const { comesBack, hasMessages } = observe(server.url, options);
    const announced = welcome().replace(/^id:.*\n/m, '');
    const first = await server.next();
    first.stream(`${announced}data: 1\n\n`);
    await hasMessages(1);
    first.cut();
    await comesBack();
    const second = await server.next();
    expect(second.url.search).toBe(search);
    expect(second.headers).not.toHaveProperty('last-event-id');
    second.stream(`${announced}data: 1\n\ndata: 2\n\nid: a.5\n\ndata: 3\n\n`);
    await hasMessages(4);
    second.cut();
    await comesBack();
    const third = await server.next();
    expect(third.url.search).toBe('?topic=load');
    expect(third.headers['last-event-id']).toBe('a.5');
  });
});

describe('a network that comes back', () => {
  it('ends the wait after a drop, in browsers', async () => {
    const listeners = new Set<() => void>();
    vi.stubGlobal(
      'addEventListener',
      (type: string, task: () => void) => type === 'online' && listeners.add(task),
    );
    vi.stubGlobal('removeEventListener', (_: string, task: () => void) => listeners.delete(task));
    onTestFinished(() => void vi.unstubAllGlobals());
    const server = await serveExchanges();
    const { client, clock, hasStatus } = observe(server.url);
    (await server.next()).cut();
    await hasStatus('waiting');
    for (const wake of listeners) wake();
    await server.next();
    expect(client.status).toBe('connecting');
    // Only for the answer.
    expect(clock.timers).toBe(1);
    client.close();
    expect(listeners.size).toBe(0);
  });
});
