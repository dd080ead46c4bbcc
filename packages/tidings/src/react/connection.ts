import type { EventClient } from '../client/event-client.ts';
import { reportUncaught } from '../client/listeners.ts';
import type { Status } from '../client/machine.ts';
import { type Gap, WELCOME } from '../protocol/control.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { createHeldTopics, type Held, type Holder } from './held-topics.ts';
import { createEars, type Listen } from './ears.ts';
import type { Notifier, Source } from './notifier.ts';
import { createRecall, type Recall } from './recall.ts';

/** How to get a client, and whether it is ours to close. */
export interface Opener {
  readonly owned: boolean;
  open(topics: readonly Matcher[], cursor: string | undefined): EventClient;
  /** Opens a client whose stream ends once it has brought the values of these topics, if there is a way. */
  openOnce?(topics: readonly Matcher[]): EventClient;
  onError(error: TidingsError): void;
}

export interface ConnectionState {
  /** `idle`: no component wants anything. */
  readonly status: Status | 'idle';
  /**
   * Why there is no connection, or why the server refused topics; undefined once a connection is open with all that it was to
   * have.
   */
  readonly error: TidingsError | undefined;
}

/**
 * The one connection of many components: it is open while a topic is held, and follows what is held. Changes within one
 * job count as one, so components that go and come back at once, as React's strict mode has it, change nothing.
 */
export interface Connection {
  readonly state: Source<ConnectionState>;
  /** @returns stops it: everything is closed at the end of the job, unless it is started again. */
  start(): () => void;
  hold(topics: readonly Matcher[], holder: Holder): () => void;
  readonly listen: Listen;
  onGap(listener: (gaps: readonly Gap[]) => void): () => void;
  /** Nobody holds these topics any more, and their events stop; undefined is what the URL is for. */
  onDrop(listener: (topics: readonly (Matcher | undefined)[]) => void): () => void;
  readonly recall: Recall;
  /** Up to where events have come; undefined if that isn't known. */
  readonly cursor: string | undefined;
  /** Connects anew, also after the connection has failed for good. */
  reconnect(): void;
}

export const IDLE: ConnectionState = { status: 'idle', error: undefined };

export function createConnection(opener: Opener, notifier: Notifier): Connection {
  const held = createHeldTopics(dropped);
  const ears = createEars();
  const listeners = new Set<() => void>();
  const gapListeners = new Set<(gaps: readonly Gap[]) => void>();
  const dropListeners = new Set<(topics: readonly (Matcher | undefined)[]) => void>();
  let starts = 0;
  let scheduled = false;
  let state = IDLE;
  let client: EventClient | undefined;
  let isHub = false;
  /** Why the server refused the request that was to open the client. */
  let refusal: TidingsError | undefined;
  /** The topics that the client was opened with. */
  let begun: readonly Held[] = [];
  /** The URL alone is for nothing: the server wants topics. */
  let missing: TidingsError | undefined;
  /** Functions that remove the listeners on the client. */
  let ties: (() => void)[] = [];

  const recall = createRecall((topics) => (isHub ? opener.openOnce?.(topics) : undefined));

  function change(next: Partial<ConnectionState>): void {
    state = next === IDLE ? IDLE : { ...state, ...next };
    notifier.changed({ listeners });
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      follow();
    });
  }

  /** Makes the connection what it should be. */
  function follow(): void {
    if (starts === 0 || held.isEmpty) leave();
    else if (client === undefined) enter(undefined);
    else if (!isOver(client)) adjust(client);
    else if (opener.owned) reopen(client);
  }

  /** After it has failed: without a topic that was refused, and for topics that it wasn't asked for. */
  function reopen({ cursor }: EventClient): void {
    const cause = refusal;
    refusal = undefined;
    let reason: TidingsError | undefined;
    if (cause !== undefined) {
      const named = begun.filter(({ matcher }) => matcher !== undefined);
      const [only] = named;
      if (only === undefined) missing = isMissingTopic(cause) ? cause : undefined;
      else if (named.length === 1) held.refuse(only, (reason = report(cause)));
      // Topics that are asked for later don't go on where they were.
      if (only !== undefined) held.lose(true, true);
    }
    if (!held.hasNew) return;
    for (const untie of ties.splice(0)) untie();
    held.lose(cursor === undefined, true);
    enter(cursor, cause !== undefined, reason);
  }

  /**
   * @param singly opens it with one topic and then asks for the others, because one of them may be refused.
   * @param reason why a topic was refused before.
   */
  function enter(cursor: string | undefined, singly = false, reason?: TidingsError): void {
    const asked = held.forConnection();
    const first = asked.find(({ matcher }) => matcher !== undefined);
    if (opener.owned && missing !== undefined && first === undefined) {
      return change({ status: 'failed', error: missing });
    }
    let opened: EventClient;
    begun = asked.filter(
      (topic) => topic.matcher === undefined || (opener.owned && (!singly || topic === first)),
    );
    try {
      opened = opener.open(matchersOf(begun), cursor);
    } catch (error) {
      return change({ status: 'failed', error: report(error) });
    }
    client = opened;
    tie(opened, begun, reason);
    change({ status: opened.status, error: reason });
    if (!opener.owned && isConnected(opened)) held.grant(begun, opened.cursor ?? '');
    ask(
      opened,
      asked.filter((topic) => !begun.includes(topic)),
    );
  }

  /** @param granted what the first frame grants. */
  function tie(opened: EventClient, granted: readonly Held[], reason: TidingsError | undefined): void {
    let isFirst = true;
    ties = [
      opened.onStatus((status) => {
        if (client !== opened) return;
        change(status === 'open' || status === 'polling' ? { status, error: reason } : { status });
      }),
      opened.onError((error, { retryIn }) => {
        if (client !== opened) return;
        change({ error });
        if (!isFirst || retryIn !== undefined || ![400, 403].includes(error.status ?? 0)) return;
        refusal = error;
        schedule();
      }),
      opened.onOpen(({ connection }) => {
        isFirst = false;
        isHub = connection !== undefined;
        // A hub says next where the connection begins.
        if (!isHub) held.grant(granted, '');
      }),
      opened.on(WELCOME, ({ cursor }) => held.grant(granted, cursor)),
      opened.onGap((gaps) => {
        for (const listener of [...gapListeners]) listener(gaps);
      }),
      ears.attach(opened),
    ];
  }

  function adjust(current: EventClient): void {
    const { add, drop } = held.changes();
    ask(current, add);
    const gone = matchersOf(drop);
    if (gone.length > 0) {
      current.unsubscribe(...gone).catch((error: unknown) => {
        // A client that isn't ours keeps its last topic.
        if (codeOf(error) !== 'topic/missing') refused(current, error);
      });
    }
  }

  function ask(current: EventClient, topics: readonly Held[]): void {
    const matchers = matchersOf(topics);
    if (matchers.length === 0) return;
    current.subscribe(...matchers).then(
      (begins) => held.grant(topics, begins),
      (error: unknown) => {
        if (topics.length > 1) {
          // One that is refused is no reason to be without the others.
          for (const topic of topics) ask(current, [topic]);
          return;
        }
        const reason = refused(current, error);
        if (reason !== undefined) for (const topic of topics) held.refuse(topic, reason);
      },
    );
  }

  /** @returns undefined if the client is over, which it says by itself. */
  function refused(current: EventClient, error: unknown): TidingsError | undefined {
    if (client !== current || isOver(current)) return undefined;
    const reason = report(error);
    change({ error: reason });
    return reason;
  }

  function report(error: unknown): TidingsError {
    const known =
      error instanceof TidingsError
        ? error
        : new TidingsError('client/invalid-option', String(error), { cause: error });
    try {
      opener.onError(known);
    } catch (thrown) {
      reportUncaught(thrown);
    }
    return known;
  }

  function leave(): void {
    const left = client;
    client = undefined;
    isHub = false;
    refusal = undefined;
    for (const untie of ties.splice(0)) untie();
    const had = held.lose(true);
    if (left !== undefined) {
      if (opener.owned) left.close();
      else giveBack(left, matchersOf(had));
    }
    if (state !== IDLE) change(IDLE);
  }

  function dropped(topics: readonly Held[]): void {
    for (const listener of [...dropListeners]) listener(topics.map(({ matcher }) => matcher));
  }

  return {
    state: {
      get: () => state,
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    start() {
      starts += 1;
      schedule();
      return once(() => {
        starts -= 1;
        schedule();
      });
    },
    hold(topics, holder) {
      const release = held.hold(topics, holder, () => client?.cursor ?? '');
      schedule();
      return once(() => {
        release();
        schedule();
      });
    },
    listen: ears.listen,
    onGap(listener) {
      gapListeners.add(listener);
      return () => gapListeners.delete(listener);
    },
    onDrop(listener) {
      dropListeners.add(listener);
      return () => dropListeners.delete(listener);
    },
    recall,
    get cursor() {
      return client?.cursor;
    },
    reconnect() {
      if (client === undefined) return schedule();
      if (!isOver(client)) return client.reconnect();
      if (!opener.owned) return;
      const { cursor } = client;
      refusal = undefined;
      missing = undefined;
      for (const untie of ties.splice(0)) untie();
      held.lose(cursor === undefined);
      enter(cursor);
    },
  };
}

const isOver = ({ status }: EventClient): boolean => status === 'closed' || status === 'failed';
const isConnected = ({ status }: EventClient): boolean => status === 'open' || status === 'polling';

function giveBack(client: EventClient, topics: readonly Matcher[]): void {
  if (topics.length === 0 || isOver(client)) return;
  client.unsubscribe(...topics).catch(() => {
    // The client tells its maker what is wrong; the topics only cost a little more.
  });
}

function matchersOf(topics: readonly Held[]): readonly Matcher[] {
  return topics.flatMap(({ matcher }) => (matcher === undefined ? [] : [matcher]));
}

const isMissingTopic = ({ details }: TidingsError): boolean => details['code'] === 'topic/missing';

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

function once(task: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    task();
  };
}
