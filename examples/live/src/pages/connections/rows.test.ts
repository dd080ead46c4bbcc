import { describe, expect, test } from 'vitest';
import type { ConnectionRow } from '../../shared/api.ts';
import { applyDelta, applySnapshot, sortRows, totals } from './rows.ts';

function row(id: string, more: Partial<ConnectionRow> = {}): ConnectionRow {
  return {
    id,
    browser: null,
    connectedAt: 1_000,
    remote: '192.0.2.x',
    signedIn: false,
    topics: ['posts'],
    state: 'live',
    lag: 0,
    bytes: 100,
    protocol: 'HTTP/1.1',
    agent: 'curl',
    ...more,
  };
}

const hub = { behind: 1, stalled: 0, head: 40, tailEvents: 40, tailBytes: 9_000 };
const state = applySnapshot(
  {
    version: 5,
    node: 'one',
    at: 10_000,
    own: 'me',
    connections: [row('a'), row('b', { connectedAt: 2_000, bytes: 50, signedIn: true, state: 'behind' })],
    total: 3,
    hub,
  },
  9_000,
);

describe('the open streams', () => {
  test('follow what was added, changed and removed', () => {
    const next = applyDelta(state, {
      version: 6,
      node: 'one',
      at: 11_000,
      upserted: [row('b', { bytes: 70 }), row('c')],
      removed: ['a'],
      total: 2,
      hub: { ...hub, head: 41 },
    });
    expect([...(next?.rows.keys() ?? [])]).toEqual(['b', 'c']);
    expect(next?.rows.get('b')?.bytes).toBe(70);
    expect(next).toMatchObject({ total: 2, hub: { head: 41 } });
  });

  test('are not changed by a delta that the snapshot already contains', () => {
    const old = { version: 5, node: 'one', at: 1, upserted: [], removed: ['a'], total: 0, hub };
    expect(applyDelta(state, old)).toBe(state);
  });

  test('know how far the server’s clock is ahead, to show ages', () => {
    expect(state.ahead).toBe(1_000);
  });

  test('are summed up, with unlisted ones counted as open', () => {
    expect(totals(state)).toEqual({ open: 3, signedIn: 1, bytes: 150 });
  });

  test('sorted by age begin with the one opened last', () => {
    expect(sortRows(state, { column: 'age', direction: 'ascending' }).map(({ id }) => id)).toEqual([
      'b',
      'a',
    ]);
    expect(sortRows(state, { column: 'bytes', direction: 'descending' }).map(({ id }) => id)).toEqual([
      'a',
      'b',
    ]);
  });
});
