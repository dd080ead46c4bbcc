import { expect, test } from 'vitest';
import { createGate } from '../../test/http/deadline.ts';
import { toNewEvent } from '../protocol/event.ts';
import { createLogError } from './errors.ts';
import { GroupWriter } from './group-writer.ts';

const events = ['1', '2'].map((data) => toNewEvent({ topics: 'a', data }));

test('calls that wait while the engine can’t be reached are rejected with the one that found out', async () => {
  const gate = createGate();
  let writes = 0;
  const writer = new GroupWriter(async () => {
    writes += 1;
    await gate.passed;
    throw createLogError('log/unavailable', 'Away.', { details: { retryAfter: 5 } });
  }, 2);
  const calls = [events, events, events].map((each) => writer.append(each));
  gate.open();
  for (const result of await Promise.allSettled(calls)) {
    expect(result).toMatchObject({
      status: 'rejected',
      reason: { code: 'log/unavailable', details: { retryAfter: 5 } },
    });
  }
  expect(writes, 'groups that were sent').toBe(1);
});

test('calls that wait are written after one that failed for another reason', async () => {
  let writes = 0;
  const writer = new GroupWriter((group) => {
    writes += 1;
    if (writes === 1) return Promise.reject(new Error('Full.'));
    return Promise.resolve(group.map((_, i) => ({ seq: i + 1, duplicate: false })));
  }, 2);
  const [first, second] = await Promise.allSettled([writer.append(events), writer.append(events)]);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'log/write-failed' } });
  expect(second?.status).toBe('fulfilled');
});

test('publishers that have been answered go together with those that wait, if groups gather', async () => {
  const groups: number[] = [];
  const writer = new GroupWriter(
    async (group) => {
      groups.push(group.length);
      await new Promise<void>((resolve) => void setImmediate(resolve));
      return group.map((_, i) => ({ seq: i + 1, duplicate: false }));
    },
    100,
    () =>
      new Promise((resolve) => {
        process.nextTick(resolve);
      }),
  );
  const publish = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) await writer.append(events);
  };
  await Promise.all([publish(), publish(), publish(), publish()]);
  expect(groups).toEqual([8, 8, 8]);
});
