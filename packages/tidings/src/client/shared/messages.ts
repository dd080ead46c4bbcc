import type { Matcher } from '../../protocol/matcher.ts';

/**
 * The version of these messages, which is part of the names of channels and locks. While a new version of an app is
 * deployed, tabs with either version of this code are open: those that don't speak the same don't hear each other. Raise
 * it with any change of the messages or their meaning.
 */
export const MESSAGES_VERSION = 1;

/** An event of the shared stream. */
export interface SharedEvent {
  /** The matchers by which it came, as `matcherKey` has them. Undefined: it is for all tabs. */
  readonly topics: readonly string[] | undefined;
  readonly type: string;
  readonly data: string;
  /** Empty if it isn't one of the log. */
  readonly id: string;
}

/**
 * From the leader to all tabs. `term` identifies this leadership. `n` counts its messages; a tab that sees a jump has
 * missed one.
 */
export type LeaderMessage = { readonly term: string; readonly n: number } & (
  | { readonly type: 'lead' }
  /** From its position `at` on, the stream brings the tab everything it asked for. */
  | { readonly type: 'joined'; readonly tab: string; readonly request: number; readonly at: string }
  /** The stream can't take these topics on. */
  | { readonly type: 'refused'; readonly tab: string; readonly request: number }
  /** The events since the last such message, up to the position `at`. */
  | { readonly type: 'events'; readonly events: readonly SharedEvent[]; readonly at: string }
  /** The stream is interrupted. `message`: why, unless the server ended it as it should. */
  | { readonly type: 'down'; readonly message: string | undefined; readonly failed: boolean }
  | { readonly type: 'pong' }
);

export type TabMessage =
  /** Asks for topics in place of those before. The tab has everything of them up to `at`. */
  | {
      readonly type: 'join';
      readonly tab: string;
      readonly request: number;
      readonly topics: readonly Matcher[];
      readonly at: string;
    }
  | { readonly type: 'leave'; readonly tab: string }
  /** Is the leader alive? */
  | { readonly type: 'ping' };

export type Message = LeaderMessage | TabMessage;

type Check = (value: unknown) => boolean;

const is =
  (kind: string): Check =>
  (value) =>
    typeof value === kind;
const isText = is('string');
const isNumber = is('number');
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

const isEvent: Check = (value) => {
  const { topics, type, data, id } = (value ?? {}) as Partial<SharedEvent>;
  return [type, data, id].every(isText) && (topics === undefined || listOf(isText)(topics));
};

const CHECKS: Readonly<Record<string, Check>> = {
  term: isText,
  n: isNumber,
  tab: isText,
  request: isNumber,
  at: isText,
  topics: listOf((value) => isText(value) || isText((value as { pattern?: unknown } | null)?.pattern)),
  events: listOf(isEvent),
  failed: is('boolean'),
};

/** The fields of each message, apart from those that may be undefined. */
const PARTS: Readonly<Record<Message['type'], string>> = {
  lead: 'term n',
  joined: 'term n tab request at',
  refused: 'term n tab request',
  events: 'term n events at',
  down: 'term n failed',
  pong: 'term n',
  join: 'tab request topics at',
  leave: 'tab',
  ping: '',
};

/** Whether this came from a tab that speaks the same: any script of the origin can write into the channel. */
export function isMessage(value: unknown): value is Message {
  const message = (value ?? {}) as Readonly<Record<string, unknown>>;
  const { type } = message;
  if (typeof type !== 'string' || !Object.hasOwn(PARTS, type)) return false;
  const parts = PARTS[type as Message['type']].match(/\w+/g) ?? [];
  return parts.every((part) => CHECKS[part]?.(message[part]) === true);
}
