import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { listOf } from './api.ts';
import { type SubscriptionDocument, toDocument } from './document.ts';

function* documents(count: number, milliseconds = 0): Generator<SubscriptionDocument> {
  for (let i = 0; i < count; i += 1) {
    const end = performance.now() + milliseconds;
    while (performance.now() < end);
    yield toDocument('/s', { type: 'exact', text: i % 2 === 0 ? 'even' : 'odd' }, `urn:${i}`, undefined);
  }
}

test('a list has the subscriptions of its matcher, and no more than a thousand', async () => {
  const all = [...documents(4000)];
  const list = JSON.parse(String(await listOf('/s/exact/odd', all, '/s/exact/odd/')));
  expect(list).toEqual({
    id: '/s/exact/odd',
    type: 'subscriptions',
    subscriptions: all.filter(({ match }) => match === 'odd').slice(0, 1000),
  });
  expect(JSON.parse(String(await listOf('/s', [])))).toEqual({
    id: '/s',
    type: 'subscriptions',
    subscriptions: [],
  });
});

test.each([
  ['of all', ''],
  ['of one matcher, however few it has', '/s/exact/none/'],
])('a list %s is made in several turns: whoever waits has one in between', async (_, begin) => {
  let turns = 0;
  let isDone = false;
  const listing = listOf('/s', documents(640, 0.2), begin).finally(() => (isDone = true));
  while (!isDone) {
    await nextTurn();
    turns += 1;
  }
  await listing;
  // 128 ms, in slices of 5 ms or of 64 documents, whichever is more.
  expect(turns).toBeGreaterThanOrEqual(8);
});
