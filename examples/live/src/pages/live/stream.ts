import { connect } from 'tidings/client';
import type { EventClient, Gap, NextTry, Opening, ReceivedEvent, Status, TidingsError } from 'tidings/client';
import { ROUTES } from '../../shared/api.ts';
import type { Events } from '../../shared/api.ts';
import { createSignal } from '../lib/signal.ts';
import { uuid } from '../lib/uuid.ts';
import { watchAbsence } from './absence.ts';
import { INITIAL_STATE, wordsForGoodbye } from './status.ts';
import type { StreamState } from './status.ts';

/** Received events, for pages that show the stream itself. */
export interface Receipt {
  readonly type: string;
  readonly at: number;
  /** UTF-16 units of its data. */
  readonly size: number;
}

/** The one event stream of a page: it carries the page's topics, the user's own, and counts the page as viewed. */
export interface Stream {
  on<Type extends keyof Events>(type: Type, handle: (data: Events[Type]) => void): void;
  onReceipt(listener: (receipt: Receipt) => void): void;
  onState(listener: () => void): void;
  /** The server reported missing events. */
  onGap(listener: () => void): void;
  /** The server refused the stream, and the client doesn't try again by itself. */
  onRefused(listener: (status: number | undefined) => void): void;
  state(): StreamState;
  /** Opens it, or opens it anew with other topics from where it is. `cursor` is where it starts the first time. */
  open(topics: readonly string[], cursor?: string): void;
  /** Holds events back, in order, until the returned function is called: while a list is being fetched. */
  hold(): () => void;
  /** The page has caught up with a gap. */
  caughtUp(): void;
  /** Opens it anew, now. */
  retry(): void;
}

/** Somebody is looking at the page: it is worth asking more often than by default. */
const LONGEST_WAIT = 10_000;

/**
 * Over HTTP/1.1, browsers have six connections to a server for all of their tabs. Tabs that nobody has looked at for
 * this long give theirs back, and no longer count as viewed.
 */
const REST_AFTER = 30_000;

/** `fetch` that calls `heard` for all received bytes: heartbeats are not events, and the client doesn't report them. */
async function listen(url: string, init: RequestInit, heard: () => void): Promise<Response> {
  const response = await fetch(url, init);
  if (response.body === null) return response;
  const tap = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      heard();
      controller.enqueue(chunk);
    },
  });
  return new Response(response.body.pipeThrough(tap), response);
}

/** @param page the path under which the page is counted */
export function createStream(page: string): Stream {
  const url = new URL(ROUTES.events, location.href);
  url.searchParams.set('page', page);
  url.searchParams.set('view', uuid());

  const handlers = new Map<string, (data: unknown) => void>();
  const receipts = createSignal<[Receipt]>();
  const changes = createSignal<[]>();
  const gaps = createSignal<[]>();
  const refusals = createSignal<[number | undefined]>();

  let client: EventClient | undefined;
  let topics: readonly string[] = [];
  let start: string | undefined;
  let openings = 0;
  let holds = 0;
  let held: ReceivedEvent[] = [];
  let state: StreamState = { ...INITIAL_STATE, offline: !navigator.onLine };

  function change(next: Partial<StreamState>): void {
    state = { ...state, ...next };
    changes.tell();
  }

  /** Draws nothing: the indicator looks once a second. */
  function heard(): void {
    state = { ...state, heardAt: Date.now() };
  }

  function hand(event: ReceivedEvent): void {
    handlers.get(event.type)?.(event.json());
  }

  function receive(event: ReceivedEvent): void {
    const at = Date.now();
    state = { ...state, events: state.events + 1, lastEventAt: at };
    receipts.tell({ type: event.type, at, size: event.data.length });
    if (holds > 0) held.push(event);
    else hand(event);
  }

  function release(): void {
    holds -= 1;
    if (holds > 0) return;
    const events = held;
    held = [];
    for (const event of events) hand(event);
  }

  function opened({ connection, heartbeat }: Opening): void {
    openings += 1;
    change({ phase: 'open', connection, heartbeat, retryAt: undefined, reconnects: openings - 1 });
  }

  function missed(found: readonly Gap[]): void {
    change({ gap: { at: Date.now(), reasons: [...new Set(found.map((gap) => gap.reason))] } });
    gaps.tell();
  }

  function failed(error: TidingsError, { retryIn }: NextTry): void {
    const problem = error.message;
    if (retryIn !== undefined) return change({ phase: 'waiting', problem, retryAt: Date.now() + retryIn });
    change({ phase: 'refused', problem });
    refusals.tell(error.status);
  }

  /** Except after a failure, only this event says why the stream ends and when it comes back. */
  function farewell(event: ReceivedEvent): void {
    const { reason, retry } = event.json<{ reason: string; retry: number }>();
    change({ problem: wordsForGoodbye(reason), retryAt: Date.now() + retry });
  }

  function changed(status: Status): void {
    if (status === 'waiting') change({ phase: 'waiting' });
    if (status === 'connecting') change({ phase: 'waiting', retryAt: undefined });
    if (status === 'closed') change({ phase: 'ended' });
  }

  function close(): void {
    start = client?.cursor ?? start;
    const closing = client;
    client = undefined;
    closing?.close();
  }

  function run(): void {
    close();
    if (absence.lasts()) return change({ phase: 'resting', retryAt: undefined });
    change({ phase: 'connecting', retryAt: undefined });
    const fresh = connect(url, {
      topics,
      fetch: (address, init: RequestInit) => listen(address, init, heard),
      retry: { max: LONGEST_WAIT },
      ...(start === undefined ? {} : { cursor: start }),
    });
    client = fresh;
    for (const type of handlers.keys()) fresh.on(type, receive);
    fresh.on('tidings:goodbye', farewell);
    fresh.onOpen(opened);
    fresh.onGap(missed);
    fresh.onError(failed);
    // A client's last event says that it was closed; the page knows that if it closed the client itself.
    fresh.onStatus((status) => {
      if (client === fresh) changed(status);
    });
  }

  /** It resumes from its cursor when the page is shown again. A stream that is over for good stays closed. */
  function rest(): void {
    if (client === undefined || state.phase === 'ended' || state.phase === 'refused') return;
    close();
    change({ phase: 'resting', retryAt: undefined });
  }

  function wake(): void {
    if (state.phase === 'resting') run();
  }

  const absence = watchAbsence(document, REST_AFTER, { begins: rest, ends: wake });

  // A page kept for the back button is not being read, and its stream would keep it from being kept.
  addEventListener('pagehide', close);
  addEventListener('pageshow', (event) => {
    if (event.persisted) run();
  });
  for (const type of ['online', 'offline']) {
    addEventListener(type, () => change({ offline: type === 'offline' }));
  }

  return {
    on: (type, handle) => void handlers.set(type, handle as (data: unknown) => void),
    onReceipt: receipts.add,
    onState: changes.add,
    onGap: gaps.add,
    onRefused: refusals.add,
    state: () => ({ ...state, cursor: client?.cursor ?? start }),
    open(nextTopics, cursor) {
      topics = nextTopics;
      start ??= cursor;
      run();
    },
    hold() {
      holds += 1;
      return release;
    },
    caughtUp: () => change({ caughtUpAt: Date.now() }),
    retry: run,
  };
}
