import type { Environment } from '../../src/client/environment.ts';
import type { Timers } from '../../src/client/timers.ts';
import type { Fetch } from '../../src/client/web.ts';
import type { LockHooks, SharedEnvironment } from '../../src/client/shared/environment.ts';

/** A browser's tabs, as far as sharing a stream goes: channels, locks, frozen pages, crashed ones. */
export interface FakeBrowser {
  openTab(): FakeTab;
}

export interface FakeTab {
  readonly shared: SharedEnvironment;
  readonly environment: Environment;
  readonly timers: Timers;
  readonly fetch: Fetch;
  /** Nothing of the page runs until it is thawed. `told`: it may first do what it does on `freeze`. */
  freeze(told: boolean): void;
  thaw(): void;
  /** Nothing of the page ever runs again. */
  crash(): void;
}

interface Request {
  readonly tab: Tab;
  readonly hooks: LockHooks;
  isOver: boolean;
  /** It was given back, or is asked for no longer. */
  isReleased: boolean;
}

interface Tab {
  frozen: boolean;
  crashed: boolean;
  /** Runs when the page does: at once, or when it is thawed. */
  run(task: () => void): void;
}

/** @param speed how much faster than real ones its clocks are; @param delay milliseconds that a message takes. */
export function createFakeBrowser(fetch: Fetch, speed: number, delay: () => number): FakeBrowser {
  const channels = new Map<
    string,
    Set<{ readonly tab: Tab; readonly listener: (message: unknown) => void }>
  >();
  const locks = new Map<string, { holder: Request | undefined; readonly queue: Request[] }>();

  function grant(name: string): void {
    const lock = locks.get(name);
    if (lock === undefined || lock.holder !== undefined) return;
    const next = lock.queue.shift();
    if (next === undefined) return;
    if (next.isOver) return grant(name);
    lock.holder = next;
    setTimeout(() => {
      next.tab.run(() => {
        if (!next.isOver) next.hooks.granted();
      });
    }, delay());
  }

  function give(name: string, request: Request): void {
    if (request.isOver) return;
    request.isOver = true;
    const lock = locks.get(name);
    if (lock?.holder === request) lock.holder = undefined;
    // As in a browser, the others learn of it a moment later.
    setTimeout(() => grant(name), delay());
  }

  function requestLock(tab: Tab, name: string, steal: boolean, hooks: LockHooks): () => void {
    const lock = locks.get(name) ?? { holder: undefined, queue: [] };
    locks.set(name, lock);
    const request: Request = { tab, hooks, isOver: false, isReleased: false };
    if (steal) {
      const { holder } = lock;
      lock.holder = undefined;
      lock.queue.unshift(request);
      if (holder !== undefined) {
        holder.isOver = true;
        // As late as everything else, so it may hear of the thief first.
        setTimeout(() => {
          holder.tab.run(() => {
            if (!holder.isReleased) holder.hooks.lost();
          });
        }, delay());
      }
    } else lock.queue.push(request);
    setTimeout(() => grant(name), delay());
    return () => {
      request.isReleased = true;
      give(name, request);
    };
  }

  function openTab(): FakeTab {
    const waiting: (() => void)[] = [];
    const freezing = new Set<(sign: 'freeze' | 'thaw') => void>();
    const tab: Tab = {
      frozen: false,
      crashed: false,
      run(task) {
        if (tab.frozen) waiting.push(task);
        else if (!tab.crashed) task();
      },
    };
    const aborts = new AbortController();
    /** Settles only while the page runs. */
    const whenRunning = <T>(promise: Promise<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        promise.then(
          (value) => tab.run(() => resolve(value)),
          (error: unknown) =>
            tab.run(() => reject(error instanceof Error ? error : new Error(String(error)))),
        );
      });

    const shared: SharedEnvironment = {
      channel(name, listener) {
        const all = channels.get(name) ?? new Set();
        channels.set(name, all);
        const own = { tab, listener };
        all.add(own);
        let isClosed = false;
        /** In the order they were sent. */
        let arrival = Promise.resolve();
        return {
          post(message) {
            const copy = structuredClone(message);
            const others = [...all].filter((one) => one !== own);
            arrival = arrival.then(() => new Promise((resolve) => setTimeout(resolve, delay())));
            void arrival.then(() => {
              for (const one of others) one.tab.run(() => all.has(one) && one.listener(copy));
            });
          },
          close() {
            if (!isClosed) all.delete(own);
            isClosed = true;
          },
        };
      },
      lock: (name, steal, hooks) => requestLock(tab, name, steal, hooks),
      watch(listener) {
        freezing.add(listener);
        return () => void freezing.delete(listener);
      },
    };

    return {
      shared,
      environment: { base: 'http://localhost/', watch: () => () => {} },
      timers: {
        now: () => performance.now() * speed,
        setTimer(task, milliseconds) {
          const timer = setTimeout(() => tab.run(task), milliseconds / speed);
          return () => clearTimeout(timer);
        },
      },
      async fetch(url, init: RequestInit) {
        const signal = AbortSignal.any([aborts.signal, init.signal ?? aborts.signal]);
        const response = await whenRunning(fetch(url, { ...init, signal }));
        const reader = (response.body as ReadableStream<Uint8Array> | null)?.getReader();
        if (reader === undefined) return response;
        const { status, headers } = response;
        const body = {
          getReader: () => ({ read: () => whenRunning(reader.read()), cancel: () => reader.cancel() }),
        };
        return { status, headers, body, url };
      },
      freeze(told) {
        if (told) for (const listener of [...freezing]) listener('freeze');
        tab.frozen = true;
      },
      thaw() {
        tab.frozen = false;
        for (const listener of [...freezing]) listener('thaw');
        for (const task of waiting.splice(0)) tab.run(task);
      },
      crash() {
        tab.crashed = true;
        tab.frozen = false;
        waiting.length = 0;
        aborts.abort();
        for (const [name, lock] of locks) {
          for (const request of lock.queue) if (request.tab === tab) request.isOver = true;
          if (lock.holder?.tab === tab) give(name, lock.holder);
        }
        for (const all of channels.values()) {
          for (const one of all) if (one.tab === tab) all.delete(one);
        }
      },
    };
  }

  return { openTab };
}
