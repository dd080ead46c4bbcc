import { describe, expect, it } from 'vitest';
import { type Observed, observe } from '../../test/client/observed.ts';
import { type SlowNetwork, slowNetworkTo } from '../../test/client/slow-network.ts';
import { turn, until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';
import { type Hub, memoryLog } from '../index.ts';

interface Scene extends Observed {
  readonly hub: Hub;
  readonly network: SlowNetwork;
  /** Breaks the stream and waits for the client to come back. */
  reconnect(): Promise<void>;
}

async function start(): Promise<Scene> {
  const log = memoryLog({ topics: [{ match: 'state', state: true }] });
  const { hub, port } = await startNode({}, { log });
  // Older than every cursor that the client gets: only a snapshot brings it.
  await hub.publish('state', 'on', { key: 'lamp' });
  const network = await slowNetworkTo(port);
  const observed = observe(network.url, { topics: ['a'] });
  await observed.hasStatus('open');
  await until('opening', () => observed.openings.length > 0);
  async function reconnect(): Promise<void> {
    network.cut('GET');
    await observed.comesBack();
    await observed.hasStatus('open');
  }
  return { ...observed, hub, network, reconnect };
}

const settled = (hub: Hub, topics: readonly string[]) =>
  until(
    `topics ${topics.join()}`,
    () => JSON.stringify(hub.connections()[0]?.topics) === JSON.stringify(topics),
  );

describe('a stream that breaks after a change was answered, but before it announced the change,', () => {
  it('still brings the values of a state', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    network.hold('GET');
    await client.subscribe('state');
    await turn();
    expect(messages).toEqual([]);
    await reconnect();
    await hasMessages(1);
    await hub.publish('state', 'off', { key: 'lamp' });
    await hasMessages(2);
    expect([messages, gaps]).toEqual([['"on"', '"off"'], []]);
    expect(network.requests).toEqual(['GET', 'POST', 'GET', 'POST']);
  });

  it('goes on with the next event if none was published meanwhile', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    network.hold('GET');
    await client.subscribe('b');
    await reconnect();
    await settled(hub, ['a', 'b']);
    await hub.publish('b', 1);
    await hasMessages(1);
    expect([messages, gaps]).toEqual([['1'], []]);
  });

  it('reports a gap if events were lost, and loses none of the other topics', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    network.hold('GET');
    await client.subscribe('b', 'state');
    for (const topic of ['a', 'b', 'a']) await hub.publish(topic, topic);
    await reconnect();
    await until('gap', () => gaps.length > 0);
    await hub.publish('b', 'later');
    await hasMessages(4);
    expect(messages.toSorted()).toEqual(['"a"', '"a"', '"later"', '"on"']);
    expect(gaps).toEqual([{ topics: ['b', 'state'], reason: 'unknown-cursor' }]);
  });

  it('does not bring back a dropped topic', async () => {
    const { hub, client, network, messages, hasMessages, reconnect } = await start();
    await client.subscribe('b');
    network.hold('GET');
    await client.unsubscribe('a');
    await reconnect();
    await hub.publish('a', 1);
    await hub.publish('b', 2);
    await hasMessages(1);
    expect(messages).toEqual(['2']);
  });

  it('is followed by a request for everything if no earlier topic is left', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    network.hold('GET');
    await client.subscribe('b', 'state');
    await client.unsubscribe('a');
    await hub.publish('b', 1);
    await reconnect();
    await hasMessages(2);
    expect([messages, gaps]).toEqual([['"on"', '1'], []]);
    expect(network.requests).toEqual(['GET', 'POST', 'POST', 'GET']);
  });
});

describe('a stream that announced a change', () => {
  it('keeps it when it resumes from the cursor, without another request', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    await client.subscribe('b', 'state');
    await hasMessages(1);
    await hub.publish('b', 1);
    await hasMessages(2);
    network.hold('GET');
    await hub.publish('b', 2);
    await reconnect();
    await hasMessages(3);
    expect([messages, gaps]).toEqual([['"on"', '1', '2'], []]);
    expect(network.requests).toEqual(['GET', 'POST', 'GET']);
  });
});

describe('a stream that breaks before a change is answered', () => {
  it('makes the client send the change again, which then has the later cursor', async () => {
    const { hub, client, network, messages, gaps, hasMessages, reconnect } = await start();
    network.hold('GET');
    network.hold('POST');
    const changed = client.subscribe('b', 'state');
    await settled(hub, ['a', 'b', 'state']);
    await hub.publish('b', 'before');
    network.cut('POST');
    await reconnect();
    expect(await changed).toBe(hub.cursor());
    await hub.publish('b', 'after');
    await hasMessages(2);
    expect([messages, gaps]).toEqual([['"on"', '"after"'], []]);
  });
});

describe('a change while there is no connection', () => {
  it('waits for one, and brings the values of states', async () => {
    const { hub, client, network, messages, gaps, comesBack, hasStatus, hasMessages } = await start();
    network.cut('GET');
    await hasStatus('waiting');
    const changes = Promise.all([client.subscribe('state', 'b'), client.unsubscribe('a')]);
    await hub.publish('b', 'before');
    await comesBack();
    expect(await changes).toEqual([hub.cursor(), hub.cursor()]);
    await hub.publish('b', 'after');
    await hasMessages(2);
    expect([messages, gaps]).toEqual([['"on"', '"after"'], []]);
  });

  it('is rejected by itself if the server refuses it, and the connection stays', async () => {
    const { client, network, errors, comesBack, hasStatus } = await start();
    network.cut('GET');
    await hasStatus('waiting');
    const refused = client.subscribe('no\ntopic');
    await comesBack();
    await expect(refused).rejects.toMatchObject({ details: { code: 'topic/invalid' } });
    expect([client.status, errors]).toEqual(['open', ['client/network, again in 2500']]);
  });
});
