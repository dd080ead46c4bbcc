import { expect, it } from 'vitest';
import type { EventClient } from '../client/event-client.ts';
import { createRecall, type Wanted } from './recall.ts';

it('the request for values is closed once nobody waits for them any more', async () => {
  let closed = 0;
  const asked: unknown[] = [];
  const client = { on: () => () => undefined, close: () => (closed += 1) } as unknown as EventClient;
  const recall = createRecall((topics) => {
    asked.push(topics);
    return client;
  });
  const wish = (topic: string): Wanted => ({ topics: [topic], types: [], hear() {}, take() {} });
  const forget = [recall(wish('a')), recall(wish('b'))];
  const forgetAtOnce = recall(wish('c'));
  forgetAtOnce();
  await Promise.resolve();
  expect(asked).toEqual([['a', 'b']]);
  forget[0]?.();
  forget[0]?.();
  expect(closed).toBe(0);
  forget[1]?.();
  expect(closed).toBe(1);
});
