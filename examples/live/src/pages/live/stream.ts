import { connect } from 'tidings/client';
import type { EventClient, Gap, NextTry, Opening, ReceivedEvent, Status, TidingsError } from 'tidings/client';
import { ROUTES, VISIT_HEADERS, countingTopics, trimPath } from '../../shared/api.ts';
import type { Events } from '../../shared/api.ts';
import { ApiError } from '../lib/http.ts';
import { createSignal } from '../lib/signal.ts';
import { uuid } from '../lib/uuid.ts';
import { watchAbsence } from './absence.ts';
import { INITIAL_STATE, wordsForGoodbye } from './status.ts';
import type { StreamState } from './status.ts';

/** A received event, for pages that show the stream itself. */
export interface Receipt {
  readonly type: string;
  readonly at: number;
  readonly data: string;
}

export interface StreamPlan {
  readonly topics: readonly string[];
  /**
   * Fetches the data that the page shows in addition to its events, and resolves to their cursor. Called at the start and
   * after a gap; events wait until it is done.
   */
  readonly load?: (() => Promise<string>) | undefined;
}

/** The event stream of a page: it carries the page's topics, the user's own, and counts the page as viewed. */
export interface Stream {
  on<Type extends keyof Events>(type: Type, handle: (data: Events[Type]) => void): void;
  onReceipt(listener: (receipt: Receipt) => void): void;
  onState(listener: () => void): void;
  /** The server refused the stream, or what has to be loaded with it, because of who is asking. */
  onRefused(listener: () => void): void;
  state(): StreamState;
  /** Opens it, or opens it anew: for another user, or with other topics. */
  open(plan: StreamPlan): void;
  /** Opens it anew, now. */
  retry(): void;
  /** Asks for the snapshots that greet it again: those of a node that is gone are of no use. */
  renew(): void;
}

/** Somebody is looking at the page: it is worth asking more often than by default. */
const LONGEST_WAIT = 10_000;

/** Tabs that nobody has looked at for this long no longer count as viewed. */
const ABSENT_AFTER = 30_000;

/**
 * Tabs share one stream where the browser has Web Locks: on HTTPS and localhost. Elsewhere each has one of its own, and
 * over HTTP/1.1 a browser opens six connections for all of them: a tab that nobody looks at gives its own back.
 */
const SHARES = 'locks' in navigator;

/** @param path the page's, under which it is counted */
export function createStream(path: string): Stream {
  const page = trimPath(path);
  const visit = { [VISIT_HEADERS.page]: page, [VISIT_HEADERS.view]: uuid() };
  const handlers = new Map<string, (data: unknown) => void>();
  const receipts = createSignal<[Receipt]>();
  const changes = createSignal<[]>();
  const refusals = createSignal<[]>();

  let client: EventClient | undefined;
  let plan: StreamPlan = { topics: [] };
  let openings = 0;
  let state: StreamState = { ...INITIAL_STATE, offline: !navigator.onLine };

  function change(next: Partial<StreamState>): void {
    state = { ...state, ...next };
    changes.tell();
  }

  function receive(event: ReceivedEvent): void {
    const at = Date.now();
    state = { ...state, events: state.events + 1, lastEventAt: at };
    receipts.tell({ type: event.type, at, data: event.data });
    handlers.get(event.type)?.(event.json());
  }

  function opened({ connection, heartbeat }: Opening): void {
    openings += 1;
    change({ phase: 'open', connection, heartbeat, retryAt: undefined, reconnects: openings - 1 });
  }

  function missed(found: readonly Gap[]): void {
    const at = Date.now();
    const reasons = [...new Set(found.map((gap) => gap.reason))];
    // A page that loads nothing has caught up with the snapshot that greets it.
    change({ gap: { at, reasons }, ...(plan.load === undefined ? { caughtUpAt: at } : {}) });
  }

  function failed(error: TidingsError, { retryIn }: NextTry): void {
    const { cause } = error;
    const status = cause instanceof ApiError ? cause.status : error.status;
    const problem = cause instanceof ApiError ? cause.message : error.message;
    if (retryIn === undefined) change({ phase: 'refused', problem });
    else change({ phase: 'waiting', problem, retryAt: Date.now() + retryIn });
    if (status === 401 || status === 403) refusals.tell();
  }

  /** Except after a failure, only this event says why the stream ends and when it comes back. */
  function farewell(event: ReceivedEvent): void {
    const { reason, retry } = event.json<{ reason: string; retry: number }>();
    change({ problem: wordsForGoodbye(reason), retryAt: Date.now() + retry });
  }

  function changed(status: Status): void {
    if (status === 'waiting') change({ phase: 'waiting' });
    if (status === 'connecting') {
      change({ phase: state.phase === 'resting' ? 'connecting' : 'waiting', retryAt: undefined });
    }
    if (status === 'paused') change({ phase: 'resting', retryAt: undefined });
    if (status === 'closed') change({ phase: 'ended' });
  }

  function run(): void {
    // A client's last event says that it was closed; the page knows that if it closed the client itself.
    const closing = client;
    client = undefined;
    closing?.close();
    change({ phase: 'connecting', retryAt: undefined });
    const { topics, load } = plan;
    const fresh = connect(ROUTES.events, {
      topics: absence.lasts() ? topics : [...topics, ...countingTopics(page)],
      // A function: fixed headers that differ would keep tabs from sharing.
      headers: () => visit,
      shared: true,
      retry: { max: LONGEST_WAIT },
      ...(load === undefined ? {} : { load: ({ gaps }) => catchUp(load, gaps) }),
    });
    client = fresh;
    for (const type of handlers.keys()) fresh.on(type, receive);
    fresh.on('tidings:goodbye', farewell);
    fresh.onOpen(opened);
    fresh.onGap(missed);
    fresh.onError(failed);
    fresh.onStatus((status) => {
      if (client === fresh) changed(status);
    });
    if (absence.lasts() && !SHARES) fresh.pause();
  }

  async function catchUp(load: () => Promise<string>, gaps: readonly Gap[]): Promise<string> {
    const cursor = await load();
    if (gaps.length > 0) change({ caughtUpAt: Date.now() });
    return cursor;
  }

  function leave(): void {
    if (!SHARES) return client?.pause();
    return ignoreFailure(client?.unsubscribe(...countingTopics(page)));
  }

  function comeBack(): void {
    if (!SHARES) return client?.resume();
    return ignoreFailure(client?.subscribe(...countingTopics(page)));
  }

  const absence = watchAbsence(document, ABSENT_AFTER, { begins: leave, ends: comeBack });

  for (const type of ['online', 'offline']) {
    addEventListener(type, () => change({ offline: type === 'offline' }));
  }

  return {
    on: (type, handle) => void handlers.set(type, handle as (data: unknown) => void),
    onReceipt: receipts.add,
    onState: changes.add,
    onRefused: refusals.add,
    state: () => ({ ...state, cursor: client?.cursor, heardAt: client?.heardAt }),
    open(next) {
      plan = next;
      run();
    },
    retry() {
      if (state.phase === 'refused' || state.phase === 'ended') run();
      else client?.reconnect();
    },
    renew: run,
  };
}

/** Only the count of viewers is at stake, and the stream has listeners for what is wrong with it. */
function ignoreFailure(change: Promise<unknown> | undefined): void {
  change?.catch(() => undefined);
}
