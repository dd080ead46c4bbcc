import { formatCount, formatMs, plural } from '../lib/format.ts';
import { secondsUntil } from '../lib/time.ts';

/** The state of the page's event stream, which the indicator in the top bar shows. */
export interface StreamState {
  /**
   * `connecting`: being opened because the page wants it, for the first time or again. `waiting`: interrupted, until it
   * is open again. `resting`: closed while the page is out of sight. `ended`: the server said not to come back.
   * `refused`: it said no (401, 403, …), and trying again is pointless.
   */
  readonly phase: 'connecting' | 'open' | 'waiting' | 'resting' | 'ended' | 'refused';
  /** When the next attempt is due, while `waiting`. */
  readonly retryAt?: number | undefined;
  /** Why the last attempt or connection failed or ended, in words. */
  readonly problem?: string;
  /** Whether the browser knows of no network at all. */
  readonly offline: boolean;
  /** The server's name for this connection. */
  readonly connection?: string | undefined;
  /** Milliseconds within which the server sends something. */
  readonly heartbeat?: number | undefined;
  /** When bytes came last, heartbeats included. */
  readonly heardAt?: number | undefined;
  readonly cursor?: string | undefined;
  readonly events: number;
  readonly lastEventAt?: number;
  /** Connections opened after the first. */
  readonly reconnects: number;
  /** The last time the server reported events that it could not send again. */
  readonly gap?: { readonly at: number; readonly reasons: readonly string[] };
  /** When the page had loaded the data that the gap concerned; absent until it has. */
  readonly caughtUpAt?: number;
}

export const INITIAL_STATE: StreamState = { phase: 'connecting', offline: false, events: 0, reconnects: 0 };

/** How long the indicator says that a gap was closed, in ms. */
const TELL_CAUGHT_UP = 8_000;

export interface StatusText {
  /** Selects the colour. */
  readonly tone: 'live' | 'busy' | 'waiting' | 'down';
  readonly label: string;
  /** One more sentence, for the panel behind the indicator and for screen readers. */
  readonly detail: string;
}

/** The indicator's words. */
export function describeStatus(state: StreamState, now: number): StatusText {
  if (state.phase === 'ended') {
    return { tone: 'down', label: 'Ended', detail: 'The server ended this stream for good.' };
  }
  if (state.phase === 'refused') {
    return { tone: 'down', label: 'Refused', detail: state.problem ?? 'The server refused this stream.' };
  }
  if (state.phase === 'open') return describeOpen(state, now);
  if (state.phase === 'resting') {
    return {
      tone: 'busy',
      label: 'Resting',
      detail: 'Paused while nobody is looking. The page catches up when you return.',
    };
  }
  if (state.offline) {
    return { tone: 'down', label: 'Offline', detail: 'No network. The page catches up once it is back.' };
  }
  if (state.phase === 'connecting') {
    return { tone: 'busy', label: 'Connecting…', detail: 'Opening the event stream.' };
  }
  const seconds = state.retryAt === undefined ? 0 : secondsUntil(state.retryAt, now);
  return {
    tone: 'waiting',
    label: seconds > 0 ? `Reconnecting in ${seconds} s` : 'Reconnecting…',
    detail: state.problem ?? 'The connection was lost. The page catches up once it is back.',
  };
}

/** How late a heartbeat may be, in ms, until it counts as missed. */
const HEARTBEAT_SLACK = 2_000;

/** How long the stream has been silent, if longer than a heartbeat takes. */
function silence({ heartbeat, heardAt }: StreamState, now: number): number | undefined {
  if (heartbeat === undefined || heardAt === undefined) return undefined;
  return now - heardAt > heartbeat + HEARTBEAT_SLACK ? now - heardAt : undefined;
}

function describeOpen(state: StreamState, now: number): StatusText {
  const { gap, caughtUpAt } = state;
  const silent = silence(state, now);
  if (silent !== undefined) {
    return {
      tone: 'waiting',
      label: `Silent for ${Math.floor(silent / 1000)} s`,
      detail:
        'A heartbeat is overdue: the network may be gone. The page reconnects by itself and catches up.',
    };
  }
  if (gap !== undefined && (caughtUpAt === undefined || caughtUpAt < gap.at)) {
    return {
      tone: 'busy',
      label: 'Catching up…',
      detail: `${describeGap(gap.reasons)} The page is loading its data again.`,
    };
  }
  if (gap !== undefined && caughtUpAt !== undefined && now - caughtUpAt < TELL_CAUGHT_UP) {
    return {
      tone: 'live',
      label: 'Live, caught up',
      detail: `${describeGap(gap.reasons)} The page has loaded its data again.`,
    };
  }
  return { tone: 'live', label: 'Live', detail: 'Every event arrives as it happens.' };
}

/** The last announcement, and the one that may be due. */
export interface Announcement {
  readonly words: string;
  /** When the stream was interrupted. */
  readonly since?: number;
  /** The announcement of the interruption, if there was one. */
  readonly told?: 'waiting' | 'down';
}

/** Shorter interruptions are not read out, such as when the server renews a stream. */
const READ_OUT_AFTER = 2_000;

/** Announces changes for better or worse, but not each second of a countdown, and not a good start. */
export function announce(last: Announcement, { tone, detail }: StatusText, now: number): Announcement {
  if (tone === 'busy') return last;
  if (tone === 'live') return { words: last.told === undefined ? last.words : 'Live again.' };
  const { since = now, told } = last;
  if (tone === told || now - since < READ_OUT_AFTER) return { ...last, since };
  return { words: detail, since, told: tone };
}

/** Why the server ended a stream, in words. */
export function wordsForGoodbye(reason: string): string {
  if (reason === 'drain') return 'The server is about to restart.';
  if (reason === 'expired') return 'The session of this stream has ended.';
  if (reason === 'lifetime') return 'The server renews streams from time to time.';
  return 'The server ended the stream.';
}

function describeGap(reasons: readonly string[]): string {
  if (reasons.includes('epoch')) return 'The server began a new log, and events are missing.';
  if (reasons.includes('trimmed')) return 'The server no longer had every event that this page missed.';
  return 'Some events are missing.';
}

/** The rows of the panel behind the indicator. */
export function statusFacts(state: StreamState, now: number): readonly (readonly [string, string])[] {
  const ago = (at: number | undefined): string =>
    at === undefined ? 'none yet' : `${formatCount(Math.max(0, Math.round((now - at) / 1000)), true)} s ago`;
  return [
    ['Connection', state.connection ?? 'none'],
    ['Cursor', state.cursor ?? 'none yet'],
    ['Received', plural(state.events, 'event')],
    ['Last event', ago(state.lastEventAt)],
    ['Heartbeat', state.heartbeat === undefined ? 'none' : `every ${formatMs(state.heartbeat)}`],
    ['Reconnected', plural(state.reconnects, 'time')],
    ['Last gap', state.gap === undefined ? 'none' : `${ago(state.gap.at)} (${state.gap.reasons.join(', ')})`],
  ];
}
