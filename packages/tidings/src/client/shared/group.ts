import type { Channel, SharedEnvironment } from './environment.ts';
import { lead, type Leadership, type OpenUpstream } from './leadership.ts';
import { isMessage, type LeaderMessage, type Message, type TabMessage } from './messages.ts';

export interface GroupOptions {
  /** Tabs that share have the same. */
  readonly name: string;
  /** For whom its members read. */
  readonly audience: string;
  readonly tab: string;
  readonly environment: SharedEnvironment;
  readonly timers: SharedTimers;
  readonly random: () => number;
  readonly openUpstream: OpenUpstream;
  /** The others can see that this tab is here. */
  readonly onReady: () => void;
  /** The tab can't take part: the browser gives it no locks. */
  readonly onDenied: () => void;
  readonly onMessage: (message: LeaderMessage) => void;
}

export interface SharedTimers {
  setTimer(task: () => void, delay: number): () => void;
}

/** The tabs that share a stream: one of them leads. */
export interface Group {
  post(message: TabMessage): void;
  leave(): void;
}

/** Milliseconds of silence after which a tab asks whether the leader is alive, and to wait for its answer. */
const QUIET = 4_000;
const PATIENCE = 3_000;

/** @returns undefined if the browser has no channels. */
export function joinGroup(options: GroupOptions): Group | undefined {
  const { name, tab, environment, timers, random, onReady, onMessage } = options;
  const leading = `${name} leader`;
  const inbox: Message[] = [];
  let draining = false;
  let left = false;
  /** The leader has said something since the last look. */
  let heard = true;
  let leader: Leadership | undefined;
  let elections = 0;

  const opened = environment.channel(name, (message) => {
    if (isMessage(message)) receive(message);
  });
  if (opened === undefined) return undefined;
  const channel: Channel = opened;
  const releaseSelf = environment.lock(`${name} ${tab}`, false, {
    granted() {
      if (!left) onReady();
    },
    lost() {},
    denied() {
      if (!left) options.onDenied();
    },
  });
  let releaseCandidacy = stand(false);
  const stopWatching = environment.watch((sign) => {
    // A frozen leader would be none, and a frozen candidate must not become one.
    if (sign === 'freeze') resign();
    else releaseCandidacy = stand(false);
  });
  let stopTimer = timers.setTimer(look, QUIET);

  return { post, leave };

  function post(message: Message): void {
    if (left) return;
    channel.post(message);
    receive(message);
  }

  /** In order, also if a message leads to the next. */
  function receive(message: Message): void {
    inbox.push(message);
    if (draining) return;
    draining = true;
    for (let next = inbox.shift(); next !== undefined && !left; next = inbox.shift()) {
      if ('term' in next) {
        heard = true;
        if (next.type === 'lead' && !next.term.startsWith(`${tab}.`)) yieldTo();
        onMessage(next);
      } else leader?.send({ type: 'message', message: next });
    }
    draining = false;
  }

  /**
   * A tab that hung doesn't know yet that it has lost the lead. Tabs that it answered would wait for a leader that is none.
   */
  function yieldTo(): void {
    if (leader === undefined) return;
    resign();
    releaseCandidacy = stand(false);
  }

  function stand(steal: boolean): () => void {
    return environment.lock(leading, steal, {
      granted() {
        if (left) return;
        elections += 1;
        leader = lead(options, `${tab}.${elections}`, post);
        leader.send({ type: 'elected' });
      },
      lost() {
        depose();
        if (!left) releaseCandidacy = stand(false);
      },
      denied() {},
    });
  }

  function depose(): void {
    leader?.end();
    leader = undefined;
  }

  function resign(): void {
    depose();
    releaseCandidacy();
  }

  /**
   * A leader that is frozen without warning, or hangs, keeps its lock: it has to be taken away. No clock is compared, since
   * clocks are set.
   */
  function look(): void {
    const isQuiet = leader === undefined && !heard;
    heard = false;
    if (!isQuiet) {
      stopTimer = timers.setTimer(look, QUIET);
      return;
    }
    post({ type: 'ping' });
    const verdict = (): void => {
      if (leader === undefined && !heard) {
        releaseCandidacy();
        releaseCandidacy = stand(true);
      }
      stopTimer = timers.setTimer(look, QUIET);
    };
    stopTimer = timers.setTimer(verdict, PATIENCE * (1 + random()));
  }

  function leave(): void {
    if (left) return;
    post({ type: 'leave', tab });
    left = true;
    resign();
    releaseSelf();
    stopWatching();
    stopTimer();
    channel.close();
  }
}
