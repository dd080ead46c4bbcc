import type { EventClient, Gap, Matcher, Opening, ReceivedEvent, Status } from '../../src/client/index.ts';
import { TidingsError } from '../../src/client/index.ts';
import type { Opener } from '../../src/react/connection.ts';

interface LogEvent {
  readonly seq: number;
  readonly topic: string;
  readonly type: string;
  readonly data: unknown;
}

/** A hub and its clients without a network: nothing arrives before the test lets it, one thing at a time. */
export interface FakeHub {
  readonly log: readonly LogEvent[];
  /** Clients that were opened for the hooks and not closed. */
  readonly open: ReadonlySet<FakeClient>;
  /** Of all clients so far. */
  readonly opened: number;
  readonly opener: Opener;
  readonly errors: readonly TidingsError[];
  cursor(): string;
  publish(topic: string, type: string, data: unknown): void;
  /** Sends an event to each connection alone: it has no id of its own. */
  send(type: string, data: unknown): void;
  /** Refuses a topic from now on. */
  forbid(topic: string): void;
  /** Refuses requests without topics from now on. */
  requireTopics(): void;
  /** @returns whether anything was left to do. */
  step(pick: (choices: number) => number): boolean;
}

export interface FakeClient extends EventClient {
  readonly topics: ReadonlySet<string>;
  readonly listenerCount: number;
  /** The connection breaks; the client comes back, with a gap for all of its topics if retention was faster. */
  drop(gap: boolean): void;
  /** The server refuses the client for good. */
  fail(): void;
}

export function createFakeHub(stateTopics: ReadonlySet<string> = new Set()): FakeHub {
  const log: LogEvent[] = [];
  const open = new Set<FakeClient>();
  const steppers = new Set<() => (() => void)[]>();
  const sends = new Set<(type: string, data: unknown) => void>();
  const forbidden = new Set<string>();
  const errors: TidingsError[] = [];
  let opened = 0;
  let requiresTopics = false;

  const head = (): number => log.length;
  const cursor = (seq = head()): string => `fake.${seq}`;

  /** The newest event of each type, which is the key, up to a seq. */
  function snapshot(topic: string, upTo: number): LogEvent[] {
    if (!stateTopics.has(topic)) return [];
    const newest = new Map<string, LogEvent>();
    for (const event of log) if (event.topic === topic && event.seq <= upTo) newest.set(event.type, event);
    return [...newest.values()];
  }

  function createClient(first: readonly Matcher[], start: string | undefined, answer: boolean): FakeClient {
    const topics = new Map<string, number>();
    const listeners = new Map<string, Set<(event: ReceivedEvent) => void>>();
    const channels = {
      opened: new Set<(opening: Opening) => void>(),
      gaps: new Set<(gaps: readonly Gap[]) => void>(),
      errors: new Set<(error: TidingsError, next: object) => void>(),
      statuses: new Set<(status: Status) => void>(),
    };
    let status: Status = 'connecting';
    let position: number | undefined = start === undefined ? undefined : Number(start.split('.')[1]);
    /** Snapshots, frames and answers on their way. */
    const changes: (() => void)[] = [];
    const frames: (() => void)[] = [];
    /** Where the client says it is: that moves once a snapshot is complete. */
    let kept = start;
    let gapOnReturn = false;
    /** The client has had its snapshot, or is to have it. */
    let isNew = true;
    const asked = new Set(first.map(String));

    const add =
      <L>(set: Set<L>) =>
      (listener: L): (() => void) => {
        set.add(listener);
        return () => set.delete(listener);
      };
    const setStatus = (next: Status): void => {
      status = next;
      for (const listener of [...channels.statuses]) listener(next);
    };
    const give = (type: string, data: unknown, id: string): void => {
      const text = JSON.stringify(data);
      // An event without an id has the one before it.
      const event = { type, data: text, cursor: id === '' ? (kept ?? '') : id, json: () => JSON.parse(text) };
      for (const listener of [...(listeners.get(type) ?? [])]) listener(event as ReceivedEvent);
      if (id === '') return;
      position = Number(id.split('.')[1]);
      kept = id;
    };

    function refusal(): TidingsError | undefined {
      const refused = [...asked].find((topic) => forbidden.has(topic));
      if (refused !== undefined) return new TidingsError('auth/forbidden', refused, { status: 403 });
      if (!requiresTopics || asked.size > 0) return undefined;
      return new TidingsError('client/http-status', 'no topic', {
        status: 400,
        details: { code: 'topic/missing' },
      });
    }

    function refuse(error: TidingsError): void {
      for (const listener of [...channels.errors]) listener(error, {});
      end('failed');
    }

    function connect(): void {
      const error = refusal();
      if (error !== undefined) return refuse(error);
      const resumed = position !== undefined;
      const gaps: Gap[] = gapOnReturn ? [{ topics: [...asked], reason: 'trimmed' }] : [];
      const begin = gapOnReturn || position === undefined ? head() : position;
      for (const topic of asked) topics.set(topic, Math.max(topics.get(topic) ?? 0, begin));
      gapOnReturn = false;
      setStatus('open');
      for (const listener of [...channels.opened]) {
        listener({
          connection: 'fake',
          resumed,
          gaps,
          response: { status: 200, headers: new Headers(), url: '' },
        });
      }
      if (gaps.length > 0) for (const listener of [...channels.gaps]) listener(gaps);
      position = begin;
      const values = isNew || gaps.length > 0 ? [...asked].flatMap((topic) => snapshot(topic, begin)) : [];
      isNew = false;
      give('tidings:welcome', {}, values.length > 0 ? '' : cursor(begin));
      for (const { type, data } of values) frames.push(() => give(type, data, ''));
      if (answer) frames.push(() => give('tidings:goodbye', {}, ''));
    }

    function nextEvent(): (() => void) | undefined {
      const from = position ?? 0;
      const event = log.find(({ seq, topic }) => seq > from && seq > (topics.get(topic) ?? Infinity));
      return event && (() => give(event.type, event.data, cursor(event.seq)));
    }

    function nextFrame(): void {
      frames.shift()?.();
      if (frames.length === 0 && position !== undefined) kept = cursor(position);
    }

    function steps(): (() => void)[] {
      if (status === 'connecting' || status === 'waiting') return [connect];
      if (status !== 'open') return [];
      const frame = frames.length > 0 ? nextFrame : nextEvent();
      const change = changes.length > 0 ? () => changes.shift()?.() : undefined;
      return [frame, change].filter((step) => step !== undefined);
    }

    const change = (perform: () => void): Promise<string> =>
      new Promise((resolve, reject) => {
        if (status === 'closed' || status === 'failed') {
          reject(new TidingsError('client/closed', 'closed'));
          return;
        }
        changes.push(() => {
          try {
            perform();
            resolve(cursor());
          } catch (error) {
            if (!(error instanceof TidingsError)) throw error;
            reject(error);
          }
        });
      });

    const end = (next: 'closed' | 'failed'): void => {
      setStatus(next);
      steppers.delete(steps);
      sends.delete(send);
      open.delete(client);
      listeners.clear();
      for (const channel of Object.values(channels)) channel.clear();
    };

    const send = (type: string, data: unknown): void => void frames.push(() => give(type, data, ''));

    const client: FakeClient = {
      get status() {
        return status;
      },
      heardAt: undefined,
      get cursor() {
        return kept;
      },
      get topics() {
        return new Set(topics.keys());
      },
      get listenerCount() {
        const sets = [...listeners.values(), ...Object.values(channels)] as ReadonlySet<unknown>[];
        return sets.reduce((count, set) => count + set.size, 0);
      },
      on(type, listener) {
        const set = listeners.get(type) ?? new Set();
        listeners.set(type, set);
        return add(set)(listener);
      },
      onOpen: add(channels.opened),
      onGap: add(channels.gaps),
      onError: add(channels.errors),
      onStatus: add(channels.statuses),
      onComment: () => () => undefined,
      events: () => {
        throw new Error('nothing iterates');
      },
      subscribe: (...added) =>
        change(() => {
          for (const topic of added.map(String)) {
            if (forbidden.has(topic)) throw new TidingsError('auth/forbidden', topic, { status: 403 });
          }
          for (const topic of added.map(String)) {
            if (topics.has(topic)) continue;
            topics.set(topic, head());
            asked.add(topic);
            for (const { type, data } of snapshot(topic, head())) frames.push(() => give(type, data, ''));
          }
        }),
      unsubscribe: (...dropped) =>
        change(() => {
          if ([...topics.keys()].every((topic) => dropped.includes(topic))) {
            throw new TidingsError('topic/missing', 'none left', { status: 400 });
          }
          for (const topic of dropped.map(String)) {
            topics.delete(topic);
            asked.delete(topic);
          }
        }),
      pause: () => undefined,
      resume: () => undefined,
      reconnect: () => client.drop(false),
      close: () => end('closed'),
      drop(gap) {
        if (status !== 'open') return;
        gapOnReturn ||= gap;
        setStatus('waiting');
      },
      fail() {
        refuse(new TidingsError('client/http-status', 'no', { status: 500 }));
      },
      [Symbol.asyncIterator]: () => client.events(),
      [Symbol.asyncDispose]: async () => client.close(),
    };
    steppers.add(steps);
    if (!answer) sends.add(send);
    return client;
  }

  return {
    log,
    open,
    get opened() {
      return opened;
    },
    errors,
    opener: {
      owned: true,
      open(topics, start) {
        opened += 1;
        const client = createClient(topics, start, false);
        open.add(client);
        return client;
      },
      openOnce: (topics) => createClient(topics, undefined, true),
      onError: (error) => void errors.push(error),
    },
    cursor: () => cursor(),
    publish: (topic, type, data) => void log.push({ seq: head() + 1, topic, type, data }),
    send(type, data) {
      for (const each of sends) each(type, data);
    },
    requireTopics: () => void (requiresTopics = true),
    forbid: (topic) => void forbidden.add(topic),
    step(pick) {
      const choices = [...steppers].flatMap((steps) => steps());
      if (choices.length === 0) return false;
      choices[pick(choices.length) % choices.length]?.();
      return true;
    },
  };
}
