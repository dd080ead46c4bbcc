import { SUBSCRIBED, WELCOME } from '../../protocol/control.ts';
import { encodeFrame } from '../../protocol/encode.ts';
import type { Matcher } from '../../protocol/matcher.ts';
import { type Answer, type Bytes, frameOf, gapFrame, type Introduction, readAnswer } from './answer.ts';
import type { SharedEnvironment } from './environment.ts';
import { type Group, joinGroup, type SharedTimers } from './group.ts';
import type { OpenUpstream } from './leadership.ts';
import { MESSAGES_VERSION, type SharedEvent } from './messages.ts';
import { createQueue, type Queue } from './queue.ts';
import { newTab, nextTab, type TabEffect, type TabInput, type TabState } from './tab.ts';

export interface Init {
  readonly method: string;
  readonly headers: Headers;
  readonly body?: unknown;
  readonly signal: AbortSignal;
}

export interface Query {
  readonly topics: readonly Matcher[];
  readonly cursor: string;
  /** States as they were at the cursor come first. */
  readonly asNew: boolean;
}

export interface SharedStreamOptions {
  /** Tabs share if this is the same, and the hub says that they read for the same subject. */
  readonly name: string;
  /** Makes a request as it is. */
  readonly fetch: (url: string, init: Init) => Promise<Answer>;
  /** Asks for a whole answer with labels. */
  readonly read: (query: Query, signal: AbortSignal) => Promise<Answer>;
  readonly isStream: (answer: Answer) => boolean;
  readonly bytesOf: (answer: Answer) => Bytes;
  /** The topics and the cursor in a request of the client for a stream; undefined if it doesn't ask for one. */
  readonly parse: (url: string, init: Init) => Asked | undefined;
  /** Of the same request for a whole answer with labels. */
  readonly answerUrl: (url: string) => string;
  readonly openUpstream: OpenUpstream;
  readonly environment: SharedEnvironment;
  readonly timers: SharedTimers;
  readonly random: () => number;
  readonly maxEventBytes: number;
}

export interface Asked {
  readonly topics: readonly Matcher[];
  readonly cursor: string | undefined;
  /** It goes on from the cursor, where the states are known. */
  readonly resumes: boolean;
}

/** The client's face of the shared stream: what looks like a server to it. */
export interface SharedStream {
  fetch(url: string, init: Init): Promise<Answer>;
  /** The client rests, or is closed: another tab may lead. */
  leave(): void;
}

/** A request of the client. */
interface Stream {
  readonly url: string;
  readonly init: Init;
  readonly asked: Asked;
  readonly queue: Queue;
  readonly controller: AbortController;
  /** Ends the wait for a response. */
  readonly stopTimer: () => void;
  /** Until it has a response. */
  pending:
    | { readonly resolve: (answer: Answer) => void; readonly reject: (error: Error) => void }
    | undefined;
}

interface Change {
  readonly init: Init;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Characters that may wait for the client. */
const MAX_QUEUE = 2_000_000;
/** Milliseconds to wait for a leader's answer. */
const PATIENCE = 30_000;
/** Milliseconds to wait for the first frame of an answer that has begun. A hub sends one at once. */
const FIRST_FRAME = 10_000;
/** A shared stream that fails so often in a row, although the server answers this tab, is none for it. */
const MAX_FAILURES = 3;

const EVENT_STREAM = { 'content-type': 'text/event-stream' };

export function createSharedStream(options: SharedStreamOptions): SharedStream {
  const { timers, random } = options;
  let state: TabState = newTab();
  let group: { readonly its: Group; readonly audience: string } | undefined;
  let stream: Stream | undefined;
  let change: Change | undefined;
  let known: Introduction | undefined;
  /** It has a stream of its own, for good. */
  let own = false;
  /** The leader's stream failed: the server says to each tab why. */
  let reread = false;
  let failures = 0;

  return { fetch: (url, init) => ask(url, init), leave };

  function ask(url: string, init: Init): Promise<Answer> {
    if (own) return options.fetch(url, init);
    if (init.method === 'POST') return askChange(init);
    const asked = options.parse(url, init);
    if (asked === undefined) return options.fetch(url, init);
    return new Promise((resolve, reject) => begin({ url, init, asked }, { resolve, reject }));
  }

  function begin(request: Pick<Stream, 'url' | 'init' | 'asked'>, pending: Stream['pending']): void {
    const queue = createQueue(() => end(mine));
    const stopTimer = timers.setTimer(() => fail(mine, 'Nobody answered in the shared stream.'), PATIENCE);
    const mine: Stream = { ...request, queue, controller: new AbortController(), stopTimer, pending };
    stream = mine;
    const { init, asked } = request;
    mine.controller.signal.addEventListener('abort', stopTimer);
    init.signal.addEventListener('abort', () => end(mine));
    const goesOn = asked.resumes && !reread && group !== undefined;
    step({ type: 'open', topics: asked.topics, at: goesOn ? asked.cursor : undefined });
  }

  function step(input: TabInput): void {
    const next = nextTab(state, input);
    state = next.state;
    for (const effect of next.effects) perform(effect);
  }

  function perform(effect: TabEffect): void {
    switch (effect.type) {
      case 'post':
        return group?.its.post(effect.message);
      case 'read':
        return void read(effect.after);
      case 'ready':
        return ready(effect.at);
      case 'events':
        return push(effect.events.map(encodeEvent).join(''));
      case 'position':
        return push(encodeFrame({ id: effect.at }));
      case 'frames':
        return push(effect.frames);
      case 'read-gained':
        return void readGained(effect.topics, effect.at);
      case 'changed':
        return changed(effect.topics, effect.at);
      case 'change-lost':
        return loseChange();
      case 'cut':
        return cut(effect.message, effect.reread);
      case 'own':
        return goAlone();
    }
  }

  function push(frames: string): void {
    const mine = stream;
    if (mine === undefined || frames === '') return;
    failures = 0;
    mine.queue.push(frames);
    if (mine.queue.size <= MAX_QUEUE || state.full) return;
    step({ type: 'full' });
    void mine.queue.drained().then(() => {
      if (mine === stream) step({ type: 'drained' });
    });
  }

  function respond(mine: Stream, answer: Answer): void {
    mine.stopTimer();
    mine.pending?.resolve(answer);
    mine.pending = undefined;
  }

  /** The client's request has its answer from the tabs alone. */
  function ready(at: string): void {
    const mine = stream;
    if (mine?.pending === undefined) return;
    const { connection = '', heartbeat } = known ?? {};
    const welcome = { connection, secret: 'shared', resumed: true, gaps: [], heartbeat };
    mine.queue.push(encodeFrame({ id: at, type: WELCOME, data: JSON.stringify(welcome) }));
    respond(mine, { status: 200, headers: new Headers(EVENT_STREAM), body: mine.queue.body, url: mine.url });
  }

  /** Asks the server for what comes after; at the beginning, as the client asked. */
  async function read(after: string | undefined): Promise<void> {
    const mine = stream;
    if (mine === undefined) return;
    const { asked, controller, queue } = mine;
    const isOver = (): boolean => mine !== stream;
    let stopTimer: (() => void) | undefined;
    try {
      const answer = await (after === undefined
        ? options.fetch(options.answerUrl(mine.url), { ...mine.init, signal: controller.signal })
        : options.read({ topics: state.topics, cursor: after, asNew: false }, controller.signal));
      if (isOver()) return options.bytesOf(answer).cancel();
      if (!options.isStream(answer)) return refuse(mine, answer);
      if (mine.pending !== undefined) {
        stopTimer = timers.setTimer(() => {
          if (!isOver()) goAlone();
        }, FIRST_FRAME);
      }
      const topics = after === undefined ? asked.topics : state.topics;
      const at = await readAnswer(
        options.bytesOf(answer),
        topics,
        after ?? asked.cursor ?? '',
        options.maxEventBytes,
        {
          first(introduction, event) {
            stopTimer?.();
            if (isOver()) return false;
            if (introduction === undefined || !meet(introduction)) {
              goAlone();
              return false;
            }
            reread = false;
            const id = event?.id ?? '';
            if (mine.pending !== undefined) {
              queue.push(frameOf(event ?? { type: WELCOME, data: '{}', id }, id !== ''));
              respond(mine, toResponse(mine, answer));
            } else if (introduction.gaps.length > 0) queue.push(gapFrame(introduction.gaps, id));
            return true;
          },
          event(event, isOwn) {
            if (!isOver()) queue.push(frameOf(event, isOwn));
          },
          position(id) {
            if (!isOver()) queue.push(encodeFrame({ id }));
          },
          retry(retry) {
            if (!isOver()) queue.push(encodeFrame({ retry }));
          },
          idle: () => (queue.size > MAX_QUEUE ? queue.drained() : undefined),
        },
      );
      if (isOver() || own) return;
      if (at === undefined) return fail(mine, 'The answer broke off.');
      step({ type: 'read', at });
    } catch (error) {
      if (!isOver()) fail(mine, error as Error);
    } finally {
      stopTimer?.();
    }
  }

  /** Joins those who read for the same. @returns false if there can be no sharing. */
  function meet(introduction: Introduction): boolean {
    known = introduction;
    const { audience } = introduction;
    if (group?.audience === audience) return failures < MAX_FAILURES;
    group?.its.leave();
    step({ type: 'ungrouped' });
    const tab = newName(random);
    const its = joinGroup({
      ...options,
      name: `tidings ${MESSAGES_VERSION} ${options.name} ${audience}`,
      audience,
      tab,
      onReady: () => {
        if (group?.its === its) step({ type: 'grouped', tab });
      },
      onDenied: () => {
        if (group?.its === its) goAlone();
      },
      onMessage: (message) => step({ type: 'message', message }),
    });
    group = its && { its, audience };
    return its !== undefined;
  }

  /** The server's no is the client's to judge; in the middle of a stream, it asks again to hear it. */
  function refuse(mine: Stream, answer: Answer): void {
    if (mine.pending === undefined) {
      reread = true;
      options.bytesOf(answer).cancel();
      return fail(mine, `The server answered ${answer.status}.`);
    }
    respond(mine, answer);
    stream = undefined;
    step({ type: 'close' });
  }

  function toResponse(mine: Stream, { status, headers, url, redirected = false }: Answer): Answer {
    const at = redirected && url !== undefined ? { url, redirected } : { url: mine.url };
    return { status, headers, body: mine.queue.body, ...at };
  }

  function cut(message: string | undefined, failed: boolean): void {
    const mine = stream;
    if (failed) {
      reread = true;
      failures += 1;
    }
    if (mine === undefined) return;
    if (message !== undefined || mine.pending !== undefined) return fail(mine, message ?? 'It ended.');
    stream = undefined;
    mine.controller.abort();
    mine.queue.end();
  }

  function fail(mine: Stream, problem: string | Error): void {
    if (mine !== stream) return;
    const error = typeof problem === 'string' ? new Error(problem) : problem;
    mine.pending?.reject(error);
    mine.queue.fail(error);
    end(mine);
  }

  /** The client wants no more of it. */
  function end(mine: Stream): void {
    mine.controller.abort();
    if (mine !== stream) return;
    stream = undefined;
    loseChange();
    step({ type: 'close' });
  }

  /** From here on the client talks to the server itself. */
  function goAlone(): void {
    const mine = stream;
    own = true;
    leave();
    if (mine?.pending === undefined) return mine?.queue.end();
    const { pending, url, init } = mine;
    mine.pending = undefined;
    options.fetch(url, init).then(pending.resolve, pending.reject);
  }

  function leave(): void {
    const mine = stream;
    stream = undefined;
    loseChange();
    step({ type: 'close' });
    step({ type: 'ungrouped' });
    group?.its.leave();
    group = undefined;
    mine?.controller.abort();
  }

  function askChange(init: Init): Promise<Answer> {
    const { add = [], drop = [] } = JSON.parse(String(init.body)) as {
      readonly add?: readonly Matcher[];
      readonly drop?: readonly Matcher[];
    };
    return new Promise((resolve, reject) => {
      loseChange();
      change = { init, resolve, reject };
      step({ type: 'change', add, drop });
    });
  }

  async function readGained(topics: readonly Matcher[], at: string): Promise<void> {
    const mine = stream;
    const its = change;
    if (mine === undefined || its === undefined) return;
    const isOver = (): boolean => mine !== stream || its !== change;
    let frames = '';
    let gapless = true;
    try {
      const answer = await options.read({ topics, cursor: at, asNew: true }, mine.controller.signal);
      if (isOver()) return options.bytesOf(answer).cancel();
      if (!options.isStream(answer)) {
        change = undefined;
        its.resolve(answer);
        return step({ type: 'denied' });
      }
      const end = await readAnswer(options.bytesOf(answer), topics, at, options.maxEventBytes, {
        first(introduction) {
          gapless = introduction?.audience === group?.audience && introduction?.gaps.length === 0;
          return gapless;
        },
        // An event with a cursor comes by the shared stream as well.
        event(event, isOwn, labelled) {
          if (!isOwn && labelled) frames += frameOf(event, false);
        },
        position() {},
        retry() {},
        idle: () => undefined,
      });
      if (!isOver()) step(gapless && end !== undefined ? { type: 'gained', frames } : { type: 'lost' });
    } catch {
      // The client asks the next connection.
      if (!isOver()) step({ type: 'lost' });
    }
  }

  function changed(topics: readonly Matcher[], at: string): void {
    push(encodeFrame({ id: at, type: SUBSCRIBED, data: JSON.stringify({ topics }) }));
    const its = change;
    change = undefined;
    const body = JSON.stringify({ cursor: at, topics });
    its?.resolve(new Response(body, { headers: { 'content-type': 'application/json' } }));
  }

  function loseChange(): void {
    const its = change;
    change = undefined;
    its?.reject(new Error('The shared stream went on without the change.'));
  }
}

function encodeEvent({ id, type, data }: SharedEvent): string {
  return frameOf({ id, type, data }, id !== '');
}

/** Names a tab among the others. */
function newName(random: () => number): string {
  return Math.floor(random() * 2 ** 48).toString(36) + Math.floor(random() * 2 ** 48).toString(36);
}
