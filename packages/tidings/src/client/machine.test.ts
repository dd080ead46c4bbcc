import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TidingsError } from '../protocol/tidings-error.ts';
import { MAX_DELAY } from '../protocol/timer-delay.ts';
import { DEFAULT_RETRY, MAX_ASKED } from './backoff.ts';
import {
  type Circumstances,
  INITIAL,
  type Input,
  LASTING,
  longestSilence,
  type State,
  type Status,
  type Step,
  transition,
} from './machine.ts';

const error = new TidingsError('client/network', 'broken');
const silent = new TidingsError('client/silent', 'silent');
const NOW = 1_700_000_000_000;
const memory = { ...INITIAL, failures: 2, retry: 500, heartbeat: 15_000 };
const states: Record<Status, State> = {
  connecting: { ...memory, status: 'connecting' },
  open: { ...memory, status: 'open', since: NOW },
  polling: { ...memory, status: 'polling', since: NOW - 25_000, pollUntil: NOW + 100_000 },
  waiting: { ...memory, status: 'waiting', delay: 1_000 },
  paused: { ...memory, status: 'paused' },
  closed: { ...memory, status: 'closed' },
  failed: { ...memory, status: 'failed' },
};
const inputs: { [I in Input['type']]: Extract<Input, { type: I }> } = {
  opened: { type: 'opened' },
  announced: { type: 'announced', heartbeat: 10_000 },
  retry: { type: 'retry', delay: 3_000 },
  goodbye: { type: 'goodbye', retry: 7_000 },
  replace: { type: 'replace' },
  reload: { type: 'reload' },
  finished: { type: 'finished', moved: true },
  ended: { type: 'ended' },
  refused: { type: 'refused', error },
  dropped: { type: 'dropped', error },
  elapsed: { type: 'elapsed' },
  wake: { type: 'wake' },
  pause: { type: 'pause' },
  resume: { type: 'resume' },
  reconnect: { type: 'reconnect' },
  close: { type: 'close' },
};
const circumstances: Circumstances = { policy: DEFAULT_RETRY, longPoll: 'auto', dice: 0.5, now: NOW };
const step = (state: State, input: Input, change: Partial<Circumstances> = {}): Step =>
  transition(state, input, { ...circumstances, ...change });
const waitOf = ({ effects }: Step): number | undefined =>
  effects.flatMap((effect) => (effect.type === 'wait' ? [effect.delay] : []))[0];

/** The status that each input leads to, and the effects on the way; inputs that aren't listed change nothing. */
const connected = {
  announced: [],
  retry: [],
  goodbye: ['waiting', 'status', 'disconnect', 'wait'],
  refused: ['failed', 'status', 'disconnect', 'report', 'finish'],
  dropped: ['waiting', 'status', 'disconnect', 'wait', 'report'],
  ended: ['closed', 'status', 'disconnect', 'finish'],
  pause: ['paused', 'status', 'disconnect'],
  close: ['closed', 'status', 'disconnect', 'finish'],
} as const;
const expected: Record<Status, Partial<Record<Input['type'], readonly string[]>>> = {
  connecting: {
    opened: ['open', 'status'],
    finished: ['waiting', 'status', 'disconnect', 'wait'],
    ended: connected.ended,
    refused: connected.refused,
    dropped: connected.dropped,
    pause: connected.pause,
    reconnect: ['connecting', 'disconnect', 'connect'],
    close: connected.close,
  },
  open: {
    ...connected,
    announced: ['open'],
    retry: ['open'],
    replace: ['connecting', 'status', 'disconnect', 'connect'],
    // It has failed before and did not last now.
    reload: ['waiting', 'status', 'disconnect', 'wait'],
    finished: ['waiting', 'status', 'disconnect', 'wait'],
    wake: ['open', 'test'],
    reconnect: ['connecting', 'status', 'disconnect', 'connect'],
  },
  polling: {
    ...connected,
    announced: ['polling'],
    retry: ['polling'],
    replace: ['polling', 'disconnect', 'connect'],
    reload: ['polling', 'disconnect', 'connect'],
    finished: ['polling', 'disconnect', 'connect'],
    reconnect: ['polling', 'disconnect', 'connect'],
  },
  waiting: {
    elapsed: ['connecting', 'status', 'connect'],
    wake: ['connecting', 'status', 'stop-waiting', 'connect'],
    pause: ['paused', 'status', 'stop-waiting'],
    reconnect: ['connecting', 'status', 'stop-waiting', 'connect'],
    close: ['closed', 'status', 'stop-waiting', 'finish'],
  },
  paused: {
    resume: ['connecting', 'status', 'connect'],
    close: ['closed', 'status', 'finish'],
  },
  closed: {},
  failed: {},
};

describe.each(Object.keys(states) as Status[])('while %s', (status) => {
  it.each(Object.keys(inputs) as Input['type'][])('%s leads where the table says', (type) => {
    const { state, effects } = step(states[status], inputs[type]);
    const outcome = [state.status, ...effects.map((effect) => effect.type)];
    expect(outcome).toEqual(expected[status][type] ?? [status]);
    if (expected[status][type] === undefined) expect(state).toBe(states[status]);
  });
});

describe('a connection that failed', () => {
  it('is tried again after a wait that doubles with the failures in a row', () => {
    expect(step(INITIAL, inputs.dropped)).toMatchObject({
      state: { status: 'waiting', failures: 1, told: false },
      effects: [{}, {}, { type: 'wait', delay: 500 }, { type: 'report', error, next: { retryIn: 500 } }],
    });
    expect(waitOf(step({ ...INITIAL, failures: 3 }, inputs.dropped))).toBe(4_000);
  });

  it("waits at least for the server's retry, whatever the jitter", () => {
    const asked: State = { ...states.connecting, failures: 0, retry: 20_000 };
    expect(waitOf(step(asked, inputs.dropped, { dice: 0 }))).toBe(20_000);
    expect(waitOf(step(asked, inputs.dropped, { dice: 0.999 }))).toBe(20_999);
  });

  it('adds jitter to the time that a response asked for, and nothing shortens that time if it is short', () => {
    const { state, effects } = step(INITIAL, { ...inputs.dropped, retryAfter: 20_000 });
    expect(effects).toContainEqual({ type: 'wait', delay: 20_500 });
    expect(step(state, inputs.wake)).toEqual({ state, effects: [] });
  });

  it('is delayed by an hour at most, and a network that comes back shortens a long wait', () => {
    const { state, effects } = step(INITIAL, { ...inputs.dropped, retryAfter: 1e15 });
    expect(effects).toContainEqual({ type: 'wait', delay: MAX_ASKED + 500 });
    const woken = step(state, inputs.wake);
    expect(woken.effects).toEqual([{ type: 'stop-waiting' }, { type: 'wait', delay: 15_000 }]);
    expect(step(woken.state, inputs.wake).effects).toEqual([]);
  });

  it('waits exactly as long as the app asked for, but only after the first failure in a row', () => {
    const now = { ...inputs.dropped, retryAfter: 0, exact: true };
    const first = step(INITIAL, now);
    expect(waitOf(first)).toBe(0);
    expect(waitOf(step(step(first.state, inputs.elapsed).state, now))).toBe(1_000);
  });

  it('fails the client after too many in a row, and reports the last one', () => {
    const policy = { ...DEFAULT_RETRY, attempts: 2 };
    const { state, effects } = step({ ...INITIAL, failures: 2 }, inputs.dropped, { policy });
    expect(state.status).toBe('failed');
    expect(effects.at(-1)).toMatchObject({
      type: 'finish',
      error: { code: 'client/attempts-exhausted', cause: error },
    });
    expect(step({ ...INITIAL, failures: 1 }, inputs.dropped, { policy }).state.status).toBe('waiting');
    const never = { ...DEFAULT_RETRY, attempts: 0 };
    expect(step(INITIAL, inputs.dropped, { policy: never }).state.status).toBe('failed');
  });
});

describe('a stream', () => {
  const early: State = { ...states.open, failures: 0, retry: undefined };
  const late: State = { ...early, failures: 4, since: NOW - LASTING };

  it('that lasted resets the count of failures', () => {
    expect(step(late, inputs.dropped).state).toMatchObject({ failures: 1 });
    expect(waitOf(step(late, inputs.dropped))).toBe(500);
    expect(step(states.connecting, inputs.opened).state).toMatchObject({ failures: 2 });
  });

  it('that ends after it has lasted is not a failure', () => {
    const { state, effects } = step(late, inputs.finished);
    expect(state).toMatchObject({ status: 'waiting', failures: 0 });
    expect(effects.map(({ type }) => type)).not.toContain('report');
    const policy = { ...DEFAULT_RETRY, attempts: 0 };
    expect(step(late, inputs.finished, { policy }).state.status).toBe('waiting');
  });

  it.each(['finished', 'dropped'] as const)(
    'that is %s early is retried no faster than a browser would',
    (type) => {
      expect(waitOf(step(early, inputs[type], { dice: 0 }))).toBe(3_000);
      const told: State = { ...early, retry: 100 };
      expect(waitOf(step(told, inputs[type], { dice: 0 }))).toBe(100);
    },
  );

  it('that always ends at once exhausts the attempts', () => {
    const policy = { ...DEFAULT_RETRY, attempts: 1 };
    const { state } = step(early, inputs.finished, { policy });
    expect(state.status).toBe('waiting');
    const again = step(step(state, inputs.elapsed).state, inputs.opened).state;
    expect(step(again, inputs.finished, { policy }).effects.at(-1)).toMatchObject({
      type: 'finish',
      error: { code: 'client/attempts-exhausted', details: { failures: 2 } },
    });
  });

  it('is replaced at once to load what is missing, but not again and again', () => {
    const once = step(early, inputs.reload);
    expect(once.state).toMatchObject({ status: 'connecting', failures: 1 });
    const twice = step(step(once.state, inputs.opened).state, inputs.reload);
    expect(twice.state.status).toBe('waiting');
    expect(step(late, inputs.reload).state.status).toBe('connecting');
  });
});

describe('a goodbye', () => {
  it('is obeyed to the millisecond, and nothing shortens the wait', () => {
    const { state, effects } = step(states.open, inputs.goodbye);
    expect(effects).toContainEqual({ type: 'wait', delay: 7_000 });
    expect(step(state, inputs.wake).state).toBe(state);
  });

  it('brings a time that applies once: later failures wait as usual', () => {
    const { state } = step(step(states.open, { type: 'retry', delay: 60_000 }).state, inputs.goodbye);
    expect(waitOf(step(step(state, inputs.elapsed).state, inputs.dropped))).toBe(4_000);
  });

  it('without a time is followed by a wait as after any end', () => {
    const { state, effects } = step(states.open, { type: 'goodbye', retry: undefined });
    expect(effects).toContainEqual({ type: 'wait', delay: 2_500 });
    expect(state).toMatchObject({ told: false });
  });

  it('right after each connection does not lead in circles', () => {
    const now: Input = { type: 'goodbye', retry: 0 };
    const { state } = step({ ...states.open, failures: 0 }, now);
    const again = step(step(state, inputs.elapsed).state, inputs.opened).state;
    expect(waitOf(step(again, now))).toBe(1_000);
  });
});

describe('connections that bring no byte', () => {
  const failing = { type: 'dropped', error: silent } as const;
  const second = (): State => step(step(INITIAL, failing).state, inputs.elapsed).state;

  it('lead to whole answers after two in a row, without a wait', () => {
    const { state, effects } = step(second(), failing);
    expect(waitOf({ state, effects })).toBe(0);
    const asking = step(state, inputs.elapsed);
    expect(asking.effects).toContainEqual({ type: 'connect', poll: true });
    expect(step(asking.state, inputs.opened).state.status).toBe('polling');
  });

  it('change nothing if whole answers are not wanted', () => {
    const { state } = step(second(), failing, { longPoll: 'never' });
    expect(step(state, inputs.elapsed, { longPoll: 'never' }).effects).toContainEqual({
      type: 'connect',
      poll: false,
    });
  });

  it('do not count if one in between brought bytes', () => {
    const opened = step(second(), inputs.opened).state;
    const { state } = step(step(opened, inputs.reconnect).state, failing);
    expect(step(state, inputs.elapsed).effects).toContainEqual({ type: 'connect', poll: false });
  });
});

describe('a server that is polled', () => {
  it('is asked again at once, and for a stream after some time', () => {
    expect(step(states.polling, inputs.finished).effects).toContainEqual({ type: 'connect', poll: true });
    const later = step(states.polling, inputs.finished, { now: NOW + 200_000 });
    expect(later.state.status).toBe('connecting');
    expect(later.effects).toContainEqual({ type: 'connect', poll: false });
    expect(step(later.state, inputs.opened, { now: NOW + 200_000 }).state).toMatchObject({
      status: 'open',
      silent: 0,
    });
  });

  it('is polled again if the stream is still held back', () => {
    const now = NOW + 200_000;
    const trying = step({ ...states.polling, silent: 2 }, inputs.finished, { now }).state;
    const { state } = step(trying, { type: 'dropped', error: silent }, { now });
    expect(step(state, inputs.elapsed, { now }).effects).toContainEqual({ type: 'connect', poll: true });
  });

  it('is tried as a stream again when a clock that was ahead is set right', () => {
    const ahead: State = { ...states.waiting, pollUntil: NOW + 365 * 24 * 3_600_000 };
    expect(step(ahead, inputs.elapsed).effects).toContainEqual({ type: 'connect', poll: false });
  });

  it('is not hammered if it answers at once with nothing new', () => {
    const hasty: State = { ...states.polling, since: NOW - 10 };
    const nothing: Input = { type: 'finished', moved: false };
    expect(step(hasty, nothing).state.status).toBe('waiting');
    expect(step(hasty, inputs.finished).state.status).toBe('polling');
    expect(step(states.polling, nothing).state.status).toBe('polling');
  });

  it('may answer without a byte', () => {
    const asking: State = { ...states.connecting, pollUntil: NOW + 1 };
    const { state, effects } = step(asking, { type: 'finished', moved: false });
    expect(state.status).toBe('polling');
    expect(effects.at(-1)).toEqual({ type: 'connect', poll: true, after: 500 });
  });

  it.each([
    ['a server that says nothing', undefined, {}, 2_900],
    ['a server that sends retry:', 500, {}, 400],
    ['a server that may be asked at once', 0, {}, 150],
    ['a server that wants a very long pause', 1e15, {}, MAX_ASKED],
    ['a hub', 500, { after: 250 }, 250],
    ['a hub that forgets to ask for a pause', 500, { after: 0 }, 150],
    ['a hub that wants a very long pause', 500, { after: 1e300 }, MAX_ASKED],
  ] as const)('%s is left alone between two answers that come at once', (_, retry, told, pause) => {
    const quick: State = { ...states.polling, since: NOW - 100, retry };
    const { state, effects } = step(quick, { ...inputs.finished, ...told });
    expect(effects.at(-1)).toEqual({ type: 'connect', poll: true, after: pause });
    // The pause doesn't count as the next answer's time.
    expect(step(state, { type: 'finished', moved: false }, { now: NOW + pause }).state.status).toBe(
      'waiting',
    );
  });
});

it('a client paused during a wait that the server set waits when it resumes', () => {
  const told: State = { ...states.waiting, told: true, delay: 9_000 };
  const { state } = step(step(told, inputs.pause).state, inputs.resume);
  expect(state).toMatchObject({ status: 'waiting', told: true, delay: 9_000 });
});

it('the longest silence follows from the heartbeat, up to the limit of timers', () => {
  expect(longestSilence(15_000, 5_000)).toBe(35_000);
  expect(longestSilence(undefined, 5_000)).toBeUndefined();
  expect(longestSilence(1e300, 5_000)).toBe(MAX_DELAY);
});

it('waits exactly while it is waiting, is connected exactly while it should be, and finishes once', () => {
  const anyInput = fc.constantFrom<Input>(...Object.values(inputs), { type: 'dropped', error: silent });
  const timed = fc.tuple(anyInput, fc.constantFrom(0, 500, 10_000, 700_000));
  const longPoll = fc.constantFrom('auto' as const, 'always' as const, 'never' as const);
  fc.assert(
    fc.property(fc.array(timed, { maxLength: 40 }), longPoll, (sequence, mode) => {
      let state = INITIAL;
      let now = NOW;
      let [waiting, connections, finished] = [0, 1, 0];
      for (const [input, passed] of sequence) {
        now += passed;
        // A timer that has run is not waited for any more.
        if (input.type === 'elapsed' && state.status === 'waiting') waiting -= 1;
        const next = step(state, input, { now, longPoll: mode });
        state = next.state;
        for (const { type } of next.effects) {
          if (type === 'wait') waiting += 1;
          if (type === 'stop-waiting') waiting -= 1;
          if (type === 'connect') connections += 1;
          if (type === 'disconnect') connections -= 1;
          if (type === 'finish') finished += 1;
        }
        const isConnected = ['connecting', 'open', 'polling'].includes(state.status);
        expect(waiting).toBe(state.status === 'waiting' ? 1 : 0);
        expect(connections).toBe(isConnected ? 1 : 0);
        expect(finished).toBe(state.status === 'closed' || state.status === 'failed' ? 1 : 0);
      }
    }),
  );
});
