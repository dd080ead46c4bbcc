import { TidingsError } from '../protocol/tidings-error.ts';
import { MAX_DELAY } from '../protocol/timer-delay.ts';
import { backoff, MAX_ASKED, type RetryPolicy } from './backoff.ts';
import type { NextTry } from './event-client.ts';

/**
 * The client's life cycle, as values: a state and an input give the next state and the effects to perform. Time,
 * randomness and the network are the caller's. One table of every status and input, so longer than other files.
 *
 *   connecting ──opened──► open ──dropped, finished, goodbye──► waiting ──elapsed, wake──► connecting
 *       │
 *       └──silent connections, one after the other──► polling ──now and then──► connecting
 *
 * `replace` and `reload` lead from `open` and `polling` to another connection, `pause` leads to `paused` and `resume` back.
 * `ended` leads to `closed`, `refused` and too many failures lead to `failed`, and from there nothing leads on.
 */

/** `polling`: a server that is asked again as soon as it has answered. */
export type Status = 'connecting' | 'open' | 'polling' | 'waiting' | 'paused' | 'closed' | 'failed';

export interface State {
  readonly status: Status;
  /** Connections in a row that did not last. */
  readonly failures: number;
  /**
   * Milliseconds: the server's last `retry:`; unknown before the first, and after a goodbye, whose own applies only
   * once.
   */
  readonly retry: number | undefined;
  /** Milliseconds within which the server sends something. Unknown until it announces that. */
  readonly heartbeat: number | undefined;
  /** Connections in a row that were made but brought no byte. */
  readonly silent: number;
  /** Until when to ask for whole answers rather than streams, in milliseconds since 1970; 0: not at all. */
  readonly pollUntil: number;
  /**
   * Milliseconds since 1970 when the connection brought its first byte; Infinity before. Of the polls after the first:
   * when the request was due.
   */
  readonly since: number;
  /** Milliseconds to wait; during a pause, the wait that it interrupted. */
  readonly delay: number;
  /** The server set that time, which nothing shortens unless it is long. */
  readonly told: boolean;
}

export type Input =
  /** The first bytes of the stream came. */
  | { readonly type: 'opened' }
  /** A hub introduced itself. */
  | { readonly type: 'announced'; readonly heartbeat: number | undefined }
  /** The stream says how long to wait before connecting again, if that ever has to be done. */
  | { readonly type: 'retry'; readonly delay: number }
  /** The server is about to end the stream. */
  | { readonly type: 'goodbye'; readonly retry: number | undefined }
  /** The topics have changed, and only a new connection can ask for them. */
  | { readonly type: 'replace' }
  /** Events are missing, and the app has to load its state. */
  | { readonly type: 'reload' }
  /** The response ended. `moved`: it moved the cursor. `after`: milliseconds that a hub wants between two answers. */
  | { readonly type: 'finished'; readonly moved: boolean; readonly after?: number | undefined }
  /** Nothing more will come: 204, or the last event of an answer. */
  | { readonly type: 'ended' }
  /** Trying again would change nothing. */
  | { readonly type: 'refused'; readonly error: TidingsError }
  /** There is no connection, or no longer, for a reason that may pass. `exact`: wait for exactly `retryAfter`. */
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

type InputOf<I extends Input['type']> = Extract<Input, { type: I }>;

export type Effect =
  /** With `poll`, for a whole answer; `after` so many milliseconds. */
  | { readonly type: 'connect'; readonly poll: boolean; readonly after?: number | undefined }
  | { readonly type: 'disconnect' }
  /** Test whether the connection is alive: the server's next heartbeat must not be late. */
  | { readonly type: 'test' }
  /** Milliseconds until `elapsed`. */
  | { readonly type: 'wait'; readonly delay: number }
  | { readonly type: 'stop-waiting' }
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'report'; readonly error: TidingsError; readonly next: NextTry }
  /** Nothing will ever come again. */
  | { readonly type: 'finish'; readonly error?: TidingsError };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** The circumstances that a decision depends on, besides state and input. */
export interface Circumstances {
  readonly policy: RetryPolicy;
  /** After silent connections, ask for whole answers; `always` from the beginning. */
  readonly longPoll: 'auto' | 'always' | 'never';
  /** From 0 up to, but not including, 1. */
  readonly dice: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Cell<I extends Input['type']> = (state: State, input: InputOf<I>, circumstances: Circumstances) => Step;

/** The first request is on its way. */
export const INITIAL: State = {
  status: 'connecting',
  failures: 0,
  retry: undefined,
  heartbeat: undefined,
  silent: 0,
  pollUntil: 0,
  since: Infinity,
  delay: 0,
  told: false,
};

/** Milliseconds after which a connection counts as having lasted. */
export const LASTING = 5_000;
/** Milliseconds to wait for a server that ended a stream early and never sent `retry:`: the standard's "few seconds". */
const UNTOLD_RETRY = 3_000;
/** After this many connections in a row without a byte, something is holding the stream back. */
const MAX_SILENT = 2;
/** Milliseconds after which a stream is tried again. */
const POLL_FOR = 600_000;
/**
 * An answer without anything new is too fast within this many milliseconds: asking again at once would hammer the
 * server.
 */
const BARREN = 1_000;
/** Milliseconds from one poll to the next at least. A hub asks for as long a pause by itself. */
const LEAST_PAUSE = 250;

const DISCONNECT: Effect = { type: 'disconnect' };
const STOP_WAITING: Effect = { type: 'stop-waiting' };

const stay = (state: State, ...effects: Effect[]): Step => ({ state, effects });

const isConnected = ({ since }: State): boolean => since < Infinity;

const lasted = ({ since }: State, now: number): boolean => now - since >= LASTING;

/** A connection that lasted ends the row of failures. */
const failuresSoFar = (state: State, now: number): number => (lasted(state, now) ? 0 : state.failures);

/** A clock that was set back doesn't make it longer. */
const polls = ({ pollUntil }: State, { longPoll, now }: Circumstances): boolean =>
  longPoll === 'always' || (now < pollUntil && pollUntil <= now + POLL_FOR);

const connect = (state: State, circumstances: Circumstances, leaving: Effect[], after = 0): Step => {
  const poll = polls(state, circumstances);
  // One poll follows another without a change of status; a stream begins with `connecting`.
  const goesOn = poll && isConnected(state);
  return stay(
    {
      ...state,
      status: goesOn ? 'polling' : 'connecting',
      since: goesOn ? circumstances.now + after : Infinity,
      delay: 0,
      told: false,
    },
    ...leaving,
    { type: 'connect', poll, ...(after > 0 && { after }) },
  );
};

const reconnect = (state: State, _: Input, circumstances: Circumstances): Step =>
  connect(state, circumstances, [DISCONNECT]);

const opened = (state: State, _: Input, circumstances: Circumstances): Step => {
  const since = circumstances.now;
  return stay(
    polls(state, circumstances)
      ? { ...state, status: 'polling', since }
      : { ...state, status: 'open', since, silent: 0, pollUntil: 0 },
  );
};

const close =
  (...leaving: Effect[]) =>
  (state: State): Step =>
    stay({ ...state, status: 'closed' }, ...leaving, { type: 'finish' });

const fail = (state: State, { error }: { readonly error: TidingsError }): Step =>
  stay(
    { ...state, status: 'failed' },
    DISCONNECT,
    { type: 'report', error, next: {} },
    { type: 'finish', error },
  );

const wait = (state: State, delay: number, told: boolean, ...effects: Effect[]): Step =>
  stay(
    { ...state, status: 'waiting', since: Infinity, delay, told },
    DISCONNECT,
    { type: 'wait', delay },
    ...effects,
  );

/** Without an error for a stream that just ended, which is no failure unless it is all that connecting ever leads to. */
const tryAgain = (state: State, dropped: Partial<InputOf<'dropped'>>, circumstances: Circumstances): Step => {
  const { policy, longPoll, dice, now } = circumstances;
  const { error, retryAfter = 0, exact } = dropped;
  const before = failuresSoFar(state, now);
  const failures = error === undefined && lasted(state, now) ? 0 : before + 1;
  if (failures > policy.attempts) return fail(state, giveUp(failures, error));
  const isSilent = error?.code === 'client/silent' && !isConnected(state);
  const silent = state.silent + Number(isSilent);
  const willPoll = isSilent && longPoll === 'auto' && silent >= MAX_SILENT && !polls(state, circumstances);
  // After a stream that ended right at its beginning, the client asks no faster than a browser would.
  const untold = isConnected(state) && !lasted(state, now) ? Math.min(UNTOLD_RETRY, policy.max) : 0;
  const usual = backoff(policy, before, Math.max(retryAfter, state.retry ?? untold), dice);
  const delay = willPoll ? 0 : exact === true && before === 0 ? Math.min(retryAfter, MAX_ASKED) : usual;
  return wait(
    { ...state, failures, silent, pollUntil: willPoll ? now + POLL_FOR : state.pollUntil },
    delay,
    retryAfter > 0,
    ...(error === undefined ? [] : [{ type: 'report', error, next: { retryIn: delay } } as const]),
  );
};

const goOn = (state: State, _: Input, circumstances: Circumstances): Step =>
  tryAgain(state, {}, circumstances);

/**
 * A hub says when to come back. Other servers are asked as often as they would be by a browser that waits for `retry:`,
 * but from request to request: what took long to come is followed by the next request at once.
 */
const finishPoll: Cell<'finished'> = (state, input, circumstances) => {
  const { policy, now } = circumstances;
  const took = Math.max(0, now - state.since);
  if (!input.moved && took < BARREN) return goOn(state, input, circumstances);
  const pause = input.after ?? (state.retry ?? Math.min(UNTOLD_RETRY, policy.max)) - took;
  const after = Math.min(Math.max(pause, LEAST_PAUSE - took, 0), MAX_ASKED);
  return connect({ ...state, failures: 0 }, circumstances, [DISCONNECT], after);
};

/** An empty answer counts as an answer, if the client asked for one. */
const finishEmpty: Cell<'finished'> = (before, input, circumstances) => {
  const { state } = opened(before, input, circumstances);
  return state.status === 'open'
    ? goOn(state, input, circumstances)
    : finishPoll(state, { ...input, moved: true }, circumstances);
};

/** At once the first time; if it is needed again and again, it has to wait. */
const reload: Cell<'reload'> = (state, input, circumstances) => {
  const failures = failuresSoFar(state, circumstances.now);
  if (failures > 0) return goOn(state, input, circumstances);
  return reconnect({ ...state, failures: lasted(state, circumstances.now) ? 0 : 1 }, input, circumstances);
};

/** The server has already spread its clients out over time, so there is no jitter on top. */
const comeBack: Cell<'goodbye'> = (state, input, circumstances) => {
  const { policy, dice, now } = circumstances;
  if (input.retry === undefined) return goOn(state, input, circumstances);
  const before = failuresSoFar(state, now);
  // The client doesn't go in circles with a server that ends each connection at once and asks to come back at once.
  const least = before === 0 ? 0 : backoff(policy, before, 0, dice);
  const delay = Math.max(Math.min(input.retry, MAX_ASKED), least);
  return wait({ ...state, failures: lasted(state, now) ? 0 : before + 1, retry: undefined }, delay, true);
};

/** A server that said when to come back is not asked sooner, unless that is so far off that things may have changed. */
const wake: Cell<'wake'> = (state, _, circumstances) => {
  const { policy, dice } = circumstances;
  if (!state.told) return connect(state, circumstances, [STOP_WAITING]);
  if (state.delay <= policy.max) return stay(state);
  const delay = Math.floor(dice * policy.max);
  return stay({ ...state, delay }, STOP_WAITING, { type: 'wait', delay });
};

const resume: Cell<'resume'> = (state, _, circumstances) =>
  state.told
    ? stay({ ...state, status: 'waiting' }, { type: 'wait', delay: state.delay })
    : connect(state, circumstances, []);

function giveUp(failures: number, cause: TidingsError | undefined): { readonly error: TidingsError } {
  const last = cause === undefined ? 'The server ended each stream at once.' : `The last: ${cause.message}`;
  const message = `Gave up after ${failures} connections in a row that did not last. ${last}`;
  return { error: new TidingsError('client/attempts-exhausted', message, { cause, details: { failures } }) };
}

type Row = { readonly [I in Input['type']]: Cell<I> };

const ignore = (state: State): Step => stay(state);

const over: Row = {
  opened: ignore,
  announced: ignore,
  retry: ignore,
  goodbye: ignore,
  replace: ignore,
  reload: ignore,
  finished: ignore,
  ended: ignore,
  refused: ignore,
  dropped: ignore,
  elapsed: ignore,
  wake: ignore,
  pause: ignore,
  resume: ignore,
  reconnect: ignore,
  close: ignore,
};

const connecting: Row = {
  ...over,
  opened,
  finished: finishEmpty,
  ended: close(DISCONNECT),
  refused: fail,
  dropped: tryAgain,
  pause: (state) => stay({ ...state, status: 'paused', since: Infinity }, DISCONNECT),
  reconnect,
  close: close(DISCONNECT),
};

const polling: Row = {
  ...connecting,
  opened: ignore,
  announced: (state, { heartbeat }) => stay({ ...state, heartbeat }),
  retry: (state, { delay }) => stay({ ...state, retry: delay }),
  goodbye: comeBack,
  replace: reconnect,
  reload,
  finished: finishPoll,
};

/** Every input in every status: the type requires every cell. */
const table: Readonly<Record<Status, Row>> = {
  connecting,
  polling,
  open: { ...polling, finished: goOn, wake: (state) => stay(state, { type: 'test' }) },
  waiting: {
    ...over,
    elapsed: (state, _, circumstances) => connect(state, circumstances, []),
    wake,
    pause: (state) => stay({ ...state, status: 'paused' }, STOP_WAITING),
    reconnect: (state, _, circumstances) => connect(state, circumstances, [STOP_WAITING]),
    close: close(STOP_WAITING),
  },
  paused: { ...over, resume, close: close() },
  closed: over,
  failed: over,
};

export function transition(state: State, input: Input, circumstances: Circumstances): Step {
  // The compiler can't see that the cell was picked by this input.
  const cell = table[state.status][input.type] as (state: State, input: Input, with_: Circumstances) => Step;
  const step = cell(state, input, circumstances);
  const { status } = step.state;
  return status === state.status ? step : stay(step.state, { type: 'status', status }, ...step.effects);
}

/** Milliseconds without a byte after which a connection counts as dead. */
export function longestSilence(heartbeat: number | undefined, slack: number, beats = 2): number | undefined {
  return heartbeat === undefined ? undefined : Math.min(beats * heartbeat + slack, MAX_DELAY);
}
