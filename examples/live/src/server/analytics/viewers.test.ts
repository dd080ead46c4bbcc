import type { Presence } from 'tidings';
import { beforeEach, expect, test } from 'vitest';
import type { ViewersDelta } from '../../shared/api.ts';
import { createViewers } from './viewers.ts';
import type { Viewers } from './viewers.ts';

/** The hub's counts, by topic. */
let present: Record<string, number>;
let told: ViewersDelta[];
let viewers: Viewers;
let leads: boolean;
/** The hub's log is up to here. */
let head: number;

beforeEach(async () => {
  present = {};
  told = [];
  leads = true;
  head = 1;
  await withRoomFor(3);
});

/** The longest name a page of another site can have, of characters that JSON writes as two. */
const longName = (i: number): string => `${'x'.repeat(195)}.com/${'"'.repeat(195)}${i}`;

async function withRoomFor(maxPages: number): Promise<void> {
  viewers = createViewers({
    leads: () => leads,
    shared: true,
    hub: {
      presence: (topic): Presence => ({ count: present[topic] ?? 0, members: [] }),
      stats: () => ({ tail: { head, events: 0, bytes: 0, epoch: 'e' } }),
    },
    maxPages,
    announce: (...announcements) => {
      for (const { data } of announcements) told.push(data as ViewersDelta);
      return Promise.resolve();
    },
  });
  // At first it tells everything.
  await toldNow();
}

/** This many people open a page, and no other one. */
function enter(page: string, people = 1): void {
  const topics = viewers.topicsOf(page);
  for (const topic of topics) present[topic] = (present[topic] ?? 0) + people;
  viewers.enter(topics);
}

/** The published deltas, without their versions. */
async function toldNow(): Promise<unknown[]> {
  await viewers.tick();
  return told.splice(0).map(({ version: _, ...delta }) => delta);
}

test('only pages whose number has changed are published, and nothing if there are none', async () => {
  enter('/feed');
  enter('/', 2);
  expect(await toldNow()).toEqual([
    {
      pages: [
        { page: '/', viewers: 2 },
        { page: '/feed', viewers: 1 },
      ],
      people: 3,
    },
  ]);
  expect(await toldNow()).toEqual([]);
  present['page//feed'] = 0;
  present['pages'] = 2;
  expect(await toldNow()).toEqual([{ pages: [{ page: '/feed', viewers: 0 }], people: 2 }]);
  expect(await toldNow()).toEqual([]);
});

test('the number of people is published even if one left a page just as another came', async () => {
  enter('/feed', 2);
  await toldNow();
  present['pages'] = 1;
  expect(await toldNow()).toEqual([{ pages: [], people: 1 }]);
});

test('a snapshot lists the pages with viewers, most viewed first', () => {
  enter('/a');
  enter('/b', 5);
  enter('/c');
  present['page//c'] = 0;
  expect(viewers.snapshot()).toMatchObject({
    people: 7,
    pages: [
      { page: '/b', viewers: 5 },
      { page: '/a', viewers: 1 },
    ],
  });
});

test('pages beyond the maximum are counted together, until others have no viewers left', async () => {
  for (const page of ['/1', '/2', '/3', '/4', '/5', '/feed']) enter(page);
  expect(present['page//feed']).toBe(1);
  expect(present).toMatchObject({ 'page//3': 1, 'page/(other)': 2 });
  await viewers.tick();
  for (const topic of Object.keys(present)) present[topic] = 0;
  await viewers.tick();
  expect(viewers.topicsOf('/4')).toEqual(['pages', 'page//4']);
});

test('a connection without a page counts for none', async () => {
  viewers.enter(['posts']);
  expect(await toldNow()).toEqual([]);
});

test('versions say up to where of the log was counted, to recognize a delta from before a snapshot', async () => {
  enter('/feed');
  await viewers.tick();
  head = 7;
  expect([told[0]?.version, viewers.snapshot().version]).toEqual([1, 7]);
});

test('one of several processes publishes for all, and another one that goes on for it tells every number', async () => {
  leads = false;
  enter('/feed');
  enter('/');
  expect(await toldNow()).toEqual([]);
  leads = true;
  const [first] = (await toldNow()) as { people: number; pages: { page: string; viewers: number }[] }[];
  expect(first?.people).toBe(2);
  expect(first?.pages).toContainEqual({ page: '/feed', viewers: 1 });
  expect(first?.pages).toContainEqual({ page: '/dashboard', viewers: 0 });
  expect(await toldNow()).toEqual([]);
});

test('pages that come at the same moment do not exceed the maximum', async () => {
  const topics = Array.from({ length: 100 }, (_, i) => viewers.topicsOf(`/page-${i}`));
  for (const each of topics) {
    for (const topic of each) present[topic] = 1;
    viewers.enter(each);
  }
  expect(viewers.snapshot().pages).toHaveLength(3);
});

test('many pages with long names are published in events of valid size, and greeted with a short list', async () => {
  await withRoomFor(500);
  for (let i = 0; i < 500; i += 1) enter(longName(i));
  await viewers.tick();
  expect(told.flatMap(({ pages }) => pages)).toHaveLength(500);
  for (const delta of told) expect(JSON.stringify(delta).length).toBeLessThan(65_536);
  expect(JSON.stringify(viewers.snapshot()).length).toBeLessThan(65_536);
});
