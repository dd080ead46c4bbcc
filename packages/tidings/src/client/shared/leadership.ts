import type { Matcher } from '../../protocol/matcher.ts';
import type { GroupOptions } from './group.ts';
import { type LeaderEffect, type LeaderInput, type LeaderState, newLeader, nextLeader } from './leader.ts';
import type { LeaderMessage, SharedEvent } from './messages.ts';

/** The connection that the leader keeps for all. */
export interface Upstream {
  /** @returns the cursor after which the events of what was added begin. */
  change(add: readonly Matcher[], drop: readonly Matcher[]): Promise<string>;
  close(): void;
}

export interface UpstreamHooks {
  /** A connection is there, for the reader that `audience` stands for. `at`: nothing after this cursor is missing. */
  opened(audience: string | undefined, at: string | undefined): void;
  event(event: SharedEvent): void;
  /** Everything up to this cursor was handed over. */
  flush(at: string): void;
  /** Events are missing. */
  gap(): void;
  /** The connection is interrupted and will come back. */
  down(message: string | undefined): void;
  failed(message: string | undefined): void;
}

/** Begins after `at`. */
export type OpenUpstream = (topics: readonly Matcher[], at: string, hooks: UpstreamHooks) => Upstream;

/** Milliseconds in which tabs that begin together are gathered for one connection. */
const GATHER = 30;
/** How long topics outlive the last tab that wants them, in milliseconds. A page that reloads is back within that time. */
const LINGER = 5_000;

export interface Leadership {
  send(input: LeaderInput): void;
  end(): void;
}

/** Runs the leader's part as long as this tab leads. */
export function lead(
  options: GroupOptions,
  name: string,
  post: (message: LeaderMessage) => void,
): Leadership {
  const { environment, timers, audience, openUpstream } = options;
  const cleanUps = new Map<string, () => void>();
  const inputs: LeaderInput[] = [];
  let state: LeaderState = newLeader(name);
  let upstream: Upstream | undefined;
  let stepping = false;
  let over = false;

  function send(input: LeaderInput): void {
    inputs.push(input);
    if (stepping) return;
    stepping = true;
    for (let next = inputs.shift(); next !== undefined && !over; next = inputs.shift()) {
      const step = nextLeader(state, next);
      ({ state } = step);
      for (const effect of step.effects) if (!over) perform(effect);
    }
    stepping = false;
  }

  function perform(effect: LeaderEffect): void {
    switch (effect.type) {
      case 'post':
        return post(effect.message);
      case 'gather':
        return later('gather', GATHER, { type: 'gathered' });
      case 'tidy-later':
        return later('tidy', LINGER, { type: 'tidy' });
      case 'open':
        upstream = open(effect.topics, effect.at);
        return;
      case 'change':
        return change(effect.add, effect.drop);
      case 'close':
        upstream?.close();
        upstream = undefined;
        return;
      case 'watch':
        return watch(effect.tab);
    }
  }

  function later(key: string, delay: number, input: LeaderInput): void {
    cleanUps.set(
      key,
      timers.setTimer(() => send(input), delay),
    );
  }

  function open(topics: readonly Matcher[], at: string): Upstream {
    let isOver = false;
    const tell = (input: LeaderInput): void => {
      if (!isOver) send(input);
    };
    const its = openUpstream(topics, at, {
      opened(reader, from) {
        if (reader === audience) return tell({ type: 'opened', at: from });
        tell({ type: 'failed', message: 'The shared stream would be for somebody else.' });
      },
      event: (event) => tell({ type: 'event', event }),
      flush: (cursor) => tell({ type: 'flush', at: cursor }),
      gap: () => tell({ type: 'gap' }),
      down: (message) => tell({ type: 'down', message }),
      failed: (message) => tell({ type: 'failed', message }),
    });
    return {
      change: its.change,
      close() {
        isOver = true;
        its.close();
      },
    };
  }

  function change(add: readonly Matcher[], drop: readonly Matcher[]): void {
    const its = upstream;
    its?.change(add, drop).then(
      (since) => its === upstream && send({ type: 'changed', since }),
      () => its === upstream && send({ type: 'refused' }),
    );
  }

  /** The browser gives a tab's lock to the leader when the tab is gone, however it went. */
  function watch(tab: string): void {
    cleanUps.get(tab)?.();
    const release = environment.lock(`${options.name} ${tab}`, false, {
      granted() {
        release();
        cleanUps.delete(tab);
        send({ type: 'gone', tab });
      },
      lost() {},
      denied() {},
    });
    cleanUps.set(tab, release);
  }

  return {
    send,
    end() {
      over = true;
      upstream?.close();
      for (const cleanUp of cleanUps.values()) cleanUp();
    },
  };
}
