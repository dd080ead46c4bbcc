import type { Hub } from '../hub/hub.ts';
import { runsGatewayOf } from '../hub/runs-gateway.ts';
import { createError } from '../protocol/errors.ts';
import { type Checks, aNumber, aString, assertOptions } from '../protocol/options.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import {
  type HandlerContext,
  type RunHandler,
  type RunHandlerOptions,
  createFollow,
  createStop,
} from './handlers.ts';
import { type RunName, chatKeyOf, chatTopicOf, nameRun } from './names.ts';
import { type RunsOptions, resolveRunsOptions } from './options.ts';
import type { Produce } from './producer.ts';
import { Producers } from './producers.ts';
import { type StoredRecord, currentOf } from './record.ts';
import { closing, tooMany } from './records.ts';
import { type Run, createRun } from './run.ts';
import type { View } from './view.ts';

export interface StartOptions {
  /** The conversation. Viewers follow it by this name. */
  readonly chat: string;
  /** Names the run within its chat: whoever starts it again follows the one that is there. */
  readonly id: string;
  /** Whom the run counts for, with `perSubject`. */
  readonly subject?: string | undefined;
}

export interface RunsCloseOptions {
  /** How long running answers have to end, in milliseconds. Default 5,000. Then they are `lost`. */
  readonly within?: number;
}

export const START_OPTIONS: Checks<StartOptions> = { chat: aString, id: aString, subject: aString };
export const RUNS_CLOSE_OPTIONS: Checks<RunsCloseOptions> = { within: aNumber({ min: 0 }) };

/** Answers of models that outlive the requests that asked for them. Made by `createRuns`. */
export interface Runs {
  /**
   * Begins a run, or finds the one with this id. `produce` gets a signal to give to the model, and returns the chunks:
   * values that JSON can represent. It runs to its end whoever watches, unless somebody stops it or a limit is reached.
   *
   * @throws {TidingsError} `limit/runs` (429), `run/invalid-name` (400), `hub/unavailable` (503); those of `publish`.
   */
  start(options: StartOptions, produce: Produce): Promise<Run>;
  /** The run with this id; without one, the chat's newest that is running, else its newest within `keep`. */
  find(chat: string, id?: string): Promise<Run | undefined>;
  /**
   * A handler that streams the chat's current run, from the first chunk, or from the cursor in `Last-Event-ID`. 204 if
   * there is none, or the client has it (`?last=`, the id of its last message).
   *
   * @throws {TidingsError} `hub/invalid-option` without the option `authorize`.
   */
  follow(view: View, options?: RunHandlerOptions): RunHandler;
  /**
   * A handler that stops the chat's current run and what is being started there, or the run that `?run=` names, and
   * answers 204. A client that doesn't know yet whether its question arrived says `?asked=` and the id that it gave: if
   * there is no such run, one that begins within `lease` is stopped then. Throws like `follow`.
   */
  stop(options?: RunHandlerOptions): RunHandler;
  /** Waits for this process's runs, and ends those that are too slow. Call it before the hub's `close`. */
  close(options?: RunsCloseOptions): Promise<void>;
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function createRuns(hub: Hub, options: RunsOptions = {}): Runs {
  const gateway = runsGatewayOf(hub);
  const resolved = resolveRunsOptions(options);
  const producers = new Producers(hub, gateway, resolved);
  const { onError, perSubject } = resolved;
  const context = { gateway, producers, onError };
  /** Runs that are being started, by key. */
  const starting = new Map<string, Promise<unknown>>();
  const startingFor = new Map<string, number>();
  let isClosing = false;

  const handlers: HandlerContext = {
    authorize: resolved.authorize,
    report: onError,
    toRun: (stored) => createRun(context, stored, false),
    find,
    async isThere(chat, id) {
      const { key } = nameRun(chat, id);
      return starting.has(key) || (await producers.open.find(key)) !== undefined;
    },
    stop: (chat, id) =>
      id === undefined ? producers.stopChat(chat) : producers.stopRun(nameRun(chat, id).key),
  };

  /** Waits for what is being started here: it counts as started. */
  async function find(chat: string, id?: string): Promise<StoredRecord | undefined> {
    if (id !== undefined) {
      const { key } = nameRun(chat, id);
      await starting.get(key);
      return producers.open.find(key);
    }
    const prefix = `${chatKeyOf(chat)}/`;
    await Promise.all([...starting].flatMap(([key, started]) => (key.startsWith(prefix) ? [started] : [])));
    return currentOf(await producers.open.ofChat(chatTopicOf(chat)));
  }

  /** Why no run can begin now. */
  function refusal(subject: string | undefined): TidingsError | undefined {
    if (isClosing || gateway.closing) return closing();
    if (subject === undefined) return undefined;
    if (producers.countOf(subject) + (startingFor.get(subject) ?? 0) < perSubject) return undefined;
    return tooMany(perSubject);
  }

  async function begin({ chat, id, subject }: StartOptions, produce: Produce): Promise<Run> {
    const name = nameRun(chat, id);
    const refused = refusal(subject);
    if (refused === undefined) {
      const { isNew, stored } = await startFor(name, subject, produce);
      if (stored !== undefined) return createRun(context, stored, isNew);
    }
    const found = await producers.open.find(name.key);
    if (found !== undefined) return createRun(context, found, false);
    throw (
      refused ??
      createError('event/conflict', `The run ${JSON.stringify(id)} ended and went while it was started.`)
    );
  }

  async function startFor(
    name: RunName,
    subject: string | undefined,
    produce: Produce,
  ): ReturnType<Producers['start']> {
    count(subject, 1);
    try {
      return await producers.start(name, subject, produce);
    } finally {
      count(subject, -1);
    }
  }

  function count(subject: string | undefined, change: 1 | -1): void {
    if (subject === undefined) return;
    const left = (startingFor.get(subject) ?? 0) + change;
    if (left === 0) startingFor.delete(subject);
    else startingFor.set(subject, left);
  }

  return {
    async start(what, produce) {
      assertOptions(what, START_OPTIONS);
      const { key } = nameRun(what.chat, what.id);
      const before = starting.get(key) ?? Promise.resolve();
      const run = before.then(() => begin(what, produce));
      const settled = run.catch(() => {});
      starting.set(key, settled);
      void settled.then(() => {
        if (starting.get(key) === settled) starting.delete(key);
      });
      return run;
    },
    async find(chat, id) {
      const stored = await find(chat, id);
      return stored === undefined ? undefined : createRun(context, stored, false);
    },
    follow: (view, given = {}) => createFollow(handlers, view, given),
    stop: (given = {}) => createStop(handlers, given),
    close(given = {}) {
      assertOptions(given, RUNS_CLOSE_OPTIONS);
      isClosing = true;
      return producers.close(given.within ?? 5000);
    },
  };
}
