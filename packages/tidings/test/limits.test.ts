import { describe, expect, test } from 'vitest';
import { startHub } from './fixture.ts';
import { Peer } from './peer.ts';

describe('limits on connections', () => {
  test('refuse with 503 and Retry-After, until a connection leaves', async () => {
    const { hub, follow } = startHub({ limits: { connections: 2 } });
    const first = await follow();
    await follow();
    await expect(follow()).rejects.toMatchObject({
      code: 'hub/unavailable',
      status: 503,
      details: { retryAfter: 5 },
    });
    expect(hub.stats()).toMatchObject({ connections: 2, connected: 2 });
    first.drop();
    await follow();
    expect(hub.stats()).toMatchObject({ connections: 2, connected: 3 });
  });

  test('for one subject and for one address refuse only these with 429', async () => {
    const { follow } = startHub({ limits: { connectionsPerSubject: 1, connectionsPerAddress: 2 } });
    await follow({ subject: 'ann', remote: '1' });
    await expect(follow({ subject: 'ann', remote: '2' })).rejects.toMatchObject({
      code: 'limit/connections',
      status: 429,
      details: { per: 'subject', limit: 1 },
    });
    await follow({ subject: 'bob', remote: '1' });
    await expect(follow({ subject: 'cat', remote: '1' })).rejects.toMatchObject({
      code: 'limit/connections',
      status: 429,
      details: { per: 'address', limit: 2 },
    });
    await follow({ subject: 'cat', remote: '2' });
  });

  test('can change while the hub runs, for the connections that come: the others stay', async () => {
    const { hub, follow } = startHub({ limits: { connections: 1 } });
    await follow({ subject: 'ann', remote: '1' });
    hub.setLimits({ connections: 2, connectionsPerSubject: 1, topicLength: 4 });
    await expect(follow({ subject: 'ann', remote: '2' })).rejects.toMatchObject({ details: { limit: 1 } });
    await follow({ subject: 'bob', remote: '2' });
    await expect(follow({ subject: 'cat', remote: '3' })).rejects.toMatchObject({ status: 503 });
    await expect(hub.publish('too-long', 1)).rejects.toMatchObject({ code: 'topic/too-long' });
    hub.setLimits({ connections: 1 });
    expect(hub.connections()).toHaveLength(2);
    await hub.publish('too-long', 1);
    hub.setLimits({});
    await follow({ subject: 'ann', remote: '3' });
    expect(() => hub.setLimits({ conections: 1 } as never)).toThrow('Did you mean');
    expect(() => hub.setLimits({ connections: 0 })).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option' }),
    );
  });

  test('change whether private addresses are spared', async () => {
    const { hub, follow } = startHub({});
    for (let i = 0; i < 201; i += 1) await follow({ remote: '10.0.0.1' });
    hub.setLimits({ connectionsPerAddress: 200 });
    await expect(follow({ remote: '10.0.0.1' })).rejects.toMatchObject({ details: { per: 'address' } });
    hub.setLimits({});
    await follow({ remote: '10.0.0.1' });
  });

  test('that are undefined count as left out, at the start and later', async () => {
    const missing = { connections: undefined, eventLength: undefined } as unknown as { connections: number };
    const { hub, follow } = startHub({ limits: missing });
    await hub.publish('a', 'text');
    hub.setLimits({ connections: 1 });
    await follow();
    await expect(follow()).rejects.toMatchObject({ status: 503 });
    hub.setLimits(missing);
    await hub.publish('a', 'text');
    await follow();
    expect(() => hub.setLimits(undefined as never)).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option' }),
    );
    expect(() => hub.setLimits(null as never)).toThrow(
      expect.objectContaining({ code: 'hub/invalid-option' }),
    );
  });

  test('do not count a refused connection', async () => {
    const { hub, clock, follow } = startHub({ limits: { connectionsPerSubject: 1 } });
    const peer = await follow({ subject: 'ann' });
    for (let i = 0; i < 3; i += 1) await expect(follow({ subject: 'ann', topics: ['b'] })).rejects.toThrow();
    expect(hub.stats()).toMatchObject({ connections: 1, connected: 1, topics: 1 });
    expect(hub.watchers('b')).toBe(0);
    peer.drop();
    await follow({ subject: 'ann' });
    expect(clock.timers).toBe(1);
  });

  test('count a connection that was sent its goodbye until it is gone, since it still has a socket', async () => {
    const { hub, follow } = startHub({ limits: { connections: 1 } });
    const peer = await follow();
    hub.disconnect(() => true);
    await expect(follow()).rejects.toMatchObject({ status: 503 });
    peer.receive();
    await follow();
  });
});

describe('limits on events', () => {
  test('are those of the publishing hub', async () => {
    const { hub } = startHub({ limits: { topicLength: 3, topicsPerEvent: 2, eventLength: 5 } });
    await expect(hub.publish('abcd', 1)).rejects.toMatchObject({ code: 'topic/too-long', status: 400 });
    await expect(hub.publish(['a', 'b', 'c'], 1)).rejects.toMatchObject({
      code: 'event/too-many-topics',
      status: 400,
    });
    await expect(hub.publish('a', '12345')).rejects.toMatchObject({ code: 'event/too-large', status: 413 });
    await hub.publish(['abc', 'b'], '123');
    expect(hub.stats().published).toBe(1);
  });
});

test('an authorization that has expired is refused with 401', () => {
  const { hub, clock } = startHub();
  const expired = { code: 'auth/expired', status: 401 };
  const connect = (expiresAt: number): Peer => new Peer({ topics: ['a'], expiresAt }).connect(hub);
  expect(() => connect(clock.now())).toThrow(expect.objectContaining(expired));
  expect(() => connect(0)).toThrow(expect.objectContaining(expired));
  // Not a time at all: it would never be past.
  expect(() => connect(NaN)).toThrow(expect.objectContaining(expired));
  expect(hub.stats().connected).toBe(0);
  connect(clock.now() + 1);
  expect(hub.stats().connected).toBe(1);
});
