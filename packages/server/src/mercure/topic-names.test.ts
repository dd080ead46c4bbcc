import { expect, test } from 'vitest';
import { createTopicNames } from './topic-names.ts';

const PATH = '/.well-known/mercure/subscriptions';
const names = createTopicNames(PATH);

test.each([PATH, `${PATH}/`, `${PATH}/exact/a`, `${PATH}/exact/a/urn%3Auuid%3A1`])(
  'the hub’s own topic %s has a name of the server’s own on the log, and gets it back',
  (topic) => {
    expect(names.onLog(topic)).toMatch(/^tidings\/mercure\/subscriptions(\/|$)/);
    expect(names.inProtocol(names.onLog(topic))).toBe(topic);
  },
);

test.each([
  `${PATH}x`,
  '/.well-known/mercure',
  'https://hub.example.com/.well-known/mercure/subscriptions/a',
  '*',
  'tidings',
])('any other topic, such as %s, stays as it is', (topic) => {
  expect([names.onLog(topic), names.inProtocol(topic)]).toEqual([topic, topic]);
});

test.each([
  'tidings/connections',
  'tidings/mercure',
  'tidings/mercure/subscriptionsx',
  'tidings/runs/records',
])('what other parts publish, such as %s, is no topic of the protocol', (topic) => {
  expect(names.inProtocol(topic)).toBeUndefined();
});

test('without announcements nothing is the hub’s own', () => {
  const none = createTopicNames(undefined);
  expect([none.onLog(PATH), none.everything]).toEqual([PATH, [{ pattern: '*' }]]);
  expect(none.inProtocol('tidings/mercure/subscriptions/exact/a/b')).toBeUndefined();
});
