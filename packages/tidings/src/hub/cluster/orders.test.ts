import { expect, test } from 'vitest';
import type { LogEntry } from '../../log/entry.ts';
import { entryOf } from '../../log/entry.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { HUB_TOPICS, hubEvent } from './hub-topics.ts';
import { Orders, type Revocation, revocationKey } from './orders.ts';

const NOW = 1_700_000_000_000;

function setUp(): {
  orders: Orders;
  appended: NewEvent[];
  failures: unknown[];
  /** How often it looked at all connections. */
  looks: () => number;
} {
  const appended: NewEvent[] = [];
  const failures: unknown[] = [];
  let looks = 0;
  const orders = new Orders({
    head: () => 0,
    connections() {
      looks += 1;
      return [];
    },
    countOf: (subject) => (subject === 'connected' ? 1 : 0),
    end: () => {},
    endVisits: () => {},
    now: () => NOW,
    append: (event) => Promise.resolve(void appended.push(event)),
    report: (error) => failures.push(error),
  });
  orders.reset();
  orders.loaded(false);
  return { orders, appended, failures, looks: () => looks };
}

function revocation(revoked: Revocation, seq: number, ttl?: number): LogEntry {
  const more = ttl === undefined ? {} : { ttl };
  return entryOf(hubEvent(HUB_TOPICS.revocations, revocationKey(revoked), revoked, more), seq, NOW);
}

function isRevoked(orders: Orders, subject: string, issuedAt: number): boolean {
  try {
    orders.assertNotRevoked({ subject, issuedAt });
    return false;
  } catch {
    return true;
  }
}

test('revocations that the log has lost are appended again, for as long as they stood, unless others were faster', () => {
  const { orders, appended, failures } = setUp();
  orders.apply(revocation({ subject: 'kept', before: NOW }, 1, 5000));
  orders.apply(revocation({ subject: 'lost', before: NOW }, 2, 7000));
  orders.apply(revocation({ subject: 'older', before: NOW - 10 }, 3, 7000));
  orders.apply(revocation({ subject: 'older', before: NOW }, 4, 9000));
  orders.reset();
  orders.apply(revocation({ subject: 'kept', before: NOW }, 1, 5000));
  orders.apply(revocation({ subject: 'older', before: NOW - 10 }, 3, 7000));
  orders.loaded(true);
  expect(appended).toMatchObject([
    { topics: [HUB_TOPICS.revocations], key: '=lost', ttl: 7000, ifSeq: 0, private: true },
    { topics: [HUB_TOPICS.revocations], key: '=older', ttl: 9000, ifSeq: 3 },
  ]);
  expect(appended.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
    { subject: 'lost', before: NOW },
    { subject: 'older', before: NOW },
  ]);
  for (const subject of ['kept', 'lost', 'older']) expect(isRevoked(orders, subject, NOW - 1)).toBe(true);
  expect(failures).toEqual([]);
});

test('revocations that ended while the log was read anew are not appended again', () => {
  const { orders, appended } = setUp();
  orders.apply(revocation({ subject: 'ann', before: NOW }, 1, 5000));
  orders.reset();
  orders.loaded(false);
  expect(appended).toEqual([]);
  expect(isRevoked(orders, 'ann', NOW - 1)).toBe(false);
});

test('nobody whose authorization was revoked gets in while the log is read anew', () => {
  const { orders } = setUp();
  orders.apply(revocation({ subject: 'ann', before: NOW }, 1, 5000));
  orders.reset();
  expect(isRevoked(orders, 'ann', NOW - 1)).toBe(true);
  orders.apply(revocation({ subject: 'bob', before: NOW }, 2, 5000));
  expect(isRevoked(orders, 'bob', NOW - 1)).toBe(true);
  orders.loaded(false);
  expect([isRevoked(orders, 'ann', NOW - 1), isRevoked(orders, 'bob', NOW - 1)]).toEqual([false, true]);
});

test('a revocation looks at the connections only if its subject has any, and only once', () => {
  const { orders, looks } = setUp();
  const all = [
    ...Array.from({ length: 100 }, (_, i) => revocation({ subject: `absent ${i}`, before: NOW }, i + 1)),
    revocation({ subject: 'connected', before: NOW }, 101),
    revocation({ subject: undefined, before: NOW - 5000 }, 102),
    revocation({ tokenId: 'stolen', before: NOW }, 103),
  ];
  for (const each of all) orders.apply(each);
  expect(looks()).toBe(3);
  orders.reset();
  for (const each of all) orders.apply(each);
  orders.loaded(false);
  expect(looks()).toBe(3);
  orders.apply(revocation({ subject: 'connected', before: NOW + 1 }, 104));
  expect(looks()).toBe(4);
});

test('a revocation that is ordered again looks at the connections again, but not one that the log gets back', () => {
  const { orders, appended, looks } = setUp();
  const revoked = { subject: 'connected', before: NOW };
  orders.apply(revocation(revoked, 1, 5000));
  orders.apply(revocation(revoked, 2, 5000));
  expect(looks()).toBe(2);
  orders.reset();
  orders.loaded(true);
  expect(appended).toHaveLength(1);
  orders.apply(revocation(revoked, 7, 5000));
  expect(looks()).toBe(2);
  orders.apply(revocation(revoked, 8, 5000));
  expect(looks()).toBe(3);
});
