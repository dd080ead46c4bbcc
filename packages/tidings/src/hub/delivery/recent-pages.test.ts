import { expect, test } from 'vitest';
import { createMatcherSet } from '../../protocol/matcher-set.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import { toNewEvent } from '../../protocol/event.ts';
import type { Format } from './format.ts';
import { frames } from './frames.ts';
import { items } from './items.ts';
import { Reader } from './reader.ts';
import { RecentPages } from './recent-pages.ts';
import { type SharedPage, type Subscription, Subscriptions } from './subscription.ts';

function subscriptionTo(
  topic: string,
  subscriptions = new Subscriptions(),
  format: Format = frames,
): Subscription {
  return subscriptions.join(createMatcherSet([topic]), createMatcherSet([]), format);
}

function pageOf(bytes: number): SharedPage {
  return { after: 0, head: 1, next: 1, output: new Uint8Array(bytes), events: 1 };
}

test('recent pages take up to so many bytes: the one added longest ago goes first', () => {
  const [a, b, c] = ['a', 'b', 'c'].map((topic) => subscriptionTo(topic)) as [
    Subscription,
    Subscription,
    Subscription,
  ];
  const pages = new RecentPages(2500);
  pages.add(a, pageOf(1000));
  pages.add(b, pageOf(1000));
  pages.add(a, pageOf(900));
  expect([a, b].map((each) => pages.of(each)?.output?.length)).toEqual([900, 1000]);
  pages.add(c, pageOf(1000));
  expect([a, b, c].map((each) => pages.of(each)?.output?.length)).toEqual([900, undefined, 1000]);
  pages.add(c, pageOf(3000));
  expect([a, c].map((each) => pages.of(each))).toEqual([undefined, undefined]);
});

test('even pages without events take room and are dropped in the end', () => {
  const pages = new RecentPages(1000);
  const all = Array.from({ length: 10 }, (_, i) => subscriptionTo(`t/${i}`));
  for (const each of all) pages.add(each, { after: 0, head: 1, next: 1, output: undefined, events: 0 });
  expect(all.filter((each) => pages.of(each) !== undefined)).toHaveLength(5);
});

test('pages of items count by the events that they hold, though their output has no bytes', async () => {
  const log = memoryLog();
  const subscriptions = new Subscriptions(new RecentPages(5000));
  const source = { log, subscriptions, counters: { delivered: 0 }, tally: { gap() {} } };
  const all = ['a', 'b', 'c'].map((topic) => {
    subscriptionTo(topic, subscriptions, items);
    return subscriptionTo(topic, subscriptions, items);
  });
  await log.append(['a', 'b', 'c'].map((topics) => toNewEvent({ topics, data: 'x'.repeat(2000) })));
  for (const each of all) await new Reader(source, 0).read(each, log.tail.head);
  expect(all.map((each) => subscriptions.pages.of(each)?.events)).toEqual([undefined, 1, 1]);
});

test('a subscription that ends takes its page with it', () => {
  const subscriptions = new Subscriptions();
  const subscription = subscriptionTo('a', subscriptions);
  subscriptions.pages.add(subscription, pageOf(100));
  subscriptions.leave(subscription, { push() {}, fail() {}, order: 0 });
  expect(subscriptions.pages.of(subscription)).toBeUndefined();
});
