import type { ReceivedEvent } from '../client/event-client.ts';
import { reportUncaught } from '../client/listeners.ts';
import type { Timers } from '../client/timers.ts';
import type { Gap } from '../protocol/control.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { describe } from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Connection } from './connection.ts';
import { concerns } from './gaps.ts';
import type { Notifier, Source } from './notifier.ts';
import { isAfter, reaches } from './positions.ts';
import type { Hearing } from './shared-values.ts';

/** Why `load` is called. */
export interface LoadContext {
  /** Empty unless events are missing; says which, and why. */
  readonly gaps: readonly Gap[];
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** The app's state, and the cursor at which it is true: it contains everything up to there. */
export interface Loaded<State> {
  readonly state: State;
  readonly cursor: string;
}

export type Load<State> = (context: LoadContext) => Promise<Loaded<State>>;
export type Reduce<State> = (state: State, event: ReceivedEvent) => State;

export interface Reduction<State> {
  readonly state: State;
  /** True while `load` is under way, or what it brought may still lack events. */
  readonly loading: boolean;
  /** Why `load` failed, or why the server refused the topics. It is tried again by itself. */
  readonly error: unknown;
}

export interface ReducedOptions<State> {
  readonly types: readonly string[];
  readonly topics: readonly Matcher[];
  readonly hearing: Hearing;
  readonly initial: State;
  /** Where `initial` is true. */
  readonly cursor: string | undefined;
  readonly timers: Timers;
}

/** A component's own state: what its app loads, and what a reducer makes of the events after that. */
export interface Reduced<State> extends Source<Reduction<State>> {
  /** Of the latest render. */
  use(reduce: Reduce<State>, load: Load<State> | undefined): void;
  reload(): void;
}

/** Events to keep until `load` has answered; beyond, it has to answer with them. */
const MAX_WAITING = 10_000;
/** Milliseconds until a hub has sent the snapshot of a state. */
const MOMENT = 200;
const FIRST_RETRY = 1_000;
const LAST_RETRY = 30_000;

interface Waiting {
  readonly event: ReceivedEvent;
  /** Empty if the event has no id of its own, as what a hub sends to one connection: only the order says where it belongs. */
  readonly cursor: string;
}

/** The state being made true. */
interface Round {
  readonly controller: AbortController;
  gaps: readonly Gap[];
  /** After which cursors the events begin that come in; undefined while that isn't known. */
  begins: readonly string[] | undefined;
  /** Events that came in since. */
  waiting: Waiting[];
  /** Loading began after `begins` was known. */
  loadsAfter: boolean;
  /** The hub was given time to say where the events begin: after a snapshot, it does so at its end. */
  hasWaited: boolean;
  /** It is loading, or waits before it tries again. */
  isBusy: boolean;
  /** Not before the job is over in which it was started: strict mode stops at once and starts again. */
  mayLoad: boolean;
  failures: number;
}

export function createReduced<State>(
  connection: Connection,
  notifier: Notifier,
  options: ReducedOptions<State>,
): Reduced<State> {
  const { types, topics, hearing, timers } = options;
  const listeners = new Set<() => void>();
  let reduce: Reduce<State> = (state) => state;
  let load: Load<State> | undefined;
  let now: Reduction<State> = { state: options.initial, loading: false, error: undefined };
  /** The state contains everything up to here; undefined if that can't be said. */
  let position = options.cursor;
  /** Undefined once the state is true: it has only to be kept so. */
  let round: Round | undefined;
  let stop: (() => void) | undefined;

  function change(next: Partial<Reduction<State>>): void {
    const changes = (Object.keys(next) as (keyof Reduction<State>)[]).some(
      (name) => next[name] !== now[name],
    );
    if (!changes) return;
    now = { ...now, ...next };
    notifier.changed({ listeners });
  }

  function start(): () => void {
    const listen = hearing.wrap(connection.listen);
    const removals = [
      ...types.map((type) => listen(type, take)),
      connection.onGap((gaps) => {
        if (concerns(gaps, topics)) miss(gaps);
      }),
    ];
    begin([], undefined, false);
    const current = round;
    removals.push(
      connection.hold(topics, {
        begins: (begins) => arrive(begins),
        refused: (error) => change({ error }),
      }),
    );
    queueMicrotask(() => {
      if (current !== undefined) current.mayLoad = true;
      if (round !== current) return;
      if (position === undefined) fetchState();
      else settle();
    });
    return () => {
      round?.controller.abort();
      round = undefined;
      for (const remove of removals) remove();
    };
  }

  function begin(gaps: readonly Gap[], begins: readonly string[] | undefined, mayLoad = true): void {
    round?.controller.abort();
    const controller = new AbortController();
    const waiting: Waiting[] = [];
    round = {
      controller,
      gaps,
      begins,
      waiting,
      loadsAfter: false,
      hasWaited: false,
      isBusy: false,
      mayLoad,
      failures: 0,
    };
    if (load !== undefined && position === undefined) change({ loading: true });
  }

  function miss(gaps: readonly Gap[]): void {
    if (load === undefined) return;
    position = undefined;
    // The next events begin after the gap, and `load` is asked after it.
    const begins = beginsHere();
    begin(gaps, begins);
    fetchState();
    const current = round;
    // The cursor moves once the gap's frame has been handed out.
    queueMicrotask(() => {
      if (current !== undefined && begins !== undefined && current.begins === begins) {
        current.begins = beginsHere();
      }
    });
  }

  /** As far as the stream has come; undefined as long as the server hasn't said where the events begin. */
  function beginsHere(): readonly string[] | undefined {
    if (round !== undefined && round.begins === undefined) return undefined;
    const { cursor } = connection;
    return cursor === undefined ? [] : [cursor];
  }

  function take(event: ReceivedEvent): void {
    // The connection's cursor moves after the event.
    const cursor = event.cursor === connection.cursor ? '' : event.cursor;
    // The loaded state may be ahead of the stream.
    if (position !== undefined && !isAfter({ cursor }, position)) return;
    round?.waiting.push({ event, cursor });
    if (round !== undefined && round.waiting.length > MAX_WAITING) skip(round);
    change({ state: apply(now.state, event) });
    if (round === undefined && cursor !== '') position = cursor;
  }

  /** A reducer that throws for one event is no reason to lose the others, as with a listener. */
  function apply(state: State, event: ReceivedEvent): State {
    try {
      return reduce(state, event);
    } catch (error) {
      reportUncaught(error);
      return state;
    }
  }

  /** Drops events that have waited too long: the answer of `load` has to contain them. */
  function skip(current: Round): void {
    const skipped = current.waiting.splice(0, MAX_WAITING / 2);
    const last = skipped.findLast(({ cursor }) => cursor !== '');
    if (last !== undefined) current.begins = [last.cursor];
    current.loadsAfter = false;
  }

  /** The server has said where the events begin. */
  function arrive(begins: readonly string[]): void {
    // The connection had to begin anew, without a cursor.
    if (round === undefined) begin([], begins);
    else Object.assign(round, { begins, loadsAfter: false, hasWaited: false });
    settle();
  }

  /** Ends the round if the state is true. */
  function settle(): void {
    const current = round;
    if (current?.begins === undefined || current.isBusy || !current.mayLoad) return;
    const isTrue = position !== undefined && isComplete(position, current, current.begins);
    if (load === undefined || isTrue === true) return finish(current);
    if (isTrue === undefined && !current.hasWaited) return waitFor(current, MOMENT);
    fetchState();
  }

  /** Whether data that is true at `cursor` has everything before the events that came and will come. */
  function isComplete(cursor: string, current: Round, begins: readonly string[]): boolean | undefined {
    if (current.loadsAfter) return reaches(cursor, begins) ?? true;
    const known = reaches(cursor, begins);
    if (known !== undefined || connection.cursor === undefined) return known;
    return reaches(cursor, [connection.cursor]);
  }

  function finish(current: Round): void {
    round = undefined;
    position = current.waiting.findLast(({ cursor }) => cursor !== '')?.cursor ?? position;
    change({ loading: false });
  }

  function fetchState(): void {
    const current = round;
    if (current === undefined || load === undefined) return;
    if (current.isBusy || !current.mayLoad) return;
    const { gaps, controller } = current;
    current.isBusy = true;
    current.loadsAfter = current.begins !== undefined;
    change({ loading: true });
    call(load, { gaps, signal: controller.signal })
      .then(
        (loaded) => {
          if (round === current) accept(current, loaded);
        },
        (error: unknown) => {
          if (round !== current) return;
          change({ error });
          tryLater(current);
        },
      )
      // It isn't the app's `load` that has failed.
      .catch(reportUncaught);
  }

  function accept(current: Round, { state, cursor }: Loaded<State>): void {
    current.isBusy = false;
    position = cursor;
    current.waiting = current.waiting.filter((waiting) => isAfter(waiting, cursor));
    change({
      state: current.waiting.reduce((before, { event }) => apply(before, event), state),
      error: undefined,
    });
    const behind = current.begins !== undefined && reaches(cursor, current.begins) === false;
    // It was asked after the events began, and yet knows less: another machine, which will catch up.
    if (behind && current.loadsAfter) tryLater(current);
    else settle();
  }

  function waitFor(current: Round, delay: number): void {
    current.isBusy = true;
    current.hasWaited = true;
    const cancel = timers.setTimer(() => {
      current.isBusy = false;
      if (round !== current) return;
      if (current.begins === undefined) fetchState();
      else settle();
    }, delay);
    current.controller.signal.addEventListener('abort', cancel);
  }

  function tryLater(current: Round): void {
    current.failures += 1;
    current.loadsAfter = false;
    waitFor(current, Math.min(FIRST_RETRY * 2 ** (current.failures - 1), LAST_RETRY));
  }

  return {
    get: () => now,
    subscribe(listener) {
      const own = (): void => listener();
      listeners.add(own);
      stop ??= start();
      return () => {
        if (!listeners.delete(own) || listeners.size > 0) return;
        stop?.();
        stop = undefined;
      };
    },
    use(latestReduce, latestLoad) {
      reduce = latestReduce;
      load = latestLoad;
    },
    reload() {
      if (stop === undefined || load === undefined) return;
      position = undefined;
      begin([], beginsHere());
      fetchState();
    },
  };
}

/** @throws {TidingsError} `client/load-failed` for an answer without a cursor, and what `load` throws. */
async function call<State>(load: Load<State>, context: LoadContext): Promise<Loaded<State>> {
  const loaded = await load(context);
  const cursor: unknown = loaded?.cursor;
  if (typeof cursor === 'string') return { state: loaded.state, cursor };
  const got = describe(cursor);
  const message = `Expected \`load\` to return a \`cursor\`, as \`hub.cursor()\` gives it, got ${got}.`;
  throw new TidingsError('client/load-failed', message);
}
