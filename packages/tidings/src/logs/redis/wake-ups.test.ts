import { expect, test } from 'vitest';
import { newsOf, wakeUpsIn } from './wake-ups.ts';

const state = ['epoch', 'e', 'by', 'p', 'after', '6 2 1 4 0 '];
const one = [
  '9-0',
  [
    ...state,
    'entry',
    '7',
    'm',
    '5',
    't',
    'a',
    'd',
    'entry',
    'i',
    'after',
    'entry',
    '9',
    'n',
    '2',
    'm',
    '5',
    't',
    'entry',
    'h',
    '3 1 0 1 3 1 0 1',
    'd',
    'xy',
  ],
];
const begun = ['9-1', ['new', 'epoch']];

test.each([
  ['the second version of the protocol', [['{a}:wake', [one, begun]]]],
  ['the third one', { '{a}:wake': [one, begun] }],
  ['the third one, as a map', new Map([['{a}:wake', [one, begun]]])],
])('Wake-ups are found in replies of %s', (_, reply) => {
  expect(wakeUpsIn(reply)).toMatchObject([
    { head: 9, nth: 0, epoch: 'e', by: 'p' },
    { head: 9, nth: 1, epoch: undefined, by: undefined },
  ]);
});

test('A reply without wake-ups has none', () => {
  expect([wakeUpsIn(null), wakeUpsIn([])]).toEqual([[], []]);
});

test('News are the events of an append, whatever these read like, and the log’s state after it', () => {
  const [wakeUp, next] = wakeUpsIn([['wake', [one, begun]]]);
  const news = wakeUp && newsOf(wakeUp);
  expect(news).toMatchObject({
    before: 6,
    floor: 2,
    newestLoss: 1,
    lossCount: 4,
    nextExpiry: Infinity,
    hasLeft: false,
  });
  expect(news?.entries.map(({ seq, topics, data, id }) => [seq, topics, data, id])).toEqual([
    [7, ['a'], 'entry', 'after'],
    [8, ['entry'], 'x', undefined],
    [9, ['entry'], 'y', undefined],
  ]);
  expect(next && newsOf(next)).toBeUndefined();
});
