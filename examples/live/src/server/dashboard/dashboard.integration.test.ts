import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { DashboardDelta, DashboardSnapshot } from '../../shared/api.ts';
import { startServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import { until } from '../testing/until.ts';
import { metricNames } from './history.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.close());

describe('the dashboard', () => {
  test('shows this very process, at once and then as it changes', async () => {
    const ann = await server.signedUp('ann');
    await ann.post('one');
    const stream = await ann.stream('topic=dashboard');
    const snapshot: DashboardSnapshot = (await stream.next('dashboard:snapshot')).json();
    expect(snapshot.metrics).toMatchObject({
      connections: 1,
      usersOnline: 1,
      posts: 1,
    });
    expect(snapshot.metrics.rss).toBeGreaterThan(10_000_000);
    expect(snapshot.history.at.at(-1)).toBe(snapshot.at);
    expect(Object.keys(snapshot.history.series).sort()).toEqual([...metricNames].sort());

    await ann.post('two');
    const { version }: DashboardDelta = (
      await stream.next('dashboard:delta', ({ metrics }) => metrics.posts === 2)
    ).json();
    expect(version).toBeGreaterThan(snapshot.version);
    const rates: DashboardDelta = (
      await stream.next('dashboard:delta', ({ metrics }) => metrics.bytesPerSecond > 0)
    ).json();
    expect(Object.keys(rates.metrics).length).toBeLessThan(metricNames.length);

    const bobs = await (await server.signedUp('bob')).stream('topic=dashboard');
    const later: DashboardSnapshot = (await bobs.next('dashboard:snapshot')).json();
    expect(later.history.at.length).toBeGreaterThan(1);
    await stream.next(
      'dashboard:delta',
      ({ metrics }) => metrics.usersOnline === 2 && metrics.connections === 2,
    );
    await Promise.all([stream.close(), bobs.close()]);
  });

  test('gives a page that was away only the newest of each group of figures', async () => {
    const dan = await server.signedUp('dan');
    const watching = await server.person().stream('topic=dashboard');
    const { posts } = (await watching.next('dashboard:snapshot')).json().metrics;
    const cursors: (string | undefined)[] = [];
    for (let count = 1; count <= 4; count += 1) {
      await dan.post('one more');
      const told = await watching.next('dashboard:delta', ({ metrics }) => metrics.posts === posts + count);
      cursors.push(told.id);
    }
    const away = await server.person().stream('topic=dashboard', { 'Last-Event-ID': cursors[0] ?? '' });
    const { resumed } = (await away.next('tidings:welcome')).json();
    await away.next('dashboard:delta', ({ metrics }) => metrics.posts === posts + 4);
    const told = away.events.filter(({ type, data }) => type === 'dashboard:delta' && data.includes('posts'));
    expect([resumed, told.length]).toEqual([true, 1]);
    await Promise.all([watching.close(), away.close()]);
  });

  test('publishes nothing while no page watches', async () => {
    await until(() => server.hub.connections().length === 0);
    const stream = await server.person().stream('topic=posts');
    await stream.next('tidings:welcome');
    // Each sample reads the hub's figures.
    const stats = vi.spyOn(server.hub, 'stats');
    const samples = (): number =>
      stats.mock.calls.filter(([options]) => options !== undefined && 'lagSince' in options).length;
    // It goes on for a moment after the last page has left.
    await until(async () => {
      const [taken, before] = [samples(), server.hub.stats().published];
      await until(() => samples() >= taken + 3);
      return server.hub.stats().published === before;
    });
    stats.mockRestore();
    await stream.close();
  });
});

describe('the connections page', () => {
  test('lists every stream as it comes and goes, without revealing its user', async () => {
    const ann = await server.signedUp('carl');
    await until(() => server.hub.connections().length === 0);
    const watching = await server.person().stream('topic=connections', { 'User-Agent': 'curl/8.1' });
    const { connection: own } = (await watching.next('tidings:welcome')).json();
    const snapshot = (await watching.next('connections:snapshot')).json();
    expect(snapshot).toMatchObject({
      total: 1,
      hub: { behind: expect.any(Number), stalled: 0, head: expect.any(Number) },
      connections: [
        { id: own, remote: 'localhost', signedIn: false, topics: ['connections'], agent: 'curl 8' },
      ],
    });
    const anns = await ann.stream(`topic=posts&topic=user/${ann.user.id}`);
    const { connection: theirs } = (await anns.next('tidings:welcome')).json();
    const delta = (await watching.next('connections:delta', ({ total }) => total === 2)).json();
    expect(delta.upserted).toContainEqual(
      expect.objectContaining({ id: theirs, signedIn: true, state: 'live', topics: ['posts', 'user/…'] }),
    );
    await anns.close();
    await watching.next('connections:delta', ({ removed }) => removed.includes(theirs));
    await watching.close();
  });
});

describe('operations', () => {
  test('GET /healthz answers 200', async () => {
    expect(await server.person().get('/healthz')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('GET /metrics gives the state of process and hub to Prometheus', async () => {
    await until(() => server.hub.connections().length === 0);
    const stream = await server.person().stream('topic=posts');
    await stream.next('tidings:welcome');
    const { status, text, headers } = await server.person().get('/metrics');
    expect(status).toBe(200);
    expect(headers.get('Content-Type')).toMatch('text/plain; version=0.0.4');
    expect(text).toMatch(/^tidings_connections 1$/m);
    expect(text).toMatch(/^tidings_published_events_total [1-9]\d*$/m);
    expect(text).toMatch(/^tidings_log_head [1-9]\d*$/m);
    expect(text).toMatch(/^tidings_tail_events [1-9]\d*$/m);
    expect(text).toMatch(/^tidings_connections_behind 0$/m);
    expect(text).toMatch(/^tidings_disconnects_total\{reason="stalled"\} 0$/m);
    expect(text).toMatch(/^live_posts 6$/m);
    expect(text).toMatch(/^nodejs_eventloop_lag_p99_seconds /m);
    expect(text).toMatch(/^process_resident_memory_bytes /m);
    await stream.close();
  });
});
