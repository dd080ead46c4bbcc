import { describe, expect, onTestFinished, test } from 'vitest';
import { createMatcherSet } from '../../src/protocol/matcher-set.ts';
import { gatewayOf } from '../../src/hub/gateway.ts';
import type { ConnectRequest } from '../../src/hub/connect-request.ts';
import { DEADLINE } from '../../../../scripts/deadline.ts';
import { until, untilAsync } from '../http/deadline.ts';
import { Peer, settle } from '../peer.ts';
import { type Node, engines, startNode } from './hubs.ts';

/** Longer than a busy machine keeps a node, or a log, from having a turn. */
const GRACE = 1500;
const LEASE = 4000;
const PRESENCE = [{ match: { pattern: 'room/*' }, grace: GRACE, interval: 20, members: 10 }];
const options = { presence: PRESENCE, cluster: { lease: LEASE }, retry: 50 };

/** A peer that is at the hub as long as the test wants. */
function enter({ hub }: Node, subject: string, room = 'room/a'): Peer {
  return new Peer({ topics: [room], subject }).connect(hub);
}

function idsOn({ hub }: Node, room = 'room/a'): string[] {
  return hub
    .presence(room)
    .members.map(({ id }) => id)
    .toSorted();
}

/** How many members somebody would see who comes now. */
async function countShown({ log }: Node): Promise<number> {
  const matchers = createMatcherSet(['presence/room/a']);
  const query = {
    after: 0,
    wants: () => true,
    matchers,
    limit: { events: 100, length: 1e6 },
    snapshot: true,
  };
  const { entries } = await log.read(query);
  return (JSON.parse(entries.at(-1)?.data ?? '{"count":0}') as { readonly count: number }).count;
}

function request(more: Partial<ConnectRequest> = {}): ConnectRequest {
  return {
    wanted: createMatcherSet(['a']),
    granted: createMatcherSet([]),
    start: 'head',
    reconnects: false,
    subject: undefined,
    expiresAt: undefined,
    remote: undefined,
    userAgent: 'test',
    protocol: 'test',
    ...more,
  };
}

describe.each(engines)('hubs that share a log in %s', (_, makeLog) => {
  const startNodes = async (count: number, more = {}): Promise<Node[]> => {
    const open = await makeLog();
    const nodes: Node[] = [];
    for (let i = 0; i < count; i += 1)
      nodes.push(
        await startNode(open, { ...options, ...more, cluster: { ...options.cluster, name: `n${i}` } }),
      );
    return nodes;
  };

  test('know each other, with everybody’s counters', async () => {
    const nodes = await startNodes(3);
    const [one, two, three] = nodes as [Node, Node, Node];
    enter(one, 'ann');
    enter(two, 'bob');
    enter(two, 'cid');
    await one.hub.publish('a', 1);
    for (const { hub } of nodes) {
      await until('all nodes are known', () => {
        const { nodes: infos, connections, published } = hub.stats({ cluster: true });
        return infos.length === 3 && connections === 3 && published === 1;
      });
      const names = hub.stats({ cluster: true }).nodes.map(({ name }) => name);
      expect(names.toSorted((a = '', b = '') => a.localeCompare(b))).toEqual(['n0', 'n1', 'n2']);
    }
    await three.hub.close({ within: 50 });
    await until('the third is gone', () => one.hub.stats({ cluster: true }).nodes.length === 2);
    expect(nodes.flatMap(({ failures }) => failures)).toEqual([]);
  });

  test('count a member once, wherever and however often it is connected', async () => {
    const [one, two] = (await startNodes(2)) as [Node, Node];
    const watcher = new Peer({ topics: ['presence/room/a'] }).connect(two.hub);
    const onOne = enter(one, 'ann');
    enter(two, 'ann');
    enter(two, 'bob');
    for (const node of [one, two]) await until('both are counted', () => idsOn(node).join() === 'ann,bob');
    await until('it is announced', () => {
      watcher.receive();
      return watcher.received.at(-1)?.data.includes('"count":2') === true;
    });
    onOne.drop();
    await new Promise((resolve) => void setTimeout(resolve, GRACE + 500));
    for (const node of [one, two]) expect(idsOn(node)).toEqual(['ann', 'bob']);
    watcher.receive();
    expect(watcher.received.filter(({ data }) => data.includes('"count":1')).length).toBeLessThanOrEqual(1);
  });

  test('forget the members of a node that is gone, and clear up after it', async () => {
    const open = await makeLog();
    const one = await startNode(open, options);
    const log = await open();
    // A node that dies: its hub is there, and nothing of it reaches the log any more.
    let isDead = false;
    const dying = Object.create(log, {
      append: {
        value: (events: Parameters<typeof log.append>[0]) =>
          isDead ? Promise.reject(new Error('dead')) : log.append(events),
      },
    }) as typeof log;
    const two = await startNode(() => Promise.resolve(dying), options);
    enter(one, 'ann');
    enter(two, 'ghost');
    await until('both are counted', () => idsOn(one).join() === 'ann,ghost');
    await untilAsync('both are announced', async () => (await countShown(one)) === 2);
    isDead = true;
    await until('the ghost is gone', () => idsOn(one).join() === 'ann');
    await untilAsync('it is announced', async () => (await countShown(one)) === 1);
    const late = await startNode(open, options);
    await until('a node that comes later finds no ghost', () => idsOn(late).join() === 'ann');
    isDead = false;
    await until('a node that was only late is back, as a new one', () => idsOn(one).join() === 'ann,ghost');
    await untilAsync('it is announced again', async () => (await countShown(one)) === 2);
  });

  test('announce nobody’s absence while all members change the node', async () => {
    const open = await makeLog();
    const first = await startNode(open, options);
    enter(first, 'ann');
    enter(first, 'bob');
    await until('both are announced', () => idsOn(first).length === 2);
    const second = await startNode(open, options);
    const counts: number[] = [];
    second.log.tail.onPush((entries) => {
      for (const { topics, data } of entries)
        if (topics[0] === 'presence/room/a') counts.push((JSON.parse(data) as { count: number }).count);
    });
    await until('the second knows them', () => idsOn(second).length === 2);
    const closing = first.hub.close({ within: 10 });
    enter(second, 'ann');
    enter(second, 'bob');
    await closing;
    await until('the first is gone', () => second.hub.stats({ cluster: true }).nodes.length === 1);
    await new Promise((resolve) => void setTimeout(resolve, GRACE + 500));
    expect(idsOn(second)).toEqual(['ann', 'bob']);
    expect(counts.filter((count) => count !== 2)).toEqual([]);
  });

  test('limit the connections of a subject at all nodes together', async () => {
    const [one, two] = (await startNodes(2, { limits: { connectionsPerSubject: 3 } })) as [Node, Node];
    const admit = ({ hub }: Node): ReturnType<ReturnType<typeof gatewayOf>['admit']> =>
      gatewayOf(hub).admit(request({ subject: 'ann' }));
    const first = admit(one);
    admit(one);
    await until('the other node knows of two', () => {
      const probe = [admit(two)];
      try {
        probe.push(admit(two));
        return false;
      } catch (error) {
        expect(error).toMatchObject({ code: 'limit/connections' });
        return true;
      } finally {
        for (const each of probe) each.closed();
      }
    });
    first.closed();
    await until('there is room again', () => {
      try {
        admit(two).closed();
        admit(two);
        return true;
      } catch {
        return false;
      }
    });
  });

  test('limit the connections of a subject if that limit is set later, set aside and set again', async () => {
    const nodes = (await startNodes(2, options)) as [Node, Node];
    const [one, two] = nodes;
    const limitTo = (most: number): void => {
      for (const { hub } of nodes) hub.setLimits({ connectionsPerSubject: most });
    };
    const isFull = (): boolean => {
      try {
        gatewayOf(two.hub).assertRoom({ subject: 'ann' });
        return false;
      } catch {
        return true;
      }
    };
    const there = [1, 2].map(() => gatewayOf(one.hub).admit(request({ subject: 'ann' })));
    limitTo(2);
    await until('the other node knows of both', isFull);
    limitTo(Infinity);
    for (const each of there) each.closed();
    limitTo(2);
    await until('there is room again', () => !isFull());
  });

  test('no longer count the connections of a node that has closed, while its members have time to come back', async () => {
    const presence = [{ match: { pattern: 'room/*' }, grace: 10 * DEADLINE, members: 10 }];
    const more = { presence, limits: { connectionsPerSubject: 1 } };
    const [one, two] = (await startNodes(2, more)) as [Node, Node];
    enter(one, 'ann');
    const isFull = (): boolean => {
      try {
        gatewayOf(two.hub).assertRoom({ subject: 'ann' });
        return false;
      } catch {
        return true;
      }
    };
    await until('the other node knows of it', isFull);
    await until('ann is present', () => idsOn(two).join() === 'ann');
    await one.hub.close({ within: 10 });
    await until('there is room for her', () => !isFull());
    expect(idsOn(two)).toEqual(['ann']);
  });

  test('end connections at any node, and refuse what was revoked, also later and at nodes to come', async () => {
    const open = await makeLog();
    const [one, two] = [await startNode(open, options), await startNode(open, options)];
    const [ann, bob] = [enter(two, 'ann', 'a'), enter(two, 'bob', 'a')];
    await settle();
    await one.hub.disconnect({ subject: 'bob' }, { retry: 77 });
    await until('bob is gone', () => {
      bob.receive();
      return two.hub.connections().length === 1;
    });
    expect(bob.events.at(-1)).toMatchObject({ type: 'tidings:goodbye' });
    enter(two, 'bob', 'a');
    await one.hub.revoke('ann');
    await until('ann is gone', () => {
      ann.receive();
      return two.hub.connections().every(({ subject }) => subject !== 'ann');
    });
    const three = await startNode(open, options);
    for (const { hub } of [one, two, three]) {
      const { admit } = gatewayOf(hub);
      await until('ann is refused', () => {
        try {
          admit(request({ subject: 'ann' })).closed();
          return false;
        } catch (error) {
          expect(error).toMatchObject({ code: 'auth/revoked', status: 401 });
          return true;
        }
      });
      expect(() => admit(request({ subject: 'ann', issuedAt: Date.now() - 100_000 }))).toThrow();
      // She has signed in again.
      admit(request({ subject: 'ann', issuedAt: Date.now() + 1000 })).closed();
      admit(request({ subject: 'bob' })).closed();
    }
    await one.hub.revoke('ann', { for: 0 });
    await until('the revocation is taken back', () => {
      try {
        gatewayOf(three.hub)
          .admit(request({ subject: 'ann' }))
          .closed();
        return true;
      } catch {
        return false;
      }
    });
  });

  test('revoke all authorizations that are older than a time', async () => {
    const [one, two] = (await startNodes(2)) as [Node, Node];
    const { admit } = gatewayOf(two.hub);
    admit(request({ subject: 'old', issuedAt: 1000 }));
    admit(request({ subject: 'new', issuedAt: 3000 }));
    await one.hub.revoke({ tokensIssuedBefore: 2000 });
    await until('old ones are refused', () => {
      try {
        admit(request({ subject: 'x', issuedAt: 1999 })).closed();
        return false;
      } catch {
        return true;
      }
    });
    admit(request({ subject: 'x', issuedAt: 2000 })).closed();
    // An app that doesn't say when its tokens were issued has just judged them.
    admit(request({ subject: 'x' })).closed();
  });

  test('keep their own topics to themselves', async () => {
    const [one, two] = (await startNodes(2, { limits: { connectionsPerSubject: 9 } })) as [Node, Node];
    const nosy = new Peer({
      topics: [{ pattern: '*' }, { pattern: ':a' }, { pattern: '*nodes' }],
      granted: [{ pattern: '*' }],
    });
    nosy.connect(one.hub, 'earliest');
    const loop = one.hub.subscribe({ pattern: '*' }, { cursor: 'earliest' });
    onTestFinished(async () => void (await loop.return?.()));
    enter(two, 'ann');
    await one.hub.revoke('eve');
    await one.hub.disconnect({ topic: 'x' });
    await until('something was written', () => one.hub.presence('room/a').count === 1);
    await one.hub.publish('a', 'last');
    await until('the last came', () => {
      nosy.receive();
      // Presence may be announced after it.
      return nosy.received.some(({ data }) => data === '"last"');
    });
    expect(nosy.received.filter(({ type }) => type !== 'presence').map(({ data }) => data)).toEqual([
      '"last"',
    ]);
    for await (const item of loop) {
      if (item.kind === 'event' && item.data === '"last"') break;
      if (item.kind === 'event') expect(item.type).toBe('presence');
    }
    for (const topic of ['\u0001nodes', '\u0001revocations'])
      await expect(one.hub.publish(topic, {})).rejects.toMatchObject({ code: 'topic/invalid' });
    expect(() => createMatcherSet(['\u0001nodes'])).toThrow();
  });
});
