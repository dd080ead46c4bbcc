import { expect, test } from 'vitest';
import { createSessionStreams } from './session-streams.ts';

type Disconnect = Parameters<typeof createSessionStreams>[0]['disconnect'];
/** The ids, among those named here, of the connections that the hub was asked to end. */
const ended: string[] = [];
const disconnect: Disconnect = (where) => {
  const connections = ['a', 'b', 'c'].map((id) => ({ id }) as Parameters<typeof where>[0]);
  const picked = connections.filter(where);
  ended.push(...picked.map(({ id }) => id));
  return picked.length;
};

test('users are counted once, however many streams and sessions they have, until the last stream is over', () => {
  const streams = createSessionStreams({ disconnect });
  const overs = [
    streams.add('one', { id: 'a', subject: '1' }),
    streams.add('two', { id: 'b', subject: '1' }),
    streams.add('two', { id: 'c', subject: '2' }),
    streams.add('stranger', { id: 'd', subject: undefined }),
  ];
  expect(streams.users()).toBe(2);
  overs[0]?.();
  expect(streams.users()).toBe(2);
  overs[1]?.();
  expect(streams.users()).toBe(1);
  for (const over of overs) over();
  expect(streams.users()).toBe(0);
});

test('ending a session ends its own open streams', () => {
  const streams = createSessionStreams({ disconnect });
  streams.add('one', { id: 'a', subject: '1' });
  const over = streams.add('two', { id: 'b', subject: '1' });
  streams.add('two', { id: 'c', subject: '1' });
  over();
  ended.length = 0;
  streams.end('two');
  streams.end('nobody');
  expect(ended).toEqual(['c']);
});
