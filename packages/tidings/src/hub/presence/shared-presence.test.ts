import { expect, test } from 'vitest';
import { inTurns } from '../../../test/model/turns.ts';
import { settle } from '../../../test/peer.ts';
import { entryOf } from '../../log/entry.ts';
import { memoryLog } from '../../logs/memory/index.ts';
import { createManualClock } from '../../testing/manual-clock.ts';
import { HUB_TOPICS, hubDeletion, hubEvent } from '../cluster/hub-topics.ts';
import type { Nodes } from '../cluster/nodes.ts';
import { PlacesLimit, PresenceRules } from './rules.ts';
import { SharedPresence } from './shared-presence.ts';

const TOPICS = 3000;

test('A node that comes or goes makes a hub look at a bounded number of topics in a turn, and at all of them', () => {
  const clock = inTurns(createManualClock());
  const log = memoryLog({ now: clock.now });
  let looks = 0;
  let active = ['here', 'there'];
  const nodes = {
    id: 'here',
    isRegistered: true,
    get active() {
      looks += 1;
      return active;
    },
    isActive: (id: string) => active.includes(id),
  };
  const report = (error: unknown): void => {
    throw error;
  };
  const presence = new SharedPresence({
    rules: new PresenceRules([{ match: { pattern: 'room/*' }, members: 1 }]),
    limit: new PlacesLimit({ presenceTopics: 100_000 }, report),
    log,
    clock,
    nodes: nodes as unknown as Nodes,
    report,
  });
  for (let n = 0; n < TOPICS; n += 1) {
    const page = { topic: `room/${n}`, members: [{ id: 'ann' }] };
    presence.apply(entryOf(hubEvent(`${HUB_TOPICS.members}there`, `${n}`, page), n + 1, clock.now()));
  }
  presence.began('here');
  presence.began('there');

  const turnsOf = (change: () => void): { most: number; total: number } => {
    let most = 0;
    const begin = looks;
    let before = looks;
    change();
    for (let turns = 0; turns < 100; turns += 1) {
      most = Math.max(most, looks - before);
      before = looks;
      clock.turn();
    }
    return { most, total: looks - begin };
  };
  const loaded = turnsOf(() => presence.loaded());
  expect(loaded.most).toBeLessThanOrEqual(501);
  expect(loaded.total).toBeGreaterThanOrEqual(TOPICS);
  active = ['here'];
  const ended = turnsOf(() => presence.ended('there'));
  // Its rooms are empty now and nothing was announced, so its pages are all that is left to delete.
  expect(ended.most).toBeLessThanOrEqual(501);
  active = ['here', 'there'];
  const began = turnsOf(() => presence.began('there'));
  expect(began.most).toBeLessThanOrEqual(501);
  // Half of them, which this hub is responsible for, are due already.
  expect(began.total).toBeGreaterThan(TOPICS / 3);
  presence.stop();
});

test('A hub tells its members again if another one took it for dead and deleted them from the log', async () => {
  const clock = createManualClock();
  const log = memoryLog({ now: clock.now });
  const nodes = { id: 'here', isRegistered: true, active: ['here'], isActive: (id: string) => id === 'here' };
  const report = (error: unknown): void => {
    throw error;
  };
  const presence = new SharedPresence({
    rules: new PresenceRules([{ match: 'room', members: 1 }]),
    limit: new PlacesLimit({ presenceTopics: 100_000 }, report),
    log,
    clock,
    nodes: nodes as unknown as Nodes,
    report,
  });
  log.tail.onPush((entries) => {
    for (const entry of entries) presence.apply(entry);
  });
  presence.began('here');
  presence.loaded();
  const pass = async (): Promise<void> => {
    for (let i = 0; i < 3; i += 1) {
      clock.advance(500);
      await settle();
    }
  };
  presence.join(['room'], { id: 'ann' });
  await pass();
  expect(presence.of('room').count).toBe(1);
  await log.append([hubDeletion(`${HUB_TOPICS.members}here`, '1')]);
  expect(presence.of('room').count).toBe(0);
  await pass();
  expect(presence.of('room').count).toBe(1);
  presence.stop();
});
