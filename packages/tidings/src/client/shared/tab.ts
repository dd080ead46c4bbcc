import { matcherKey, type Matcher } from '../../protocol/matcher.ts';
import { orderOf, reaches } from './cursor-order.ts';
import type { LeaderMessage, SharedEvent, TabMessage } from './messages.ts';

/**
 * One tab's part in the shared stream, as values: a state and an input give the next state and what is to be done.
 *
 * The tab has everything of its topics up to `at`. It may take from the stream only what comes after that, and only
 * once the stream's position is not beyond it: what lies between is read from the server.
 *
 *   open ──► join ──joined──► read until it reaches the position ──► live
 *
 * A new leader, a message that was missed or a queue that is full leads back to `join`, without the client noticing.
 */
export interface TabState {
  readonly tab: string;
  /** There is a group to join. */
  readonly grouped: boolean;
  /** The client has a stream, or waits for one. */
  readonly open: boolean;
  readonly topics: readonly Matcher[];
  /** Everything up to here went to the client; undefined before the first answer of the server. */
  readonly at: string | undefined;
  /** Counts what was asked of the leader. */
  readonly request: number;
  /** The stream that the tab takes part in: of which leader, the last message, and the position `at` of that. */
  readonly source: { readonly term: string; readonly n: number; readonly at: string } | undefined;
  /** The server is being asked for what lies between. */
  readonly reading: boolean;
  /** Reads in a row that brought the tab no nearer to the stream's position. */
  readonly attempts: number;
  /** The stream's messages while they can't be handed on. */
  readonly held: readonly Held[];
  readonly heldSize: number;
  /** The client doesn't keep up, and gets what it is missing later, from the server. */
  readonly full: boolean;
  readonly change: TabChange | undefined;
  /** A change that waits until the tab takes part in the stream. */
  readonly wish: Wish | undefined;
}

interface Wish {
  readonly add: readonly Matcher[];
  readonly drop: readonly Matcher[];
}

interface Held {
  readonly events: readonly SharedEvent[];
  readonly at: string;
}

/** Topics that are being added. Once the leader has answered, the stream is held at the point where they begin. */
export interface TabChange {
  readonly topics: readonly Matcher[];
  readonly gained: readonly Matcher[];
  readonly answer: 'joined' | 'refused' | undefined;
}

export type TabInput =
  /** The client asks for a stream. `at`: from there; undefined: as somebody new, by a read. */
  | { readonly type: 'open'; readonly topics: readonly Matcher[]; readonly at: string | undefined }
  | { readonly type: 'close' }
  /** There is a group, which knows the tab by this name. */
  | { readonly type: 'grouped'; readonly tab: string }
  | { readonly type: 'ungrouped' }
  | { readonly type: 'message'; readonly message: LeaderMessage }
  /** A read has brought everything up to `at`. */
  | { readonly type: 'read'; readonly at: string }
  /** The client's queue has grown too long, and is empty again. */
  | { readonly type: 'full' }
  | { readonly type: 'drained' }
  | { readonly type: 'change'; readonly add: readonly Matcher[]; readonly drop: readonly Matcher[] }
  /** Topics that are added: the values of states, as frames. */
  | { readonly type: 'gained'; readonly frames: string }
  /** The server refuses them. */
  | { readonly type: 'denied' }
  /** Their requests can't be answered. */
  | { readonly type: 'lost' };

export type TabEffect =
  | { readonly type: 'post'; readonly message: TabMessage }
  /** Ask the server for what comes after `after`; undefined: as the client asked. */
  | { readonly type: 'read'; readonly after: string | undefined; readonly topics: readonly Matcher[] }
  /** The client's stream goes on from where it was, and nothing has to be read. */
  | { readonly type: 'ready'; readonly at: string }
  | { readonly type: 'events'; readonly events: readonly SharedEvent[] }
  /** The position has moved, or at least the stream is alive. */
  | { readonly type: 'position'; readonly at: string }
  | { readonly type: 'frames'; readonly frames: string }
  /** Ask the server for the values of topics that are added, as they were at `at`. */
  | { readonly type: 'read-gained'; readonly topics: readonly Matcher[]; readonly at: string }
  | { readonly type: 'changed'; readonly topics: readonly Matcher[]; readonly at: string }
  /** The change got lost; the client will connect anew. */
  | { readonly type: 'change-lost' }
  /** The client's stream ends. `message`: as a failure; `reread`: ask the server before the leader. */
  | { readonly type: 'cut'; readonly message: string | undefined; readonly reread: boolean }
  /** From now on the client has a stream of its own. */
  | { readonly type: 'own' };

export interface TabStep {
  readonly state: TabState;
  readonly effects: readonly TabEffect[];
}

/** Characters of events that wait while the server is asked. */
const MAX_HELD = 4_000_000;
/** Reads in a row that bring the tab no nearer to the stream, after which it begins anew. */
const MAX_ATTEMPTS = 6;

export function newTab(): TabState {
  return {
    tab: '',
    grouped: false,
    open: false,
    topics: [],
    at: undefined,
    request: 0,
    source: undefined,
    reading: false,
    attempts: 0,
    held: [],
    heldSize: 0,
    full: false,
    change: undefined,
    wish: undefined,
  };
}

const stay = (state: TabState): TabStep => ({ state, effects: [] });

const withEffects = (effects: readonly TabEffect[], step: TabStep): TabStep => ({
  state: step.state,
  effects: [...effects, ...step.effects],
});

/** Asks the leader, whoever that is. Nothing is taken from the stream until it has answered. */
function join(state: TabState, topics: readonly Matcher[] = state.topics): TabStep {
  const { tab, at, grouped } = state;
  const request = state.request + 1;
  const next: TabState = { ...state, request, source: undefined, held: [], heldSize: 0 };
  if (!grouped || at === undefined) return stay(next);
  return { state: next, effects: [{ type: 'post', message: { type: 'join', tab, request, topics, at } }] };
}

/** Goes on without the change, which the client then asks of another connection. */
function loseChange(state: TabState): TabStep {
  if (state.change === undefined && state.wish === undefined) return stay(state);
  return { state: { ...state, change: undefined, wish: undefined }, effects: [{ type: 'change-lost' }] };
}

function rejoin(state: TabState): TabStep {
  const lost = loseChange(state);
  return withEffects(lost.effects, join(lost.state));
}

function cut(state: TabState, message: string | undefined, reread: boolean): TabStep {
  const lost = loseChange(state);
  return {
    state: { ...lost.state, open: false, reading: false, source: undefined, held: [], heldSize: 0 },
    effects: [...lost.effects, { type: 'cut', message, reread }],
  };
}

/** Does what can be done now. `fresh`: the client waits for its stream. */
function proceed(state: TabState): TabStep {
  const { source, at, reading, full, open } = state;
  if (!open || full || reading || source === undefined || at === undefined) return stay(state);
  if (state.attempts >= MAX_ATTEMPTS) return cut(state, 'The tab found no place in the shared stream.', true);
  if (!reaches(at, source.at)) {
    return {
      state: { ...state, reading: true, attempts: state.attempts + 1 },
      effects: [{ type: 'read', after: at, topics: state.topics }],
    };
  }
  const step = withEffects([{ type: 'ready', at }], takeHeld({ ...state, attempts: 0, wish: undefined }));
  const { wish } = state;
  return wish === undefined ? step : withEffects(step.effects, change(step.state, wish));
}

function takeHeld(state: TabState): TabStep {
  let step = stay({ ...state, held: [], heldSize: 0 });
  for (const held of state.held) step = withEffects(step.effects, take(step.state, held));
  return step;
}

/** Hands on what is new to the tab. */
function take(state: TabState, { events, at: position }: Held): TabStep {
  const { source, at } = state;
  if (source === undefined || at === undefined) return stay(state);
  // Where the tab is ahead of the stream, it knows the beginning already.
  const isAhead = at !== source.at;
  if (isAhead && orderOf(position, at) === 'unknown') return rejoin(state);
  const keys = new Set(state.topics.map(matcherKey));
  const isNew = ({ id }: SharedEvent): boolean => !isAhead || id === '' || orderOf(id, at) === 'after';
  const mine = events.filter((event) => isFor(event, keys) && isNew(event));
  const next = isAhead && orderOf(position, at) === 'before' ? at : position;
  return {
    state: { ...state, at: next, source: { ...source, at: position } },
    effects: [
      ...(mine.length === 0 ? [] : [{ type: 'events', events: mine } as const]),
      ...(mine.at(-1)?.id === next ? [] : [{ type: 'position', at: next } as const]),
    ],
  };
}

/** A connection without topics has those of its URL: everything is for everybody. */
function isFor({ topics }: SharedEvent, keys: ReadonlySet<string>): boolean {
  return topics === undefined || keys.size === 0 || topics.some((key) => keys.has(key));
}

function receive(state: TabState, message: LeaderMessage): TabStep {
  const { term, n } = message;
  if (message.type === 'lead') return state.source?.term === term ? stay(state) : rejoin(state);
  if (message.type === 'joined' || message.type === 'refused') {
    if (message.tab === state.tab && message.request === state.request) return answered(state, message);
  }
  const { source } = state;
  if (source === undefined || source.term !== term) {
    // A request that waits for an answer gets none from a stream that is down.
    const waits = state.open && source === undefined && !state.reading && !state.full;
    if (message.type === 'down' && waits) return cut(state, message.message, message.failed);
    return stay(state);
  }
  if (n !== source.n + 1) return rejoin(state);
  const next: TabState = { ...state, source: { ...source, n } };
  if (message.type === 'down') return cut(next, message.message, message.failed);
  if (message.type !== 'events') return stay(next);
  const { events, at } = message;
  if (!isWaiting(next)) return take(next, { events, at });
  const heldSize = next.heldSize + events.reduce((sum, { data }) => sum + data.length, 100);
  if (heldSize > MAX_HELD) return rejoin(next);
  return stay({ ...next, held: [...next.held, { events, at }], heldSize });
}

const isWaiting = ({ reading, full, change, open }: TabState): boolean =>
  reading || full || !open || change?.answer !== undefined;

type Answer = Extract<LeaderMessage, { type: 'joined' | 'refused' }>;

function answered(state: TabState, message: Answer): TabStep {
  const { term, n } = message;
  const { change: going, source } = state;
  if (going !== undefined) {
    // Without its place in the stream it could not say where the new topics begin.
    if (source?.term !== term || n !== source.n + 1) return rejoin(state);
    return askForGained(takeHeld({ ...state, source: { ...source, n } }), { ...going, answer: message.type });
  }
  if (message.type === 'refused') return { state: { ...state, open: false }, effects: [{ type: 'own' }] };
  // It has stayed in the stream while it dropped topics.
  if (source !== undefined && source.term === term)
    return n === source.n + 1 ? stay({ ...state, source: { ...source, n } }) : rejoin(state);
  return state.open ? proceed({ ...state, source: { term, n, at: message.at } }) : stay(state);
}

function askForGained({ state, effects }: TabStep, going: TabChange): TabStep {
  const { source, at } = state;
  // Taking what was held has led out of the stream.
  if (source === undefined || at === undefined) return { state, effects };
  return {
    state: { ...state, change: going },
    effects: [...effects, { type: 'read-gained', topics: going.gained, at }],
  };
}

function change(state: TabState, wish: Wish): TabStep {
  const { add, drop } = wish;
  const { source, at, open, reading, full } = state;
  if (!open || state.change !== undefined) return { state, effects: [{ type: 'change-lost' }] };
  if (reading || full || source === undefined || at === undefined) return stay({ ...state, wish });
  const before = new Map(state.topics.map((matcher) => [matcherKey(matcher), matcher]));
  const after = new Map(before);
  for (const matcher of drop) after.delete(matcherKey(matcher));
  for (const matcher of add) after.set(matcherKey(matcher), matcher);
  const topics = [...after.values()];
  const gained = topics.filter((matcher) => !before.has(matcherKey(matcher)));
  const request = state.request + 1;
  const message: TabMessage = { type: 'join', tab: state.tab, request, topics, at };
  if (gained.length > 0) {
    const next: TabChange = { topics, gained, answer: undefined };
    return { state: { ...state, request, change: next }, effects: [{ type: 'post', message }] };
  }
  return {
    state: { ...state, request, topics },
    effects: [
      { type: 'post', message },
      { type: 'changed', topics, at },
    ],
  };
}

/** The client's stream goes on with the new topics. */
function gain(state: TabState, frames: string): TabStep {
  const { change: going, at, tab } = state;
  if (going?.answer === undefined || at === undefined) return stay(state);
  if (going.answer === 'refused') {
    // The server takes them, but not together with everybody else's.
    return {
      state: { ...state, open: false, change: undefined, source: undefined, held: [], heldSize: 0 },
      effects: [{ type: 'change-lost' }, { type: 'post', message: { type: 'leave', tab } }, { type: 'own' }],
    };
  }
  const { topics } = going;
  return withEffects(
    [
      { type: 'frames', frames },
      { type: 'changed', topics, at },
    ],
    takeHeld({ ...state, topics, change: undefined }),
  );
}

/** Everything stays as it was before the change. */
function deny(state: TabState): TabStep {
  const { tab, at, topics } = state;
  if (state.change === undefined || at === undefined) return stay(state);
  const request = state.request + 1;
  return withEffects(
    [{ type: 'post', message: { type: 'join', tab, request, topics, at } }],
    takeHeld({ ...state, request, change: undefined }),
  );
}

function open(state: TabState, topics: readonly Matcher[], at: string | undefined): TabStep {
  const next: TabState = { ...close(state).state, open: true, topics, at, attempts: 0 };
  if (at !== undefined && state.grouped) return join(next);
  return {
    state: { ...next, reading: true },
    effects: [{ type: 'read', after: undefined, topics }],
  };
}

function close(state: TabState): TabStep {
  return stay({
    ...state,
    // An answer to what was asked before comes too late.
    request: state.request + 1,
    open: false,
    reading: false,
    source: undefined,
    held: [],
    heldSize: 0,
    full: false,
    change: undefined,
    wish: undefined,
  });
}

export function nextTab(state: TabState, input: TabInput): TabStep {
  switch (input.type) {
    case 'open':
      return open(state, input.topics, input.at);
    case 'close':
      return close(state);
    case 'grouped': {
      const next: TabState = { ...state, grouped: true, tab: input.tab };
      return state.open && !state.reading && !state.full ? join(next) : stay(next);
    }
    case 'ungrouped':
      return stay({ ...state, grouped: false, source: undefined });
    case 'message':
      return receive(state, input.message);
    case 'read': {
      if (!state.open) return stay(state);
      // A tab that is megabytes behind needs many.
      const isNearer = state.at !== undefined && orderOf(input.at, state.at) === 'after';
      const attempts = isNearer ? 0 : state.attempts;
      const next: TabState = { ...state, at: input.at, attempts, reading: false };
      return next.source === undefined ? join(next) : proceed(next);
    }
    case 'full': {
      if (!state.open) return stay(state);
      const lost = loseChange(state);
      return withEffects(
        lost.effects,
        stay({ ...lost.state, full: true, source: undefined, held: [], heldSize: 0 }),
      );
    }
    case 'drained':
      return state.full ? join({ ...state, full: false }) : stay(state);
    case 'change':
      return change(state, input);
    case 'gained':
      return gain(state, input.frames);
    case 'denied':
      return deny(state);
    case 'lost':
      return state.change === undefined ? stay(state) : rejoin(state);
  }
}
