import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Connection } from './delivery/connection.ts';
import { Registry } from './registry.ts';

let made = 0;

/** The fields of a connection that a registry uses. */
function connection(subject?: string, remote?: string): Connection {
  made += 1;
  return { id: `c${made}`, request: { subject, remote } } as Connection;
}

const limits = { connections: 3, connectionsPerSubject: 2, connectionsPerAddress: 2 };

function refusal(registry: Registry, subject?: string, remote?: string): unknown {
  try {
    registry.assertRoom(subject, remote);
    return undefined;
  } catch (error) {
    const { code, status, details } = error as {
      code: string;
      status: number;
      details: Record<string, unknown>;
    };
    return { code, status, ...details };
  }
}

describe('the registry', () => {
  test('has room up to the limit, and again after a connection leaves', () => {
    const registry = new Registry(limits);
    const connections = [connection(), connection(), connection()];
    for (const each of connections) {
      expect(refusal(registry)).toBeUndefined();
      registry.add(each);
    }
    expect(refusal(registry)).toEqual({ code: 'hub/unavailable', status: 503, retryAfter: 5 });
    registry.delete(connections[0] as Connection);
    expect(refusal(registry)).toBeUndefined();
    expect(registry.size).toBe(2);
  });

  test('counts the connections of each subject and of each address', () => {
    const registry = new Registry({ ...limits, connections: Infinity });
    registry.add(connection('ann', '10.0.0.1'));
    registry.add(connection('ann', '10.0.0.2'));
    registry.add(connection('bob', '10.0.0.1'));
    const refused = { code: 'limit/connections', status: 429, limit: 2, retryAfter: 5 };
    expect(refusal(registry, 'ann', '10.0.0.3')).toEqual({ ...refused, per: 'subject' });
    expect(refusal(registry, 'cat', '10.0.0.1')).toEqual({ ...refused, per: 'address' });
    expect(refusal(registry, 'bob', '10.0.0.2')).toBeUndefined();
  });

  test('applies no limit to connections without subject or address', () => {
    const registry = new Registry({ ...limits, connections: Infinity });
    for (let i = 0; i < 10; i += 1) registry.add(connection());
    expect(refusal(registry)).toBeUndefined();
  });

  test('counts a connection that is deleted twice, or was never added, no more than once', () => {
    const registry = new Registry(limits);
    const [first, second] = [connection('ann'), connection('ann')];
    registry.add(first);
    registry.add(second);
    registry.delete(first);
    registry.delete(first);
    registry.delete(connection('ann'));
    expect(registry.size).toBe(1);
    registry.add(connection('ann'));
    expect(refusal(registry, 'ann')).toMatchObject({ per: 'subject' });
  });

  test('admits exactly the connections that a full count would, whatever came and went', () => {
    const name = fc.constantFrom('ann', 'bob', '', '__proto__', undefined);
    const step = fc.oneof(
      fc.record({ do: fc.constant('add' as const), subject: name, remote: name }),
      fc.record({ do: fc.constant('delete' as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const registry = new Registry({ connections: 6, connectionsPerSubject: 2, connectionsPerAddress: 3 });
        const there: Connection[] = [];
        for (const action of steps) {
          if (action.do === 'delete') {
            const [gone] = there.splice(action.which % (there.length || 1), 1);
            if (gone !== undefined) registry.delete(gone);
            continue;
          }
          const { subject, remote } = action;
          const bySubject = there.filter(
            ({ request }) => subject !== undefined && request.subject === subject,
          ).length;
          const byAddress = there.filter(
            ({ request }) => remote !== undefined && request.remote === remote,
          ).length;
          const room = there.length < 6 && bySubject < 2 && byAddress < 3;
          expect(refusal(registry, subject, remote) === undefined).toBe(room);
          if (!room) continue;
          const added = connection(subject, remote);
          registry.add(added);
          there.push(added);
        }
        expect([...registry.values()]).toEqual(there);
      }),
    );
  });

  test('counts an IPv6 address with all others of its network, and a mapped one as the IPv4 address it is', () => {
    const registry = new Registry(limits);
    const tooMany = { code: 'limit/connections', status: 429, retryAfter: 5, limit: 2, per: 'address' };
    const [first, second] = [connection(undefined, '2001:db8::1'), connection(undefined, '2001:db8::2')];
    for (const each of [first, second]) registry.add(each);
    expect(refusal(registry, undefined, '2001:db8::3')).toEqual(tooMany);
    expect(refusal(registry, undefined, '2001:db8:0:1::3')).toBeUndefined();
    for (const each of [first, second]) registry.delete(each);
    expect(refusal(registry, undefined, '2001:db8::3')).toBeUndefined();
    registry.add(connection(undefined, '192.0.2.1'));
    registry.add(connection(undefined, '::ffff:192.0.2.1'));
    expect(refusal(registry, undefined, '192.0.2.1')).toEqual(tooMany);
  });

  test('lets private addresses exceed the limit by default, and warns once', () => {
    const warned: string[] = [];
    const registry = new Registry({ ...limits, connections: 100 }, (address) => warned.push(address));
    registry.sparesPrivate = true;
    for (let i = 0; i < 5; i += 1) {
      expect(refusal(registry, undefined, '10.0.0.1')).toBeUndefined();
      registry.add(connection(undefined, '10.0.0.1'));
      registry.add(connection(undefined, '::1'));
    }
    expect(warned).toEqual(['10.0.0.1']);
    expect(refusal(registry, undefined, '::1')).toBeUndefined();
    for (let i = 0; i < 2; i += 1) registry.add(connection(undefined, '192.0.2.1'));
    expect(refusal(registry, undefined, '192.0.2.1')).toMatchObject({ per: 'address' });
  });
});
