import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TidingsError } from '../protocol/tidings-error.ts';
import { DEFAULT_RETRY, MAX_DELAY } from './backoff.ts';
import { type Input, INITIAL, type State, type Status, type Step, transition } from './machine.ts';

const error = new TidingsError('client/network', 'broken');
const memory = { failures: 2, retry: 500, silence: 35_000 };
const states: Record<Status, State> = {
  connecting: { status: 'connecting', ...memory },
  open: { status: 'open', ...memory },
  waiting: { status: 'waiting', told: false, ...memory },
  closed: { status: 'closed' },
  failed: { status: 'failed', error },
};
const inputs: { [I in Input['type']]: Extract<Input, { type: I }> } = {
  accepted: { type: 'accepted' },
  proved: { type: 'proved', heartbeat: 15_000 },
  retry: { type: 'retry', delay: 3_000 },
  goodbye: { type: 'goodbye', retry: 7_000 },
  replace: { type: 'replace' },
  ended: { type: 'ended' },
  refused: { type: 'refused', error },
  dropped: { type: 'dropped', error },
  elapsed: { type: 'elapsed' },
  wake: { type: 'wake' },
  close: { type: 'close' },
};
const step = (state: State, input: Input, dice = 0.5): Step => transition(DEFAULT_RETRY, state, input, dice);

/** What each input leads to, and what is done on the way; inputs that are not listed change nothing. */
const expected: Record<Status, Partial<Record<Input['type'], [Status, ...string[]]>>> = {
  connecting: {
    accepted: ['open', 'status'],
    ended: ['closed', 'status', 'disconnect', 'finish'],
    refused: ['failed', 'status', 'disconnect', 'report', 'finish'],
    dropped: ['waiting', 'status', 'disconnect', 'wait', 'report'],
    close: ['closed', 'status', 'disconnect', 'finish'],
  },
  open: {
    proved: ['open'],
    retry: ['open'],
    goodbye: ['waiting', 'status', 'disconnect', 'wait'],
    replace: ['connecting', 'status', 'disconnect', 'connect'],
    refused: ['failed', 'status', 'disconnect', 'report', 'finish'],
    dropped: ['waiting', 'status', 'disconnect', 'wait', 'report'],
    close: ['closed', 'status', 'disconnect', 'finish'],
  },
  waiting: {
    elapsed: ['connecting', 'status', 'connect'],
    wake: ['connecting', 'status', 'stop-waiting', 'connect'],
    close: ['closed', 'status', 'stop-waiting', 'finish'],
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

describe('a dropped connection', () => {
  it('is tried again after a wait that doubles with the failures in a row', () => {
    expect(step(INITIAL, inputs.dropped)).toMatchObject({
      state: { status: 'waiting', failures: 1, told: false },
      effects: [{}, {}, { type: 'wait', delay: 500 }, { type: 'report', error, retryIn: 500 }],
    });
    expect(step({ ...INITIAL, failures: 3 } as State, inputs.dropped).effects).toContainEqual({
      type: 'wait',
      delay: 4_000,
    });
  });

  it('adds jitter to the time that the server asked for, and nothing shortens that time', () => {
    const { state, effects } = step(INITIAL, { ...inputs.dropped, retryAfter: 60_000 });
    expect(effects).toContainEqual({ type: 'wait', delay: 60_500 });
    expect(step(state, inputs.wake)).toEqual({ state, effects: [] });
  });

  it('fails the client once there were too many in a row, and says what the last one was', () => {
    const policy = { ...DEFAULT_RETRY, attempts: 2 };
    const { state } = transition(policy, { ...INITIAL, failures: 2 } as State, inputs.dropped, 0);
    expect(state).toMatchObject({
      status: 'failed',
      error: { code: 'client/attempts-exhausted', cause: error },
    });
    expect(transition(policy, { ...INITIAL, failures: 1 } as State, inputs.dropped, 0).state.status).toBe(
      'waiting',
    );
    const never = { ...DEFAULT_RETRY, attempts: 0 };
    expect(transition(never, INITIAL, inputs.dropped, 0).state.status).toBe('failed');
  });
});

describe('a first frame', () => {
  it('ends the row of failures', () => {
    expect(step(states.open, inputs.proved).state).toMatchObject({ failures: 0 });
    expect(step(states.connecting, inputs.accepted).state).toMatchObject({ failures: 2 });
  });

  it('sets the longest silence by the heartbeat it announces, or to none', () => {
    expect(step(states.open, inputs.proved).state).toMatchObject({ silence: 35_000 });
    expect(step(states.open, { type: 'proved' }).state).toMatchObject({ silence: undefined });
    expect(step(states.open, { type: 'proved', heartbeat: 1e300 }).state).toMatchObject({
      silence: MAX_DELAY,
    });
  });
});

describe('a goodbye', () => {
  it('is followed to the millisecond, and by nothing sooner', () => {
    const { state, effects } = step(states.open, inputs.goodbye);
    expect(effects).toContainEqual({ type: 'wait', delay: 7_000 });
    expect(step(state, inputs.wake).state).toBe(state);
  });

  it('brings a time that is for once: failures after it wait as the client was told to', () => {
    const { state } = step(step(states.open, { type: 'retry', delay: 60_000 }).state, inputs.goodbye);
    const { effects } = step(step(state, inputs.elapsed).state, inputs.dropped);
    expect(effects).toContainEqual({ type: 'wait', delay: 2_000 });
  });

  it('without a time is followed by a wait as after a drop', () => {
    const { state, effects } = step(states.open, { type: 'goodbye', retry: undefined });
    expect(effects).toContainEqual({ type: 'wait', delay: 2_000 });
    expect(state).toMatchObject({ told: false });
  });
});

it("remembers the server's retry for the drops to come", () => {
  const { state } = step(states.open, inputs.retry);
  expect(step(state, inputs.dropped).effects).toContainEqual({ type: 'wait', delay: 6_000 });
});

it('waits exactly while it is waiting, is connected exactly while it should be, and finishes once', () => {
  const anyInput = fc.constantFrom(...Object.values(inputs));
  fc.assert(
    fc.property(fc.array(anyInput, { maxLength: 40 }), (sequence) => {
      let state = INITIAL;
      let [waiting, connected, finished] = [0, 1, 0];
      for (const input of sequence) {
        // A timer that has run is not waited for any more.
        if (input.type === 'elapsed' && state.status === 'waiting') waiting -= 1;
        const next = step(state, input);
        state = next.state;
        for (const { type } of next.effects) {
          if (type === 'wait') waiting += 1;
          if (type === 'stop-waiting') waiting -= 1;
          if (type === 'connect') connected += 1;
          if (type === 'disconnect') connected -= 1;
          if (type === 'finish') finished += 1;
        }
        expect(waiting).toBe(state.status === 'waiting' ? 1 : 0);
        expect(connected).toBe(state.status === 'connecting' || state.status === 'open' ? 1 : 0);
        expect(finished).toBe(state.status === 'closed' || state.status === 'failed' ? 1 : 0);
      }
    }),
  );
});
