import { describe, expect, test } from 'vitest';
import { startHub } from './fixture.ts';
import { gatewayOf } from './internals.ts';
import { settle } from './peer.ts';

describe('a hub alone on its log', () => {
  test('ends the connections of a subject, and refuses it until the revocation ends', async () => {
    const { hub, clock, follow } = startHub();
    const ann = await follow({ subject: 'ann' });
    const bob = await follow({ subject: 'bob' });
    await hub.revoke('ann', { for: 5000 });
    ann.receive();
    bob.receive();
    expect(ann.events.at(-1)).toMatchObject({ type: 'tidings:goodbye' });
    expect(bob.events.at(-1)?.type).not.toBe('tidings:goodbye');
    const { assertRoom } = gatewayOf(hub);
    const refused = expect.objectContaining({ code: 'auth/revoked', status: 401 }) as Error;
    expect(() => assertRoom({ subject: 'ann' })).toThrow(refused);
    expect(() => assertRoom({ subject: 'ann', issuedAt: clock.now() - 1 })).toThrow(refused);
    expect(() => assertRoom({ subject: 'ann', issuedAt: clock.now() })).not.toThrow();
    expect(() => assertRoom({ subject: 'bob' })).not.toThrow();
    clock.advance(7000);
    await settle();
    expect(() => assertRoom({ subject: 'ann' }), 'it has ended').not.toThrow();
  });

  test('ends connections without a time again when everybody is revoked again by the same time', async () => {
    const { hub, clock, follow } = startHub();
    const order = { tokensIssuedBefore: clock.now() };
    for (let round = 0; round < 2; round += 1) {
      const peer = await follow({ subject: 'ann' });
      await hub.revoke(order);
      peer.receive();
      expect(peer.events.at(-1)).toMatchObject({ type: 'tidings:goodbye' });
    }
  });

  test('ends the connections of one token, and refuses it alone', async () => {
    const { hub, follow } = startHub();
    const [phone, laptop] = [
      await follow({ subject: 'ann', tokenId: 'phone' }),
      await follow({ subject: 'ann', tokenId: 'laptop' }),
    ];
    await hub.revoke({ tokenId: 'phone' });
    phone.receive();
    laptop.receive();
    expect(phone.events.at(-1)).toMatchObject({ type: 'tidings:goodbye' });
    expect(laptop.events.at(-1)?.type).not.toBe('tidings:goodbye');
    const { assertRoom, assertAuthorized } = gatewayOf(hub);
    const refused = expect.objectContaining({ code: 'auth/revoked', status: 401 }) as Error;
    for (const assert of [assertRoom, assertAuthorized]) {
      expect(() => assert({ subject: 'ann', tokenId: 'phone', issuedAt: 9e15 })).toThrow(refused);
      expect(() => assert({ tokenId: 'phone' })).toThrow(refused);
      expect(() => assert({ subject: 'ann', tokenId: 'laptop' })).not.toThrow();
      expect(() => assert({ subject: 'phone' })).not.toThrow();
    }
    await hub.revoke({ tokenId: 'phone' }, { for: 0 });
    expect(() => assertRoom({ tokenId: 'phone' })).not.toThrow();
  });

  test('refuses those who are being authorized while an order to disconnect comes', async () => {
    const { hub } = startHub();
    const { visit } = gatewayOf(hub);
    const pending = visit();
    await hub.disconnect({ subject: 'ann' });
    const disconnected = (pending as unknown as { disconnected: ((info: object) => boolean)[] }).disconnected;
    expect(disconnected.map((where) => where({ subject: 'ann', topics: [] }))).toEqual([true]);
    expect(disconnected.map((where) => where({ subject: 'bob', topics: [] }))).toEqual([false]);
    pending.over();
  });

  test.each([
    ['nobody', {}],
    ['an unknown field', { user: 'ann' }],
    ['a subject that is none', { subject: 7 }],
    ['a token and more', { tokenId: 'a', subject: 'ann' }],
  ])('refuses to disconnect or revoke %s', async (_, who) => {
    const { hub } = startHub();
    const refused = expect.objectContaining({ code: 'hub/invalid-option' }) as Error;
    expect(() => hub.disconnect(who as { subject: string })).toThrow(refused);
    await expect(hub.revoke(who as { subject: string })).rejects.toThrow(refused);
  });

  test('is a cluster of one', () => {
    const { hub } = startHub({ cluster: { name: 'only' } });
    const { nodes, connections } = hub.stats({ cluster: true });
    expect(nodes.map(({ name }) => name)).toEqual(['only']);
    expect(connections).toBe(0);
  });

  test('bounds the topics on which one connection is present', () => {
    const presence = [{ match: { pattern: 'room/*' } }];
    const { hub } = startHub({ presence, limits: { presenceTopicsPerConnection: 2 } });
    const { wanted } = gatewayOf(hub);
    expect(() => wanted(['room/1', 'room/2', 'other/3', 'presence/room/4'])).not.toThrow();
    expect(() => wanted(['room/1', 'room/2', 'room/3'])).toThrow(
      expect.objectContaining({ code: 'limit/topics', status: 400, details: { topics: 3, maxTopics: 2 } }),
    );
  });
});
