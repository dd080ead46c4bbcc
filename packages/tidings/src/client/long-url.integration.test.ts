import { expect, it } from 'vitest';
import { observe } from '../../test/client/observed.ts';
import { slowNetworkTo } from '../../test/client/slow-network.ts';
import { until } from '../../test/http/deadline.ts';
import { startNode } from '../../test/http/hub.ts';

/** As many topics as a connection may have, too long for the head of a request. */
const TOPICS = Array.from({ length: 100 }, (_, i) => `${i}/${'x'.repeat(150)}`);
const LAST = TOPICS[99] ?? '';

async function start(given: readonly string[]) {
  const { hub, port } = await startNode();
  const network = await slowNetworkTo(port);
  const observed = observe(network.url, { topics: given });
  /** The connection that was opened last has all topics. */
  const isWhole = () =>
    until('all topics', () => {
      const newest = observed.openings.at(-1)?.connection;
      return hub.connections().some(({ id, topics }) => id === newest && topics.length === TOPICS.length);
    });
  return { hub, network, isWhole, ...observed };
}

it.each([
  ['given at the start', TOPICS, []],
  ['subscribed to later', TOPICS.slice(0, 1), TOPICS.slice(1)],
])('topics too long for any URL, %s, stay subscribed across a drop', async (_, given, added) => {
  const { hub, network, client, errors, gaps, openings, isWhole, comesBack, hasMessages, hasStatus } =
    await start(given);
  await hasStatus('open');
  if (added.length > 0) await client.subscribe(...added);
  await isWhole();
  await hub.publish(LAST, 1);
  await hasMessages(1);
  network.cut('GET');
  await comesBack();
  await until('second opening', () => openings.length === 2);
  await isWhole();
  await hub.publish(LAST, 2);
  await hasMessages(2);
  expect(errors).toEqual(['client/network, again in 2500']);
  expect(gaps).toEqual([]);
});

it('topics too long for any URL get a gap if events were published on them meanwhile', async () => {
  const { hub, network, errors, gaps, messages, isWhole, comesBack, hasMessages } = await start(TOPICS);
  await isWhole();
  await hub.publish(LAST, 1);
  await hasMessages(1);
  network.cut('GET');
  await until('report', () => errors.length > 0);
  await hub.publish(LAST, 2);
  await hub.publish(TOPICS[0] ?? '', 'in the URL');
  await comesBack();
  await until('gap', () => gaps.length > 0);
  await hub.publish(LAST, 3);
  await hasMessages(3);
  expect(messages).toEqual(['1', '"in the URL"', '3']);
  expect(gaps).toMatchObject([{ reason: 'unknown-cursor' }]);
  expect((gaps[0] as { topics: string[] }).topics).toContain(LAST);
});
