import { TidingsError } from '../protocol/tidings-error.ts';
import { backoff, MAX_ASKED, MAX_DELAY, type RetryPolicy } from './backoff.ts';

/**
 * What the client does when, as values: a state and an input give the next state and what is to be done. Time,
 * randomness and the network are the caller's.
 *
 *   connecting ──opened──► open ──dropped, finished, goodbye──► waiting ──elapsed, wake──► connecting
 *       │
 *       └──silent connections, one after the other──► polling ──now and then──► connecting
 *
 * `replace` and `reload` lead from `open` and `polling` to another connection, `pause` leads to `paused` and `resume` back.
 * `ended` leads to `closed`, `refused` and too many failures lead to `failed`, and from there nothing leads on.
 */

export type Status = 'connecting' | 'open' | 'polling' | 'waiting' | 'paused' | 'closed' | 'failed';

/** What outlives a connection. */
interface Memory {
  /** Connections in a row that did not last. */
  readonly failures: number;
  /** Milliseconds: the server's last `retry:`; unknown before the first, and after a goodbye, whose own is for once. */
  readonly retry: number | undefined;
  /** Milliseconds within which the server sends something. Unknown until it announces that. */
  readonly heartbeat: number | undefined;
  /** Connections in a row that brought no byte, although they were made. */
  readonly silent: number;
  /** Until when to ask for whole answers rather than streams, in milliseconds since 1970; 0: not at all. */
  readonly pollUntil: number;
}

interface Connected extends Memory {
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
}

export type State =
  | ({ readonly status: 'connecting' } & Memory)
  | ({ readonly status: 'open' } & Connected)
  /** A server that is asked again as soon as it has answered. */
  | ({ readonly status: 'polling' } & Connected)
  /** `told`: the server set the time, which nothing shortens unless it is long. */
  | ({ readonly status: 'waiting'; readonly told: boolean; readonly delay: number } & Memory)
  /** `owed`: how long the server had told the client to wait. */
  | ({ readonly status: 'paused'; readonly owed: number } & Memory)
  | { readonly status: 'closed' }
  | { readonly status: 'failed'; readonly error: TidingsError };

export type Input =
  /** The first bytes of the stream came. */
  | { readonly type: 'opened' }
  /** A hub introduced itself. */
  | { readonly type: 'announced'; readonly heartbeat: number | undefined }
  /** The stream says how long to wait before connecting again, if that ever has to be done. */
  | { readonly type: 'retry'; readonly delay: number }
  /** The server is about to end the stream. */
  | { readonly type: 'goodbye'; readonly retry: number | undefined }
  /** What the connection is to be for has changed, and only another one can be asked for it. */
  | { readonly type: 'replace' }
  /** Events are missing, and the app is to load what they were about. */
  | { readonly type: 'reload' }
  /**
   * The response came to its end. `moved`: it brought the cursor on. `after`: milliseconds that a hub wants between two
   * answers.
   */
  | { readonly type: 'finished'; readonly moved: boolean; readonly after?: number | undefined }
  /** Nothing more will come: 204, or the last event of an answer. */
  | { readonly type: 'ended' }
  /** Trying again would change nothing. */
  | { readonly type: 'refused'; readonly error: TidingsError }
  /** No connection, or none any more, for what may be a passing reason. `exact`: wait for `retryAfter`, no longer. */
  | {
      readonly type: 'dropped';
      readonly error: TidingsError;
      readonly retryAfter?: number | undefined;
      readonly exact?: boolean;
    }
  | { readonly type: 'elapsed' }
  /** The network or the machine is back. */
  | { readonly type: 'wake' }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  /** The app wants another connection, now. */
  | { readonly type: 'reconnect' }
  | { readonly type: 'close' };

type Dropped = Extract<Input, { type: 'dropped' }>;

export type Effect =
  /** With `poll`, for a whole answer; `after` so many milliseconds. */
  | { readonly type: 'connect'; readonly poll: boolean; readonly after?: number | undefined }
  | { readonly type: 'disconnect' }
  /** Whether the connection is alive: the server's next heartbeat must not be late. */
  | { readonly type: 'test' }
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

/** What a decision depends on besides state and input. */
export interface Circumstances {
  readonly policy: RetryPolicy;
  /** After silent connections, ask for whole answers; `always` from the beginning. */
  readonly longPoll: 'auto' | 'always' | 'never';
  /** From 0 up to, but not including, 1. */
  readonly dice: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Cell<S extends Status, I extends Input['type']> = (
  state: Extract<State, { status: S }>,
  input: Extract<Input, { type: I }>,
  circumstances: Circumstances,
) => Step;

/** The first request is on its way. */
export const INITIAL: State = {
  status: 'connecting',
  failures: 0,
  retry: undefined,
  heartbeat: undefined,
  silent: 0,
  pollUntil: 0,
};

/** Milliseconds after which a connection has proved that connecting is worth while. */
export const LASTING = 5_000;
/** Milliseconds to wait for a server that ended a stream early and never sent `retry:`: the standard's "few seconds". */
const UNTOLD_RETRY = 3_000;
/** After so many connections in a row without a byte, something holds the stream back. */
const MAX_SILENT = 2;
/** Milliseconds after which a stream is tried again. */
const POLL_FOR = 600_000;
/** Milliseconds within which an answer without anything new is too fast: asking again at once would be hammering. */
const BARREN = 1_000;

const stay = (state: State): Step => ({ state, effects: [] });

const remember = ({ failures, retry, heartbeat, silent, pollUntil }: Memory): Memory => ({
  failures,
  retry,
  heartbeat,
  silent,
  pollUntil,
});

const isConnected = (state: Memory): state is Connected => 'since' in state;

const lasted = (state: Memory, now: number): boolean => isConnected(state) && now - state.since >= LASTING;

/** A connection that lasted ends the row of failures. */
const failuresSoFar = (state: Memory, now: number): number => (lasted(state, now) ? 0 : state.failures);

const connect = (memory: Memory, { longPoll, now }: Circumstances, ...effects: Effect[]): Step => {
  const poll = longPoll === 'always' || now < memory.pollUntil;
  // A poll follows the other without a change of status; a stream is a new beginning.
  const polling = poll && isConnected(memory);
  return {
    state: polling
      ? { status: 'polling', ...remember(memory), since: now }
      : { status: 'connecting', ...remember(memory) },
    effects: [...effects, { type: 'connect', poll }],
  };
};

const disconnect: Effect = { type: 'disconnect' };

const reconnect = (memory: Memory, _: Input, circumstances: Circumstances): Step =>
  connect(memory, circumstances, disconnect);

const open = (memory: Memory, _: Input, { longPoll, now }: Circumstances): Step => {
  const poll = longPoll === 'always' || now < memory.pollUntil;
  const silent = poll ? memory.silent : 0;
  const pollUntil = poll ? memory.pollUntil : 0;
  return {
    state: { status: poll ? 'polling' : 'open', ...remember(memory), silent, pollUntil, since: now },
    effects: [],
  };
};

const close = (effect: 'disconnect' | 'stop-waiting'): Step => ({
  state: { status: 'closed' },
  effects: [{ type: effect }, { type: 'finish' }],
});

const fail = (error: TidingsError): Step => ({
  state: { status: 'failed', error },
  effects: [disconnect, { type: 'report', error }, { type: 'finish', error }],
});

const refuse = (_: State, { error }: { error: TidingsError }): Step => fail(error);

const wait = (memory: Memory, delay: number, told: boolean): Step => ({
  state: { status: 'waiting', told, delay, ...remember(memory) },
  effects: [disconnect, { type: 'wait', delay }],
});

/** The least to wait. A stream that ended at its very beginning is asked for no faster than a browser would ask. */
const leastWait = (memory: Memory, { policy, now }: Circumstances): number =>
  memory.retry ?? (isConnected(memory) && !lasted(memory, now) ? Math.min(UNTOLD_RETRY, policy.max) : 0);

const tryAgain = (memory: Memory, dropped: Dropped, circumstances: Circumstances): Step => {
  const { policy, dice, now } = circumstances;
  const { error, retryAfter = 0, exact = false } = dropped;
  const before = failuresSoFar(memory, now);
  const failures = before + 1;
  if (failures > policy.attempts) return fail(giveUp(failures, error));
  const isSilent = error.code === 'client/silent' && !isConnected(memory);
  const silent = isSilent ? memory.silent + 1 : memory.silent;
  const polls =
    circumstances.longPoll === 'auto' && isSilent && silent >= MAX_SILENT && now >= memory.pollUntil;
  const pollUntil = polls ? now + POLL_FOR : memory.pollUntil;
  const least = Math.max(retryAfter, leastWait(memory, circumstances));
  const delay = polls
    ? 0
    : exact && before === 0
      ? Math.min(retryAfter, MAX_ASKED)
      : backoff(policy, before, least, dice);
  const { state, effects } = wait(
    { ...remember(memory), failures, silent, pollUntil },
    delay,
    retryAfter > 0,
  );
  return { state, effects: [...effects, { type: 'report', error, retryIn: delay }] };
};

/** The end of a stream is no failure, unless it is all that connecting ever leads to. */
const goOn = (memory: Connected, circumstances: Circumstances): Step => {
  const { policy, dice, now } = circumstances;
  const before = failuresSoFar(memory, now);
  const failures = lasted(memory, now) ? 0 : before + 1;
  if (failures > policy.attempts) return fail(giveUp(failures));
  const least = leastWait(memory, circumstances);
  return wait({ ...memory, failures }, backoff(policy, before, least, dice), false);
};

const finishPoll: Cell<'polling', 'finished'> = (state, { moved, after }, circumstances) => {
  const { now } = circumstances;
  if (!moved && now - state.since < BARREN) return goOn(state, circumstances);
  const step = connect({ ...state, failures: 0 }, circumstances, disconnect);
  return {
    ...step,
    effects: step.effects.map((effect) => (effect.type === 'connect' ? { ...effect, after } : effect)),
  };
};

/** An answer without a byte is one too, if an answer is what was asked for. */
const finishEmpty: Cell<'connecting', 'finished'> = (memory, input, circumstances) => {
  const { state } = open(memory, input, circumstances);
  if (state.status === 'open') return goOn(state, circumstances);
  if (state.status !== 'polling') return stay(state);
  return finishPoll({ ...state, since: -Infinity }, input, circumstances);
};

/** Once at once; what needs it again and again has to wait. */
const reload = (memory: Connected, _: Input, circumstances: Circumstances): Step => {
  const worthwhile = lasted(memory, circumstances.now);
  if (memory.failures > 0 && !worthwhile) return goOn(memory, circumstances);
  return connect({ ...memory, failures: worthwhile ? 0 : 1 }, circumstances, disconnect);
};

/** The server picked the time so that its clients come back one by one: no jitter on top of it. */
const comeBack = (
  memory: Connected,
  goodbye: { retry: number | undefined },
  circumstances: Circumstances,
): Step => {
  const { policy, dice, now } = circumstances;
  const before = failuresSoFar(memory, now);
  const failures = lasted(memory, now) ? 0 : before + 1;
  if (goodbye.retry === undefined) return goOn(memory, circumstances);
  // A server that says goodbye to each connection at once, and come back at once, is not followed in circles.
  const least = before === 0 ? 0 : backoff(policy, before, 0, dice);
  const delay = Math.max(Math.min(goodbye.retry, MAX_ASKED), least);
  return wait({ ...memory, failures, retry: undefined }, delay, true);
};

/** A server that said when to come back is not asked sooner, unless that is so far off that things may have changed. */
const wake: Cell<'waiting', 'wake'> = (state, _, circumstances) => {
  const { policy, dice } = circumstances;
  if (!state.told) return connect(state, circumstances, { type: 'stop-waiting' });
  if (state.delay <= policy.max) return stay(state);
  const delay = Math.floor(dice * policy.max);
  return { state: { ...state, delay }, effects: [{ type: 'stop-waiting' }, { type: 'wait', delay }] };
};

const pause = (memory: Memory): Step => ({
  state: { status: 'paused', owed: 0, ...remember(memory) },
  effects: [disconnect],
});

const test = (state: State): Step => ({ state, effects: [{ type: 'test' }] });

function giveUp(failures: number, cause?: TidingsError): TidingsError {
  const last =
    cause === undefined ? 'The server ended each stream at once.' : `The last one: ${cause.message}`;
  const message = `Gave up after ${failures} connections in a row that did not last. ${last}`;
  return new TidingsError('client/attempts-exhausted', message, { cause, details: { failures } });
}

const over: Readonly<Record<Input['type'], typeof stay>> = {
  opened: stay,
  announced: stay,
  retry: stay,
  goodbye: stay,
  replace: stay,
  reload: stay,
  finished: stay,
  ended: stay,
  refused: stay,
  dropped: stay,
  elapsed: stay,
  wake: stay,
  pause: stay,
  resume: stay,
  reconnect: stay,
  close: stay,
};

/** Every input in every state: the type leaves no cell out. */
const table: { readonly [S in Status]: { readonly [I in Input['type']]: Cell<S, I> } } = {
  connecting: {
    ...over,
    opened: open,
    finished: finishEmpty,
    ended: () => close('disconnect'),
    refused: refuse,
    dropped: tryAgain,
    pause,
    reconnect,
    close: () => close('disconnect'),
  },
  open: {
    ...over,
    announced: (state, { heartbeat }) => stay({ ...state, heartbeat }),
    retry: (state, { delay }) => stay({ ...state, retry: delay }),
    goodbye: comeBack,
    replace: reconnect,
    reload,
    finished: (state, _, circumstances) => goOn(state, circumstances),
    ended: () => close('disconnect'),
    refused: refuse,
    dropped: tryAgain,
    wake: test,
    pause,
    reconnect,
    close: () => close('disconnect'),
  },
  polling: {
    ...over,
    announced: (state, { heartbeat }) => stay({ ...state, heartbeat }),
    retry: (state, { delay }) => stay({ ...state, retry: delay }),
    goodbye: comeBack,
    replace: reconnect,
    reload,
    finished: finishPoll,
    ended: () => close('disconnect'),
    refused: refuse,
    dropped: tryAgain,
    pause,
    reconnect,
    close: () => close('disconnect'),
  },
  waiting: {
    ...over,
    elapsed: (memory, _, circumstances) => connect(memory, circumstances),
    wake,
    pause: (state) => ({
      state: { status: 'paused', owed: state.told ? state.delay : 0, ...remember(state) },
      effects: [{ type: 'stop-waiting' }],
    }),
    reconnect: (memory, _, circumstances) => connect(memory, circumstances, { type: 'stop-waiting' }),
    close: () => close('stop-waiting'),
  },
  paused: {
    ...over,
    resume: (state, _, circumstances) =>
      state.owed === 0
        ? connect(state, circumstances)
        : {
            state: { status: 'waiting', told: true, delay: state.owed, ...remember(state) },
            effects: [{ type: 'wait', delay: state.owed }],
          },
    close: () => ({ state: { status: 'closed' }, effects: [{ type: 'finish' }] }),
  },
  closed: over,
  failed: over,
};

export function transition(state: State, input: Input, circumstances: Circumstances): Step {
  // The compiler does not see that a cell's own state and input are the ones it was picked by.
  const cell = table[state.status][input.type] as (state: State, input: Input, with_: Circumstances) => Step;
  const step = cell(state, input, circumstances);
  if (step.state.status === state.status) return step;
  return { ...step, effects: [{ type: 'status', status: step.state.status }, ...step.effects] };
}

/** Milliseconds without a byte after which a connection counts as dead. */
export function longestSilence(heartbeat: number | undefined, slack: number, beats = 2): number | undefined {
  return heartbeat === undefined ? undefined : Math.min(beats * heartbeat + slack, MAX_DELAY);
}
