import { expect, test } from 'vitest';
import { HUBS_BOUNDS } from '../../log/index.ts';
import { HIDDEN_PREFIX } from '../../protocol/matcher.ts';
import { isShortened, topicKey } from './records.ts';

test('tells shortened topics from those that hubs use among themselves', () => {
  for (const topic of ['a', 'x'.repeat(300), `${HIDDEN_PREFIX}members`, HUBS_BOUNDS.group])
    expect(isShortened(topicKey(topic))).toBe(false);
  for (const topic of ['x'.repeat(301), `${HIDDEN_PREFIX}${'x'.repeat(301)}`])
    expect(isShortened(topicKey(topic))).toBe(true);
});
