import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PageViewers, PageViews } from '../../shared/api.ts';
import { visitOf } from '../testing/person.ts';
import { openStream } from '../testing/stream.ts';
import type { Stream } from '../testing/stream.ts';
import { startServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import { until } from '../testing/until.ts';

let server: TestServer;
beforeAll(async () => {
  // Longer than it takes a busy machine to load a page anew.
  server = await startServer({ VIEWER_GRACE_SECONDS: '5' });
});
afterAll(() => server.close());

const newView = (): string => `view=${crypto.randomUUID()}`;
const counts = (pages: PageViewers[], page: string): number | undefined =>
  pages.find((entry) => entry.page === page)?.viewers;

async function watch(): Promise<Stream> {
  const stream = await server.person().stream('topic=viewers&topic=pageviews');
  await stream.next('viewers:snapshot');
  return stream;
}

describe('viewers', () => {
  test('are people: two tabs count once, a reload changes nothing, and closing the last tab ends the visit', async () => {
    const watching = await watch();
    const [ann, bob] = [server.person(), server.person()];
    const told = async (viewers: number): Promise<void> => {
      await watching.next('viewers:delta', ({ pages }) => counts(pages, '/feed') === viewers);
    };
    const annsTab = await ann.view('/feed');
    await told(1);
    const bobsTab = await bob.view('/feed');
    await told(2);
    const annsSecondTab = await ann.view('/feed');
    await bobsTab.close();
    const bobsReload = await bob.view('/feed');
    await annsTab.close();
    const seen = watching.events.length;
    await bobsReload.close();
    await told(1);
    await annsSecondTab.close();
    await told(0);
    const deltas = watching.events.slice(seen).filter(({ type }) => type === 'viewers:delta');
    expect(deltas.map((event) => counts(event.json().pages, '/feed'))).toEqual([1, 0]);
    await watching.close();
  });

  test('are recognized by a cookie that the server sets once', async () => {
    const ann = server.person();
    const stream = await ann.view('/feed');
    expect(stream.response.headers.getSetCookie().join()).toMatch(
      /^tidings_visitor=[\w-]{22};.*HttpOnly; SameSite=Lax$/,
    );
    const again = await ann.view('/feed');
    expect(again.response.headers.getSetCookie()).toEqual([]);
    await Promise.all([stream.close(), again.close()]);
  });

  test.each([
    ['no number of the load', '/feed', ''],
    ['a short number', '/feed', 'short'],
    ['no path', 'feed', undefined],
    ['a page that does not exist', '/made-up', undefined],
    ['a path that is too long', '/x'.repeat(101), undefined],
    ['a query', '/feed?secret', undefined],
    ['a name that every object has', 'constructor', undefined],
  ])('are refused for %s with 400', async (_, page, view) => {
    const { headers } = visitOf(page, view);
    const answer = await server.person().send('GET', '/events?topic=posts', undefined, headers);
    expect(answer.status).toBe(400);
    expect(answer.body.code).toMatch(/^(page|request)\/invalid$/);
  });

  test('are counted on every page of a stream that several tabs share', async () => {
    const watching = await watch();
    const { query } = visitOf('/feed');
    const stream = await server.person().stream(`${query}&${visitOf('/analytics').query}`);
    const told = (page: string): number | undefined =>
      watching.events
        .filter(({ type }) => type === 'viewers:delta')
        .map((event) => counts(event.json().pages, page))
        .findLast((viewers) => viewers !== undefined);
    await until(() => told('/feed') === 1 && told('/analytics') === 1);
    await stream.close();
    await until(() => told('/feed') === 0 && told('/analytics') === 0);
    await watching.close();
  });
});

describe('page views', () => {
  // A server of its own: views left by other tests are saved a moment later.
  let server: TestServer;
  beforeAll(async () => {
    server = await startServer();
  });
  afterAll(() => server.close());

  test('are stored once for each load, however often it reconnects, and published', async () => {
    const watching = await server.person().stream('topic=pageviews');
    const before = (await server.person().get('/analytics/pageviews?minutes=5')).body;
    const ann = server.person();
    const view = crypto.randomUUID();
    for (let i = 0; i < 3; i += 1) await (await ann.view('/dashboard', view)).close();
    await (await ann.view('/dashboard/')).close();
    await watching.next('pageviews:delta', ({ total }) => total === before.total + 2);
    const after = (await server.person().get('/analytics/pageviews?minutes=5')).body;
    expect(after.total).toBe(before.total + 2);
    expect(after.pages).toContainEqual({ page: '/dashboard', total: 2 });
    expect(after.minutes).toHaveLength(5);
    const sum = (minutes: { views: number }[]): number =>
      minutes.reduce((total, { views }) => total + views, 0);
    expect(sum(after.minutes)).toBe(sum(before.minutes) + 2);
    expect(after.minutes.every(({ at }: { at: number }) => at % 60_000 === 0)).toBe(true);
    await watching.close();
  });

  test('follow a cursor: views counted in between arrive, as totals that may be repeated', async () => {
    const { cursor, total } = (await server.person().get('/analytics/pageviews')).body;
    await (await server.person().view('/connections')).close();
    const stream = await server.person().stream(`topic=pageviews&last_event_id=${cursor}`);
    const delta = (await stream.next('pageviews:delta', (data) => data.total > total)).json();
    expect(delta).toMatchObject({ total: total + 1, pages: [{ page: '/connections', total: 1 }] });
    await stream.close();
  });

  test.each(['minutes=0', 'minutes=1441', 'minutes=x', 'minutes='])(
    'are refused for ?%s with 400',
    async (query) => {
      expect(await server.person().get(`/analytics/pageviews?${query}`)).toMatchObject({ status: 400 });
    },
  );
});

describe('another site', () => {
  const origin = 'https://shop.example:8443';
  const visitor = 'visitor=0123456789abcdef';
  const count = (query: string, headers: Record<string, string> = { Origin: origin }): Promise<Stream> =>
    openStream(`${server.url}/count?${query}`, headers);

  test('may load the script, as its headers say', async () => {
    const answer = await server.person().send('GET', '/embed.js', undefined, { Origin: origin });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('Content-Type')).toMatch('text/javascript');
    expect(answer.headers.get('Cross-Origin-Resource-Policy')).toBe('cross-origin');
    expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*');
  });

  test('is counted under its own name, which the browser sends, and gets no cookie', async () => {
    const watching = await watch();
    const one = await count(`page=/cart&${newView()}&${visitor}`);
    expect(one.response.headers.get('Access-Control-Allow-Origin')).toBe('*');
    expect(one.response.headers.getSetCookie()).toEqual([]);
    await one.next('tidings:welcome');
    const two = await count(`page=/cart&${newView()}&${visitor}`);
    await watching.next('viewers:delta', ({ pages }) => counts(pages, 'shop.example:8443/cart') === 1);
    await one.close();
    await two.close();
    await watching.next('viewers:delta', ({ pages }) => counts(pages, 'shop.example:8443/cart') === 0);
    await until(async () => {
      const { pages } = (await server.person().get('/analytics/pageviews')).body as PageViews;
      return pages.some(({ page, total }) => page === 'shop.example:8443/cart' && total === 2);
    });
    await watching.close();
  });

  test('cannot read its stream, or any stream of this site', async () => {
    const stream = await count(`topic=posts&page=/x&${newView()}&${visitor}`);
    await stream.next('tidings:welcome');
    expect(server.hub.watchers('posts')).toBe(0);
    const own = await openStream(`${server.url}/events?topic=posts`, { Origin: origin });
    expect(own.response.headers.get('Access-Control-Allow-Origin')).toBeNull();
    await Promise.all([stream.close(), own.close()]);
  });

  test.each([
    ['no visitor', `page=/x&${newView()}`, origin],
    ['no page', `${newView()}&${visitor}`, origin],
    ['an opaque origin', `page=/x&${newView()}&${visitor}`, 'null'],
    ['an invalid origin', `page=/x&${newView()}&${visitor}`, 'garbage'],
    ['an origin that is too long', `page=/x&${newView()}&${visitor}`, `https://${'x'.repeat(300)}.example`],
  ])('is refused with %s', async (_, query, from) => {
    const { response } = await count(query, { Origin: from });
    expect(response.status).toBe(400);
  });
});
