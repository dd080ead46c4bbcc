import { expect, test } from 'vitest';
import { memoryLog } from '../src/index.ts';
import { ask } from './http/client.ts';
import { startNode } from './http/hub.ts';
import { RawClient } from './http/raw-client.ts';

/** Sentences of SECURITY.md that no other test shows; scripts/security-doc.test.ts names the test of each of its sentences. */

test('A gap depends only on events that the client may read: private ones leave no trace', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode({}, { log });
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('user/bob', 'public');
  await hub.publish('news', 'public');
  await hub.publish('news', 'public');
  const query = 'topic=user/ann&topic=user/bob&pattern=user/a*&pattern=user/:id';
  const welcome = async (cursor: string, to = url): Promise<unknown> => {
    const { frames } = await ask(`${to}/?${query}`, { headers: { 'last-event-id': cursor } });
    return JSON.parse((await frames.nextEvent()).data);
  };
  expect(await welcome('e.0')).toMatchObject({
    resumed: false,
    gaps: [{ topics: ['user/bob', { pattern: 'user/:id' }], reason: 'trimmed' }],
  });
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('news', 'public');
  expect(await welcome('e.2')).toMatchObject({ resumed: true, gaps: [] });
  const insider = await startNode({ authorize: () => ({ topics: [{ pattern: '*' }] }) }, { log });
  expect(await welcome('e.2', insider.url)).toMatchObject({
    resumed: false,
    gaps: [{ topics: ['user/ann', { pattern: 'user/a*' }, { pattern: 'user/:id' }], reason: 'trimmed' }],
  });
});

test('A grant of some topics reveals no gap on the others, unless what was lost may have been on both', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode(
    { authorize: () => ({ topics: [{ pattern: '*' }], private: ['user/bob'] }) },
    { log },
  );
  const gapsOf = async (cursor: string): Promise<unknown> => {
    const { frames } = await ask(`${url}/?topic=user/ann&topic=user/bob&pattern=user/*`, {
      headers: { 'last-event-id': cursor },
    });
    const { gaps } = JSON.parse((await frames.nextEvent()).data) as { gaps: { topics: unknown }[] };
    return gaps.flatMap(({ topics }) => topics);
  };
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('news', 'public');
  await hub.publish('news', 'public');
  expect(await gapsOf('e.0')).toEqual([]);
  await hub.publish(['user/ann', 'user/bob'], 'for both', { private: true });
  await hub.publish('news', 'public');
  expect(await gapsOf('e.2')).toEqual(['user/ann', 'user/bob', { pattern: 'user/*' }]);
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('user/bob', 'private', { private: true });
  await hub.publish('news', 'public');
  expect(await gapsOf('e.6')).toEqual(['user/bob', { pattern: 'user/*' }]);
});

test('A subscriber to a topic without a grant gets a gap if it may have read the lost event by another one', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode(
    { authorize: () => ({ topics: [{ pattern: '*' }], private: ['user/bob'] }) },
    { log },
  );
  const welcome = async (cursor: string): Promise<unknown> => {
    const { frames } = await ask(`${url}/?topic=user/ann`, { headers: { 'last-event-id': cursor } });
    return JSON.parse((await frames.nextEvent()).data);
  };
  await hub.publish(['user/ann', 'user/bob'], 'for both', { private: true });
  await hub.publish('news', 'public');
  expect(await welcome('e.0')).toMatchObject({ resumed: false, gaps: [{ topics: ['user/ann'] }] });
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('news', 'public');
  expect(await welcome('e.2')).toMatchObject({ resumed: true, gaps: [] });
});

test('A grant of everything reveals no gap on topics of Tidings’ own, which it doesn’t have', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode({ authorize: () => ({ topics: [{ pattern: '*' }] }) }, { log });
  await hub.publish('tidings/box', 'confidential', { private: true });
  await hub.publish('news', 'public');
  const { frames } = await ask(`${url}/?pattern=tidings/*`, { headers: { 'last-event-id': 'e.0' } });
  expect(JSON.parse((await frames.nextEvent()).data)).toMatchObject({ resumed: true, gaps: [] });
});

test('A slow reader is told of lost public events alone', async () => {
  const { hub, url } = await startNode({}, { log: memoryLog({ epoch: 'e', retention: { events: 1 } }) });
  await hub.publish('user/ann', 'public');
  await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('news', 'public');
  const { frames } = await ask(`${url}/?topic=user/ann`, { headers: { 'last-event-id': 'e.1' } });
  expect(JSON.parse((await frames.nextEvent()).data)).toMatchObject({ resumed: true, gaps: [] });
  await hub.publish('user/ann', 'next');
  expect((await frames.nextEvent()).data).toBe('"next"');
  expect(frames.text).not.toMatch(/tidings:gap|confidential/);
});

test('A client that may not read a topic learns of no gap on it, however it asks', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode({ authorize: () => ({ topics: ['news', 'user/bob'] }) }, { log });
  await hub.publish('user/ann', 'secret', { private: true });
  await hub.publish('other', 1);
  await hub.publish('other', 2);
  const headers = { 'last-event-id': 'e.0' };
  for (const query of ['topic=user/ann', 'pattern=user/:id', 'pattern=*'])
    expect((await ask(`${url}/?${query}`, { headers })).status).toBe(403);
  const { frames } = await ask(`${url}/?topic=user/bob&topic=news`, { headers });
  expect(JSON.parse((await frames.nextEvent()).data)).toMatchObject({ resumed: true, gaps: [] });
});

test('Cursors count all events, also those that a client may not read', async () => {
  const { hub, url } = await startNode({}, { log: memoryLog({ epoch: 'e' }) });
  for (let i = 0; i < 3; i += 1) await hub.publish('user/ann', 'confidential', { private: true });
  await hub.publish('news', 'public');
  const { frames } = await ask(`${url}/?topic=news`, { headers: { 'last-event-id': 'e.0' } });
  await frames.nextEvent();
  expect((await frames.nextEvent()).id).toBe('e.4');
});

test('An id counts across all topics', async () => {
  const { hub, url } = await startNode();
  const { frames } = await ask(`${url}/?topic=orders`);
  await frames.nextEvent();
  await hub.publish('invoices', 'first', { id: '1001' });
  expect(await hub.publish('orders', 'suppressed', { id: '1001' })).toMatchObject({ duplicate: true });
  await hub.publish('orders', 'next');
  expect((await frames.nextEvent()).data).toBe('"next"');
});

test('Markup in data arrives as it was published', async () => {
  const { hub, url } = await startNode();
  const { frames } = await ask(`${url}/?topic=a`);
  await frames.nextEvent();
  const markup = '<img src=x onerror="alert(1)">';
  await hub.publish('a', markup, { raw: true });
  expect((await frames.nextEvent()).data).toBe(markup);
});

test('Without TLS events and credentials are on the wire as they are', async () => {
  const { hub, port } = await startNode({
    authorize: ({ headers }) => ({ subject: headers.authorization ?? '' }),
  });
  const peer = await RawClient.connect(port);
  peer.read().get('/?topic=a', { authorization: 'token' });
  await peer.frames.nextEvent();
  expect(hub.connections()[0]?.subject).toBe('token');
  await hub.publish('a', 'in clear');
  await peer.frames.nextEvent();
  expect(peer.text).toContain('data: "in clear"\n\n');
});
