import { expect, it } from 'vitest';
import { createManualClock } from '../../testing/manual-clock.ts';
import type { LockHooks } from './environment.ts';
import { joinGroup } from './group.ts';
import type { Message } from './messages.ts';

/** A tab of the name `me`, in a browser whose locks and messages come from the test. */
function join() {
  const requests: { readonly name: string; readonly hooks: LockHooks; given: boolean }[] = [];
  const posted: Message[] = [];
  let hear: (message: Message) => void = () => {};
  let open = 0;
  joinGroup({
    name: 'group',
    audience: 'A',
    tab: 'me',
    timers: createManualClock(),
    random: () => 0.5,
    environment: {
      channel(_, listener) {
        hear = listener;
        return { post: (message) => posted.push(message as Message), close() {} };
      },
      lock(name, _, hooks) {
        const request = { name, hooks, given: false };
        requests.push(request);
        return () => (request.given = true);
      },
      watch: () => () => {},
    },
    openUpstream(_topics, at, { opened }) {
      open += 1;
      queueMicrotask(() => opened('A', at));
      return { change: () => Promise.resolve(at), close: () => (open -= 1) };
    },
    onReady() {},
    onDenied() {},
    onMessage() {},
  });
  const candidacies = () => requests.filter(({ name }) => name === 'group leader');
  return { hear: (message: Message) => hear(message), posted, candidacies, open: () => open };
}

const typesOf = (messages: readonly Message[]): string[] => messages.map(({ type }) => type);

it('a leader that hears of another one, which took the lead while it hung, answers nobody any more', () => {
  const { hear, posted, candidacies } = join();
  candidacies()[0]?.hooks.granted();
  expect(typesOf(posted)).toEqual(['lead']);
  hear({ type: 'lead', term: 'other.1', n: 1 });
  hear({ type: 'ping' });
  expect(typesOf(posted)).toEqual(['lead']);
  // It stands again, as any other tab.
  expect(candidacies().map(({ given }) => given)).toEqual([true, false]);
  candidacies()[1]?.hooks.granted();
  hear({ type: 'ping' });
  expect(posted.slice(1)).toEqual([
    { type: 'lead', term: 'me.2.1', n: 1 },
    { type: 'pong', term: 'me.2.1', n: 2 },
  ]);
});
