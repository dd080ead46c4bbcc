import type { Change } from '../protocol/control.ts';
import { type Matcher, matcherKey } from '../protocol/matcher.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { ChangeReply } from './change-request.ts';
import { fitsIntoUrl, type FirstFrame, type KnownTopics, type Request } from './fixed-topics.ts';
import type { Failure } from './response.ts';
import {
  applyWish,
  NO_TOPICS,
  placeTopics,
  planConnection,
  settleTopics,
  type Topics,
  unsettled,
  unsettleAll,
  unsettleOthers,
  type Wish,
} from './topic-progress.ts';

/**
 * The client's topics, and the requests that change them, as values: a state and an input give the next state and the
 * effects to perform.
 *
 *   away ──welcomed──► idle ──wish, or topics that are missing──► asking ──replied──► idle
 *
 * `left` leads from everywhere to `away`, `finish` to `over`. Orders are carried out one after the other: by a request
 * while there is a connection, or by the connection itself, if its request already asks for what the first order wants.
 *
 * Longer than other files because the whole table should be in one view.
 */

export type Phase = 'away' | 'idle' | 'asking' | 'over';

/** A change that the app wants, until it is made. */
export interface Order extends Wish {
  readonly id: number;
}

/** The part that outlives a connection. */
export interface Memory {
  readonly topics: Topics;
  /** In the order they came. */
  readonly orders: readonly Order[];
  /** The latest connection's request. */
  readonly request: Request;
  /** The order that this request carries out. */
  readonly absorbed: Order | undefined;
  /** The server sent something although no topic was asked for: it knows by itself which topics the URL has. */
  readonly fixed: boolean;
  /** Whether something was settled. */
  readonly begun: boolean;
  /** Requests in a row without an answer from the connection's own server. */
  readonly misses: number;
}

/** One connection. */
export interface Session {
  readonly credentials: FirstFrame['credentials'];
  /** The requested topics, until the stream has shown that everything up to a cursor was sent. */
  readonly asked: { readonly matchers: readonly Matcher[]; readonly since: string } | undefined;
  /** The topics to add to it, because the request had no room for them. */
  readonly missing: readonly Matcher[];
  /** The topics that the stream announced last, which may be before the answer that says the same. */
  readonly told: { readonly matchers: readonly Matcher[]; readonly cursor: string } | undefined;
}

type Away = { readonly phase: 'away' } & Memory;
type Idle = { readonly phase: 'idle'; readonly session: Session } & Memory;
/** Without an order, it asks for the missing topics. */
type Asking = {
  readonly phase: 'asking';
  readonly session: Session;
  readonly order: Order | undefined;
} & Memory;
type Over = { readonly phase: 'over'; readonly error: TidingsError } & Memory;

export type State = Away | Idle | Asking | Over;

export type Input =
  | { readonly type: 'wish'; readonly order: Order }
  /** A connection that goes on from `cursor` is about to be requested. `whole`: it can't be changed later. */
  | { readonly type: 'request'; readonly cursor: string | undefined; readonly whole: boolean }
  | { readonly type: 'welcomed'; readonly first: FirstFrame }
  /** The stream has shown how far it is. `told`: the topics it announced. */
  | { readonly type: 'marked'; readonly told: Session['told'] }
  | { readonly type: 'left' }
  /** The app has loaded its state anew. */
  | { readonly type: 'begin' }
  | { readonly type: 'replied'; readonly reply: ChangeReply }
  | { readonly type: 'finish'; readonly error: TidingsError };

export type Effect =
  | { readonly type: 'ask'; readonly change: Change }
  /** Nobody waits for the answer any more. */
  | { readonly type: 'cancel' }
  | { readonly type: 'resolve'; readonly order: Order; readonly cursor: string }
  | { readonly type: 'reject'; readonly order: Order; readonly error: TidingsError }
  /** The connection cannot be changed: another one is needed. */
  | { readonly type: 'replace' }
  /** The connection lacks topics, and the server refuses to add them. */
  | { readonly type: 'fail'; readonly failure: Failure }
  /** Events of these were promised, and are missing. */
  | { readonly type: 'lost'; readonly matchers: readonly Matcher[] };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

type Cell<P extends Phase, I extends Input['type']> = (
  state: Extract<State, { phase: P }>,
  input: Extract<Input, { type: I }>,
) => Step;

/**
 * After this many misses, a new connection asks for the topics instead: a balancer spreads the requests over several
 * servers, or something in between lets none through.
 */
export const MAX_MISSES = 2;

/** Starts with topics that haven't changed so far. */
export function begin({ matchers, settled, session }: KnownTopics): State {
  const since = session?.cursor;
  const topics = applyWish(NO_TOPICS, { add: matchers, drop: [] }, since);
  const memory: Memory = {
    topics: settled ? settleTopics(topics, matchers, since) : topics,
    orders: [],
    request: { matchers, asNew: !settled, cursor: undefined },
    absorbed: undefined,
    fixed: session !== undefined && matchers.length === 0,
    begun: settled,
    misses: 0,
  };
  if (session === undefined) return { phase: 'away', ...memory };
  const asked = settled ? undefined : { matchers, since: session.cursor };
  return {
    phase: 'idle',
    ...memory,
    session: { credentials: session.credentials, asked, missing: [], told: undefined },
  };
}

const stay = (state: State): Step => ({ state, effects: [] });

const remember = ({ topics, orders, request, absorbed, fixed, begun, misses }: Memory): Memory => ({
  topics,
  orders,
  request,
  absorbed,
  fixed,
  begun,
  misses,
});

const idle = (memory: Memory, session: Session): Idle => ({ phase: 'idle', ...remember(memory), session });

const withEffects = (effects: readonly Effect[], step: Step): Step => ({
  state: step.state,
  effects: [...effects, ...step.effects],
});

const enqueue = <S extends State>(state: S, { order }: { order: Order }): S => ({
  ...state,
  orders: [...state.orders, order],
});

const dequeue = <S extends Memory>(state: S): S => ({ ...state, orders: state.orders.slice(1) });

/** Asks for another connection. */
const replace = (memory: Memory, misses: number): Step => ({
  state: { phase: 'away', ...remember(memory), misses },
  effects: [{ type: 'replace' }],
});

const ask = (state: Idle, order: Order | undefined, wish: Partial<Wish>): Step => {
  const { credentials } = state.session;
  if (credentials === undefined) return replace(state, MAX_MISSES);
  return {
    state: { ...state, phase: 'asking', order },
    effects: [{ type: 'ask', change: { ...credentials, ...wish } }],
  };
};

/** Does what comes next, if there is anything. */
function proceed(state: Idle): Step {
  const { session, topics, orders } = state;
  if (session.missing.length > 0) return ask(state, undefined, { add: session.missing });
  const [order] = orders;
  if (order === undefined) return stay(state);
  if (topics.size > 0 && applyWish(topics, order, '').size === 0) {
    return withEffects([{ type: 'reject', order, error: nothingLeft() }], proceed(dequeue(state)));
  }
  return ask(state, order, { add: order.add, drop: order.drop });
}

const plan = (
  state: Away,
  { cursor, whole: needed }: { cursor: string | undefined; whole: boolean },
): Step => {
  const { topics, orders, fixed, begun } = state;
  const whole = needed || state.misses >= MAX_MISSES;
  const absorbed = whole || (topics.size === 0 && !fixed) ? orders[0] : undefined;
  const wanted = absorbed === undefined ? topics : applyWish(topics, absorbed, '');
  const { matchers, asNew } = planConnection(wanted, whole);
  const request: Request = {
    // A server that allows no changes has to be asked for everything at once.
    matchers: whole ? matchers : thoseThatFit(matchers),
    asNew: matchers.length === 0 ? !begun : asNew,
    cursor,
  };
  return stay({ ...state, request, absorbed });
};

const welcome = (state: Away, { first }: { first: FirstFrame }): Step => {
  const { credentials, cursor, announced } = first;
  const { request, absorbed, orders } = state;
  const carriedOut = absorbed !== undefined && orders[0] === absorbed;
  const wanted = carriedOut ? applyWish(state.topics, absorbed, cursor) : state.topics;
  const topics = placeTopics(
    unsettleOthers(wanted, request.matchers, request.cursor),
    request.matchers,
    cursor,
  );
  const keys = new Set(request.matchers.map(matcherKey));
  const missing = unsettled(topics).map(({ matcher }) => matcher);
  const session: Session = {
    credentials,
    asked: { matchers: request.matchers, since: cursor },
    missing: missing.filter((matcher) => !keys.has(matcherKey(matcher))),
    told: undefined,
  };
  const memory: Memory = {
    ...(carriedOut ? dequeue(state) : state),
    topics,
    absorbed: undefined,
    fixed: request.matchers.length === 0,
    misses: Math.min(state.misses, 1),
  };
  const welcomed = idle(memory, session);
  // A server that announces nothing has no state topics: everything comes after the cursor.
  const step = proceed(announced ? welcomed : settleAsked(welcomed));
  return carriedOut ? withEffects([{ type: 'resolve', order: absorbed, cursor }], step) : step;
};

function settleAsked<S extends Idle | Asking>(state: S): S {
  const { asked } = state.session;
  if (asked === undefined) return state;
  const topics = settleTopics(state.topics, asked.matchers, asked.since);
  return { ...state, topics, begun: true, session: { ...state.session, asked: undefined } };
}

const mark = <S extends Idle | Asking>(state: S, { told }: { told: Session['told'] }): Step => {
  if (told === undefined) return stay(settleAsked(state));
  const topics = settleTopics(state.topics, told.matchers, told.cursor);
  return stay(settleAsked({ ...state, topics, session: { ...state.session, told } }));
};

/** Topics that the stream announced before the answer came are settled with the answer. */
const settleTold = (topics: Topics, { told }: Session): Topics =>
  told === undefined ? topics : settleTopics(topics, told.matchers, told.cursor);

const hear: Cell<'asking', 'replied'> = (state, { reply }) => {
  if (reply.type === 'missed') return replace(state, state.misses + 1);
  return state.order === undefined ? restored(state, reply) : carriedOut(state, state.order, reply);
};

type Answer = Exclude<ChangeReply, { type: 'missed' }>;

function carriedOut(state: Asking, order: Order, reply: Answer): Step {
  const memory = dequeue(state);
  if (reply.type === 'refused') {
    return withEffects(
      [{ type: 'reject', order, error: reply.failure.error }],
      proceed(idle(memory, state.session)),
    );
  }
  const topics = settleTold(applyWish(state.topics, order, reply.cursor), state.session);
  return withEffects(
    [{ type: 'resolve', order, cursor: reply.cursor }],
    proceed(idle({ ...memory, topics, misses: 0 }, state.session)),
  );
}

/** The topics that the request had no room for have been added. */
function restored(state: Asking, reply: Answer): Step {
  if (reply.type === 'refused') {
    return {
      state: { phase: 'away', ...remember(state) },
      effects: [{ type: 'fail', failure: reply.failure }],
    };
  }
  const { missing } = state.session;
  const keys = new Set(missing.map(matcherKey));
  const late = unsettled(state.topics).filter(({ matcher }) => keys.has(matcherKey(matcher)));
  const lost = late.filter(({ since }) => since !== undefined && since !== reply.cursor);
  const topics = settleTold(placeTopics(state.topics, missing, reply.cursor), state.session);
  const next = proceed(idle({ ...state, topics }, { ...state.session, missing: [] }));
  if (lost.length === 0) return next;
  return withEffects([{ type: 'lost', matchers: lost.map(({ matcher }) => matcher) }], next);
}

const leave = (state: Memory): Step => ({
  state: { phase: 'away', ...remember(state) },
  effects: [{ type: 'cancel' }],
});

const forget = (state: Away): Step => stay({ ...state, topics: unsettleAll(state.topics), begun: false });

const finish = (state: Memory, { error }: { error: TidingsError }): Step => ({
  state: { phase: 'over', ...remember(state), orders: [], error },
  effects: [{ type: 'cancel' }, ...state.orders.map((order): Effect => ({ type: 'reject', order, error }))],
});

/** Every input in every phase: the type requires every cell. */
const table: { readonly [P in Phase]: { readonly [I in Input['type']]: Cell<P, I> } } = {
  away: {
    wish: (state, input) => stay(enqueue(state, input)),
    request: plan,
    welcomed: welcome,
    marked: stay,
    left: leave,
    begin: forget,
    replied: stay,
    finish,
  },
  idle: {
    wish: (state, input) => proceed(enqueue(state, input)),
    request: stay,
    welcomed: stay,
    marked: mark,
    left: leave,
    begin: stay,
    replied: stay,
    finish,
  },
  asking: {
    wish: (state, input) => stay(enqueue(state, input)),
    request: stay,
    welcomed: stay,
    marked: mark,
    left: leave,
    begin: stay,
    replied: hear,
    finish,
  },
  over: {
    wish: (state, { order }) => ({ state, effects: [{ type: 'reject', order, error: state.error }] }),
    request: stay,
    welcomed: stay,
    marked: stay,
    left: stay,
    begin: stay,
    replied: stay,
    finish: stay,
  },
};

/** @returns the first ones, as many as fit into a URL. */
function thoseThatFit(matchers: readonly Matcher[]): readonly Matcher[] {
  const tooMany = matchers.findIndex((_, i) => !fitsIntoUrl(matchers.slice(0, i + 1)));
  return tooMany < 0 ? matchers : matchers.slice(0, tooMany);
}

export function transition(state: State, input: Input): Step {
  // The compiler can't see that the cell was picked by this state and this input.
  return (table[state.phase][input.type] as (state: State, input: Input) => Step)(state, input);
}

function nothingLeft(): TidingsError {
  const message = 'A stream is for one topic at least; to have none, close the client.';
  return new TidingsError('topic/missing', message, { status: 400 });
}
