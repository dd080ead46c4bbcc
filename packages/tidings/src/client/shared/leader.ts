import { matcherKey, type Matcher } from '../../protocol/matcher.ts';
import { distance, reaches } from './cursor-order.ts';
import type { LeaderMessage, SharedEvent, TabMessage } from './messages.ts';

/**
 * The leading tab's work for all, as values: a state and an input give the next state and what is to be done.
 *
 *   idle ──join──► gathering ──a moment later──► opening ──opened──► open
 *
 * `down` leads back to `opening`, where the connection comes back by itself, and `failed` to `idle`. A gap begins a new
 * term: each tab then finds out for itself what it is missing.
 */
export interface LeaderState {
  readonly name: string;
  /** Of this leader, from one. */
  readonly terms: number;
  /** Of this term. */
  readonly messages: number;
  readonly phase: 'idle' | 'gathering' | 'opening' | 'open';
  readonly tabs: ReadonlyMap<string, LedTab>;
  /** The topics that the connection is for, by key. */
  readonly covered: ReadonlyMap<string, Matcher>;
  /** A change of it is under way, for a tab or to get rid of something. */
  readonly changing: { readonly tab: string | undefined; readonly topics: readonly Matcher[] } | undefined;
  /** A change was made, and holds once the stream is there. */
  readonly settling: { readonly topics: readonly Matcher[]; readonly since: string } | undefined;
  /** The tabs' last message leads up to here. Undefined: not known yet. */
  readonly at: string | undefined;
  readonly batch: readonly SharedEvent[];
  /** The server has refused everything at once: the tabs' topics are added one by one. */
  readonly careful: boolean;
  /** A look at what nobody wants any more is due. */
  readonly tidying: boolean;
}

export interface LedTab {
  readonly topics: readonly Matcher[];
  readonly request: number;
  /** It has everything up to here. */
  readonly at: string;
  /** It waits for the stream to bring its topics. */
  readonly waits: boolean;
}

export type LeaderInput =
  | { readonly type: 'elected' }
  | { readonly type: 'message'; readonly message: TabMessage }
  /** The tab is closed or has crashed. */
  | { readonly type: 'gone'; readonly tab: string }
  | { readonly type: 'gathered' }
  /** A stream is there, and brings everything after `at`; undefined if it may lack something. */
  | { readonly type: 'opened'; readonly at: string | undefined }
  | { readonly type: 'event'; readonly event: SharedEvent }
  /** Everything up to `at` has come; or the stream shows that it is alive. */
  | { readonly type: 'flush'; readonly at: string }
  /** Events are missing. */
  | { readonly type: 'gap' }
  | { readonly type: 'down'; readonly message: string | undefined }
  | { readonly type: 'failed'; readonly message: string | undefined }
  /** The connection was changed: what was added begins after `since`. */
  | { readonly type: 'changed'; readonly since: string }
  | { readonly type: 'refused' }
  | { readonly type: 'tidy' };

export type LeaderEffect =
  | { readonly type: 'post'; readonly message: LeaderMessage }
  | { readonly type: 'gather' }
  | { readonly type: 'open'; readonly topics: readonly Matcher[]; readonly at: string }
  | { readonly type: 'change'; readonly add: readonly Matcher[]; readonly drop: readonly Matcher[] }
  | { readonly type: 'close' }
  /** Tell when the tab is gone. */
  | { readonly type: 'watch'; readonly tab: string }
  | { readonly type: 'tidy-later' };

export interface LeaderStep {
  readonly state: LeaderState;
  readonly effects: readonly LeaderEffect[];
}

/** Characters that topics may take in a URL. Topics beyond that could be missed after a reconnect. */
const ROOM = 6_000;
/** The stream begins early enough for every tab that is no further behind than this; the others read for themselves. */
const NEAR = 1_000;

type Said = LeaderMessage extends infer M ? (M extends LeaderMessage ? Omit<M, 'term' | 'n'> : never) : never;

export function newLeader(name: string): LeaderState {
  return {
    name,
    terms: 1,
    messages: 0,
    phase: 'idle',
    tabs: new Map(),
    covered: new Map(),
    changing: undefined,
    settling: undefined,
    at: undefined,
    batch: [],
    careful: false,
    tidying: false,
  };
}

const stay = (state: LeaderState): LeaderStep => ({ state, effects: [] });

const then = (step: LeaderStep, next: (state: LeaderState) => LeaderStep): LeaderStep => {
  const { state, effects } = next(step.state);
  return { state, effects: [...step.effects, ...effects] };
};

function say(state: LeaderState, said: Said): LeaderStep {
  const n = state.messages + 1;
  const message = { term: `${state.name}.${state.terms}`, n, ...said } as LeaderMessage;
  return { state: { ...state, messages: n }, effects: [{ type: 'post', message }] };
}

/** All tabs ask anew. */
function beginTerm(state: LeaderState): LeaderStep {
  const next = { ...state, terms: state.terms + 1, messages: 0, batch: [], at: undefined };
  return say({ ...next, tabs: mapTabs(state, (tab) => ({ ...tab, waits: false })) }, { type: 'lead' });
}

function mapTabs({ tabs }: LeaderState, change: (tab: LedTab) => LedTab): ReadonlyMap<string, LedTab> {
  return new Map([...tabs].map(([id, tab]) => [id, change(tab)]));
}

function byKey(topics: readonly Matcher[]): Map<string, Matcher> {
  return new Map(topics.map((matcher) => [matcherKey(matcher), matcher]));
}

function wanted({ tabs }: LeaderState): Map<string, Matcher> {
  return byKey([...tabs.values()].flatMap(({ topics }) => topics));
}

function fits(topics: Iterable<Matcher>): boolean {
  let length = 0;
  for (const topic of topics) {
    const text = typeof topic === 'string' ? topic : topic.pattern;
    length += encodeURIComponent(text).length + '&pattern='.length;
  }
  return length <= ROOM;
}

const covers = ({ covered }: LeaderState, topics: readonly Matcher[]): boolean =>
  topics.every((matcher) => covered.has(matcherKey(matcher)));

function hear(state: LeaderState, message: TabMessage): LeaderStep {
  if (message.type === 'ping') return say(state, { type: 'pong' });
  if (message.type === 'leave') return forget(state, message.tab);
  const { tab, topics, request, at } = message;
  const isNew = !state.tabs.has(tab);
  const tabs = new Map(state.tabs).set(tab, { topics, request, at, waits: true });
  const watched: LeaderStep = {
    state: { ...state, tabs },
    effects: isNew ? [{ type: 'watch', tab }] : [],
  };
  const all = [...wanted(watched.state).values(), ...state.covered.values()];
  if (!fits(byKey(all).values())) return then(watched, (next) => refuse(next, tab));
  return then(watched, serve);
}

function forget(state: LeaderState, tab: string): LeaderStep {
  if (!state.tabs.has(tab)) return stay(state);
  const tabs = new Map(state.tabs);
  tabs.delete(tab);
  return tidyLater({ ...state, tabs });
}

/** A page that is only reloaded wants the same topics again in a moment. */
function tidyLater(state: LeaderState): LeaderStep {
  if (state.tidying) return stay(state);
  return { state: { ...state, tidying: true }, effects: [{ type: 'tidy-later' }] };
}

function refuse(state: LeaderState, tab: string): LeaderStep {
  const request = state.tabs.get(tab)?.request;
  const forgotten = forget(state, tab);
  if (request === undefined) return forgotten;
  return then(forgotten, (next) => say(next, { type: 'refused', tab, request }));
}

/** Does what can be done for the tabs that wait. */
function serve(state: LeaderState): LeaderStep {
  const waiting = [...state.tabs].filter(([, { waits }]) => waits);
  if (waiting.length === 0) return stay(state);
  if (state.phase === 'idle')
    return { state: { ...state, phase: 'gathering' }, effects: [{ type: 'gather' }] };
  if (state.phase !== 'open' || state.at === undefined) return stay(state);
  let step = stay(state);
  for (const [id, tab] of waiting)
    if (covers(state, tab.topics)) step = then(step, (now) => admit(now, id, tab));
  const [id, tab] = waiting.find(([, { topics }]) => !covers(state, topics)) ?? [];
  if (id === undefined || tab === undefined || state.changing !== undefined || state.settling !== undefined)
    return step;
  const add = tab.topics.filter((matcher) => !state.covered.has(matcherKey(matcher)));
  return {
    state: { ...step.state, changing: { tab: id, topics: add } },
    effects: [...step.effects, { type: 'change', add, drop: [] }],
  };
}

function admit(state: LeaderState, id: string, tab: LedTab): LeaderStep {
  const { at } = state;
  if (at === undefined) return stay(state);
  const tabs = new Map(state.tabs).set(id, { ...tab, waits: false });
  const admitted = say({ ...state, tabs }, { type: 'joined', tab: id, request: tab.request, at });
  const { covered } = state;
  return covered.size > wanted(admitted.state).size ? then(admitted, tidyLater) : admitted;
}

/** Opens the stream for those who have asked so far. */
function open(state: LeaderState): LeaderStep {
  if (state.phase !== 'gathering') return stay(state);
  const waiting = [...state.tabs.values()].filter(({ waits }) => waits);
  if (waiting.length === 0) return stay({ ...state, phase: 'idle' });
  const served = state.careful ? waiting.slice(0, 1) : waiting;
  const covered = byKey(served.flatMap(({ topics }) => topics));
  return {
    state: { ...state, phase: 'opening', covered, at: undefined, batch: [] },
    effects: [{ type: 'open', topics: [...covered.values()], at: startFor(served) }],
  };
}

/** The tabs that wait begin with the stream: later, they would have to read for themselves what it brings first. */
function opened(state: LeaderState, at: string | undefined): LeaderStep {
  const next: LeaderState = { ...state, careful: false };
  return state.phase === 'opening' ? serve({ ...next, phase: 'open', at }) : stay(next);
}

/** The earliest cursor that isn't far behind the latest. */
function startFor(tabs: readonly LedTab[]): string {
  const cursors = tabs.map(({ at }) => at);
  const latest = cursors.reduce((a, b) => (reaches(b, a) ? b : a));
  const near = cursors.filter((cursor) => distance(cursor, latest) <= NEAR);
  return near.reduce((a, b) => (reaches(b, a) ? a : b), latest);
}

function flush(state: LeaderState, at: string): LeaderStep {
  const { batch, settling, covered, phase } = state;
  const said = say({ ...state, at, batch: [] }, { type: 'events', events: batch, at });
  if (phase !== 'open') return said;
  // In another epoch, what was asked of the one before doesn't come any more.
  const isSettled =
    settling !== undefined && (reaches(at, settling.since) || distance(at, settling.since) === Infinity);
  if (!isSettled) return then(said, serve);
  const all = new Map([...covered, ...byKey(settling.topics)]);
  return then(said, (next) => serve({ ...next, covered: all, settling: undefined }));
}

function down(state: LeaderState, message: string | undefined, failed: boolean): LeaderStep {
  const next: LeaderState = {
    ...state,
    phase: failed ? 'idle' : 'opening',
    careful: state.careful || failed,
    batch: [],
    at: undefined,
    tabs: mapTabs(state, (tab) => ({ ...tab, waits: false })),
    ...(failed && { covered: new Map(), changing: undefined, settling: undefined }),
  };
  return then(say(next, { type: 'down', message, failed }), (after) =>
    failed ? { state: after, effects: [{ type: 'close' }] } : stay(after),
  );
}

function changed(state: LeaderState, since: string): LeaderStep {
  const { changing } = state;
  if (changing === undefined) return stay(state);
  const { topics, tab } = changing;
  const next = { ...state, changing: undefined };
  if (tab === undefined) return serve(next);
  if (state.at !== undefined && reaches(state.at, since))
    return serve({ ...next, covered: new Map([...state.covered, ...byKey(topics)]) });
  return stay({ ...next, settling: { topics, since } });
}

function refused(state: LeaderState): LeaderStep {
  const { changing } = state;
  if (changing === undefined) return stay(state);
  const next = { ...state, changing: undefined };
  const step = changing.tab === undefined ? stay(next) : refuse(next, changing.tab);
  return then(step, serve);
}

/** Drops what nobody wants. The last topics stay: a stream without any is none. */
function tidy(state: LeaderState): LeaderStep {
  const next = { ...state, tidying: false };
  const { phase, covered, changing, settling } = state;
  const all = wanted(state);
  const drop = [...covered].filter(([key]) => !all.has(key));
  if (all.size === 0 || drop.length === 0) return stay(next);
  if (phase !== 'open' || changing !== undefined || settling !== undefined) return tidyLater(next);
  const topics = drop.map(([, matcher]) => matcher);
  return {
    state: {
      ...next,
      covered: new Map([...covered].filter(([key]) => all.has(key))),
      changing: { tab: undefined, topics },
    },
    effects: [{ type: 'change', add: [], drop: topics }],
  };
}

export function nextLeader(state: LeaderState, input: LeaderInput): LeaderStep {
  switch (input.type) {
    case 'elected':
      return say(state, { type: 'lead' });
    case 'message':
      return hear(state, input.message);
    case 'gone':
      return forget(state, input.tab);
    case 'gathered':
      return open(state);
    case 'opened':
      return opened(state, input.at);
    case 'event':
      return stay({ ...state, batch: [...state.batch, input.event] });
    case 'flush':
      return state.phase === 'open' ? flush(state, input.at) : stay(state);
    case 'gap':
      return beginTerm(state);
    case 'down':
      return down(state, input.message, false);
    case 'failed':
      return down(state, input.message, true);
    case 'changed':
      return changed(state, input.since);
    case 'refused':
      return refused(state);
    case 'tidy':
      return tidy(state);
  }
}
