import { expect, test } from 'vitest';
import { memoryLog } from '../src/index.ts';
import { ask } from './http/client.ts';
import { startNode } from './http/hub.ts';
import { RawClient } from './http/raw-client.ts';

/** What SECURITY.md says and no other test shows; scripts/security-doc.test.ts names the test of each of its sentences. */

test('A gap names a topic that has lost a private event, and says no more of it', async () => {
  const log = memoryLog({ epoch: 'e', retention: { events: 1 } });
  const { hub, url } = await startNode({}, { log });
  await hub.publish('user/ann', 'confidential', { private: true, type: 'diagnosis' });
  await hub.publish('news', 'public');
  await hub.publish('news', 'public');
  const headers = { 'last-event-id': 'e.0' };
  const { frames } = await ask(`${url}/?topic=user/ann&topic=user/bob`, { headers });
  const { data } = await frames.nextEvent();
  expect(JSON.parse(data)).toMatchObject({
    resumed: false,
    gaps: [{ topics: ['user/ann'], reason: 'trimmed' }],
  });
  expect(frames.text).not.toMatch(/confidential|diagnosis/);
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
