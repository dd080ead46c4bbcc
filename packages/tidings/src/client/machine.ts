import { TidingsError } from '../protocol/tidings-error.ts';
import { backoff, MAX_DELAY, type RetryPolicy } from './backoff.ts';

/**
 * What the client does when, as values: a state and an input give the next state and what is to be done. Time,
 * randomness and the network are the caller's.
 *
 *   connecting ──accepted──► open ──dropped, goodbye──► waiting ──elapsed, wake──► connecting
 *
 * `replace` leads from `open` straight back to `connecting`. `ended` leads to `closed`, `refused` and too many failures lead to `failed`, and from there nothing leads on.
 */

export type Status = 'connecting' | 'open' | 'waiting' | 'closed' | 'failed';

/** What outlives a connection. */
interface Memory {
  /** Connections in a row that failed before they brought a frame. */
  readonly failures: number;
  /** Milliseconds: the server's last `retry:`; 0 before the first, and after a goodbye, whose own is for once. */
  readonly retry: number;
  /** Milliseconds without a byte after which a connection counts as dead. Unknown until a server announces it. */
  readonly silence: number | undefined;
}

export type State =
  | ({ readonly status: 'connecting' } & Memory)
  | ({ readonly status: 'open' } & Memory)
  /** `told`: the server set the time, so nothing shortens it. */
  | ({ readonly status: 'waiting'; readonly told: boolean } & Memory)
  | { readonly status: 'closed' }
  | { readonly status: 'failed'; readonly error: TidingsError };

export type Input =
  /** The response is an event stream. */
  | { readonly type: 'accepted' }
  /** The first frame came; a welcome announces the heartbeat. */
  | { readonly type: 'proved'; readonly heartbeat?: number | undefined }
  /** The stream says how long to wait before connecting again, if that ever has to be done. */
  | { readonly type: 'retry'; readonly delay: number }
  /** The server is about to end the stream. */
  | { readonly type: 'goodbye'; readonly retry: number | undefined }
  /** What the connection is to be for has changed, and only another one can be asked for it. */
  | { readonly type: 'replace' }
  /** 204: don't come back. */
  | { readonly type: 'ended' }
  /** Trying again would change nothing. */
  | { readonly type: 'refused'; readonly error: TidingsError }
  /** No connection, or none any more, for what may be a passing reason. */
  | { readonly type: 'dropped'; readonly error: TidingsError; readonly retryAfter?: number | undefined }
  | { readonly type: 'elapsed' }
  /** The network is back. */
  | { readonly type: 'wake' }
  | { readonly type: 'close' };

type Dropped = Extract<Input, { type: 'dropped' }>;

export type Effect =
  | { readonly type: 'connect' }
  | { readonly type: 'disconnect' }
  /** Milliseconds until `elapsed`. */
  | { readonly type: 'wait'; readonly delay: number }
  | { readonly type: 'stop-waiting' }
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'report'; readonly error: TidingsError; readonly retryIn?: number }
  /** Nothing will ever come again. */
  | { readonly type: 'finish'; readonly error?: TidingsError };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

interface Chance {
  readonly policy: RetryPolicy;
  /** From 0 up to, but not including, 1. */
  readonly dice: number;
}

type Cell<S extends Status, I extends Input['type']> = (
  state: Extract<State, { status: S }>,
  input: Extract<Input, { type: I }>,
  chance: Chance,
) => Step;

export const INITIAL: State = { status: 'connecting', failures: 0, retry: 0, silence: undefined };

/** How much longer than two heartbeats to believe in a silent connection, in milliseconds. */
const SLACK = 5_000;

const stay = (state: State): Step => ({ state, effects: [] });

const open = ({ failures, retry, silence }: Memory): Step => ({
  state: { status: 'open', failures, retry, silence },
  effects: [],
});

const connect = ({ failures, retry, silence }: Memory, ...effects: Effect[]): Step => ({
  state: { status: 'connecting', failures, retry, silence },
  effects: [...effects, { type: 'connect' }],
});

const close = (effect: 'disconnect' | 'stop-waiting'): Step => ({
  state: { status: 'closed' },
  effects: [{ type: effect }, { type: 'finish' }],
});

const fail = (error: TidingsError): Step => ({
  state: { status: 'failed', error },
  effects: [{ type: 'disconnect' }, { type: 'report', error }, { type: 'finish', error }],
});

const refuse = (_: State, { error }: { error: TidingsError }): Step => fail(error);

const prove = (memory: Memory, { heartbeat }: { heartbeat?: number | undefined }): Step => {
  const silence = heartbeat === undefined ? undefined : Math.min(2 * heartbeat + SLACK, MAX_DELAY);
  return open({ failures: 0, retry: memory.retry, silence });
};

const tryAgain = (memory: Memory, { error, retryAfter = 0 }: Dropped, { policy, dice }: Chance): Step => {
  const failures = memory.failures + 1;
  if (failures > policy.attempts) return fail(giveUp(failures, error));
  const jitter = backoff(policy, memory.failures, memory.retry, dice);
  const delay = Math.min(retryAfter + jitter, MAX_DELAY);
  return {
    state: {
      status: 'waiting',
      told: retryAfter > 0,
      failures,
      retry: memory.retry,
      silence: memory.silence,
    },
    effects: [{ type: 'disconnect' }, { type: 'wait', delay }, { type: 'report', error, retryIn: delay }],
  };
};

/** The server picked the time so that its clients come back one by one: no jitter on top of it. */
const comeBack: Cell<'open', 'goodbye'> = ({ failures, retry, silence }, goodbye, { policy, dice }) => ({
  state: { status: 'waiting', told: goodbye.retry !== undefined, failures, retry: 0, silence },
  effects: [
    { type: 'disconnect' },
    { type: 'wait', delay: Math.min(goodbye.retry ?? backoff(policy, failures, retry, dice), MAX_DELAY) },
  ],
});

function giveUp(failures: number, cause: TidingsError): TidingsError {
  const message = `Gave up after ${failures} connections in a row that failed; the last one: ${cause.message}`;
  return new TidingsError('client/attempts-exhausted', message, { cause, details: { failures } });
}

const over: Readonly<Record<Input['type'], typeof stay>> = {
  accepted: stay,
  proved: stay,
  retry: stay,
  goodbye: stay,
  replace: stay,
  ended: stay,
  refused: stay,
  dropped: stay,
  elapsed: stay,
  wake: stay,
  close: stay,
};

/** Every input in every state: the type leaves no cell out. */
const table: { readonly [S in Status]: { readonly [I in Input['type']]: Cell<S, I> } } = {
  connecting: {
    accepted: open,
    proved: stay,
    retry: stay,
    goodbye: stay,
    replace: stay,
    ended: () => close('disconnect'),
    refused: refuse,
    dropped: tryAgain,
    elapsed: stay,
    wake: stay,
    close: () => close('disconnect'),
  },
  open: {
    accepted: stay,
    proved: prove,
    retry: (memory, { delay }) => open({ ...memory, retry: delay }),
    goodbye: comeBack,
    replace: (memory) => connect(memory, { type: 'disconnect' }),
    ended: stay,
    refused: refuse,
    dropped: tryAgain,
    elapsed: stay,
    wake: stay,
    close: () => close('disconnect'),
  },
  waiting: {
    accepted: stay,
    proved: stay,
    retry: stay,
    goodbye: stay,
    replace: stay,
    ended: stay,
    refused: stay,
    dropped: stay,
    elapsed: (memory) => connect(memory),
    wake: (memory) => (memory.told ? stay(memory) : connect(memory, { type: 'stop-waiting' })),
    close: () => close('stop-waiting'),
  },
  closed: over,
  failed: over,
};

/** @param dice from 0 up to, but not including, 1. */
export function transition(policy: RetryPolicy, state: State, input: Input, dice: number): Step {
  // The compiler does not see that a cell's own state and input are the ones it was picked by.
  const cell = table[state.status][input.type] as (state: State, input: Input, chance: Chance) => Step;
  const step = cell(state, input, { policy, dice });
  if (step.state.status === state.status) return step;
  return { ...step, effects: [{ type: 'status', status: step.state.status }, ...step.effects] };
}
