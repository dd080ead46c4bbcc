import { describe, expect, test } from 'vitest';
import { ask } from '../../test/http/client.ts';
import { until, within } from '../../test/http/deadline.ts';
import { expectProblem, startHub, startNode } from '../../test/http/hub.ts';
import { RawClient } from '../../test/http/raw-client.ts';
import { stacks } from '../../test/http/stacks.ts';

/** The resources of a hub and its server that keep the process alive, by kind. */
function handles(): string[] {
  return process.getActiveResourcesInfo().filter((kind) => /^(TCP|TLS|HTTP|Timeout|Immediate)/i.test(kind));
}

const networks = stacks.filter(({ name }) =>
  ['node:http', 'node:https', 'node:http, socket hijacked', 'node:http2', 'Hono'].includes(name),
);

describe.each(networks)('On $name, a drain', (stack) => {
  test('ends by its deadline with a peer that takes nothing', async () => {
    const hub = startHub();
    const { url, sockets } = await stack.start(hub);
    const stalled = await stack.ask(`${url}/events?topic=a`, { idle: true });
    const reading = await stack.ask(`${url}/events?topic=a`);
    await until('both live', () => hub.stats().live === 2);
    for (let i = 0; i < 300; i += 1) {
      await hub.publish('a', 'x'.repeat(60_000));
      if (i % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await until('one behind', () => hub.stats().behind === 1);
    await reading.frames.until('all events', () => reading.frames.events.length === 300);
    const before = performance.now();
    await within('end of the drain', hub.close({ within: 200 }));
    // The default deadline of `close`.
    expect(performance.now() - before).toBeLessThan(5000);
    expect(hub.connections()).toEqual([]);
    await reading.frames.end();
    expect(reading.frames.all.at(-1)?.type).toBe('tidings:goodbye');
    stalled.read();
    await stalled.frames.end();
    await until('no stalled socket', () => sockets.size <= 1);
  });
});

describe('A drain', () => {
  test('with nobody connected ends at once', async () => {
    const { hub } = await startNode();
    const before = performance.now();
    await hub.close({ within: 60_000 });
    expect(performance.now() - before).toBeLessThan(30_000);
  });

  test('spreads out the times at which clients come back', async () => {
    const { hub, url } = await startNode({ topics: ['a'] }, { retry: 1000, random: countingUp() });
    const replies = await Promise.all(Array.from({ length: 5 }, () => ask(url)));
    for (const { frames } of replies) await frames.nextEvent();
    const closed = hub.close();
    const retries = new Set<number | undefined>();
    for (const { frames } of replies) retries.add((await frames.nextEvent()).retry);
    expect(retries).toEqual(new Set([1000, 1100, 1200, 1300, 1400]));
    await closed;
  });

  test('delivers earlier events to peers that read', async () => {
    const { hub, port } = await startNode();
    const peer = await RawClient.connect(port);
    peer.read().get('/?topic=a');
    await peer.frames.nextEvent();
    for (let n = 0; n < 100; n += 1) void hub.publish('a', n);
    await hub.close();
    await peer.frames.end();
    expect(peer.frames.events.map(({ data }) => Number(data))).toEqual(
      Array.from({ length: 100 }, (_, n) => n),
    );
  });

  test('is one and the same for every call', async () => {
    const { hub, url } = await startNode({ topics: ['a'] });
    await ask(url);
    const [first, second] = [hub.close(), hub.close({ within: 1 })];
    expect(second).toBe(first);
    await first;
    await hub.close();
  });

  test('refuses visitors that are still being authorized', async () => {
    const { hub, url } = await startNode({
      topics: ['a'],
      authorize: async () => {
        await hub.close();
        return {};
      },
    });
    await expectProblem(await ask(url), 503, 'hub/unavailable');
  });

  test('cuts off a visitor that was just admitted', async () => {
    const { hub, url } = await startNode({
      topics: ['a'],
      onConnect: () => queueMicrotask(() => void hub.close()),
    });
    await expect(ask(url)).rejects.toMatchObject({ code: 'ECONNRESET' });
    await within('end of the drain', hub.close());
  });

  test('leaves no handle of its own behind', async () => {
    const before = handles();
    const { hub, url, server, sockets } = await startNode(
      { topics: ['a'] },
      { heartbeat: 40, flushWindow: 5 },
    );
    const replies = await Promise.all(Array.from({ length: 10 }, () => ask(url)));
    await hub.publish('a', 1);
    await hub.close({ within: 500 });
    for (const { frames } of replies) await frames.end();
    await within('end of the server', new Promise((resolve) => server.close(resolve)));
    await until('no sockets', () => sockets.size === 0);
    await until('no further handles', () => handles().length <= before.length);
  });
});

function countingUp(): () => number {
  let next = 0;
  return () => {
    next += 0.1;
    return Math.round((next - 0.1) * 10) / 10;
  };
}
