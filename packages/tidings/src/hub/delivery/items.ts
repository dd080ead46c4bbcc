import type { Gap } from '../../protocol/control.ts';
import { formatCursor } from '../../protocol/cursor.ts';
import type { LogEntry } from '../../log/entry.ts';
import { type Tags, tagsOf, withoutTags } from '../../protocol/tags.ts';
import type { Format } from './format.ts';
import type { Output } from './sink.ts';

/** An event for readers in this process. They share these objects. */
export interface ItemEvent {
  readonly topics: readonly [string, ...string[]];
  /** `message` unless the publisher said otherwise. */
  readonly type: string;
  /** The text on the wire: JSON, or raw text. */
  readonly data: string;
  readonly id: string | undefined;
  readonly key: string | undefined;
  readonly tombstone: boolean;
  readonly private: boolean;
  /** As published; empty if there are none. */
  readonly tags: Tags;
  /** The event's number in the log, for `ifSeq`. */
  readonly seq: number;
  /** Milliseconds since 1970, when it was appended. */
  readonly time: number;
  /** The data as a value. @throws {SyntaxError} if it is not JSON. */
  json<T = unknown>(): T;
}

/**
 * An item of `hub.subscribe`. Its `cursor` covers every item up to there: begin with it later and you miss nothing.
 *
 * - `start` comes first: whether your cursor could be resumed, and the events lost since, as gaps.
 * - `state` is a state's newest event, from before the start; after the last of them comes a `cursor`.
 * - `event` is an event, in the order of the log.
 * - `gap` says that retention took events before they could be read.
 */
export type Item =
  | {
      readonly kind: 'start';
      readonly resumed: boolean;
      readonly gaps: readonly Gap[];
      /** Absent if states follow. */
      readonly cursor: string | undefined;
    }
  | ({ readonly kind: 'state' } & ItemEvent)
  | ({ readonly kind: 'event'; readonly cursor: string } & ItemEvent)
  | { readonly kind: 'gap'; readonly gaps: readonly Gap[]; readonly cursor: string }
  | { readonly kind: 'cursor'; readonly cursor: string };

/** One delivery to a reader in this process. It never goes over a wire. */
export interface ItemBatch extends Output {
  readonly items: readonly Item[];
}

const NO_TAGS: Tags = {};

function batch(...items: readonly Item[]): ItemBatch {
  return { length: 0, items };
}

function toEvent({
  topics,
  type = 'message',
  data,
  id,
  key,
  tombstone,
  private: isPrivate,
  seq,
  time,
}: LogEntry): ItemEvent {
  const own = withoutTags(topics);
  const tags = own === topics ? NO_TAGS : tagsOf(topics);
  return { topics: own, type, data, id, key, tombstone, private: isPrivate, tags, seq, time, json };
}

function json<T>(this: ItemEvent): T {
  return JSON.parse(this.data) as T;
}

/** Items instead of frames: a reader in this process decodes nothing. */
export const items: Format = {
  name: 'items',
  welcome: ({ resumed, gaps }, _retry, cursor) => batch({ kind: 'start', resumed, gaps, cursor }),
  events: (entries, epoch) =>
    batch(
      ...entries.map((entry): Item => {
        return { kind: 'event', cursor: formatCursor({ epoch, seq: entry.seq }), ...toEvent(entry) };
      }),
    ),
  snapshot: (entries, cursor) => {
    const states = entries.map((entry): Item => ({ kind: 'state', ...toEvent(entry) }));
    if (cursor !== undefined) return batch(...states, { kind: 'cursor', cursor });
    return states.length === 0 ? undefined : batch(...states);
  },
  gap: ({ gaps }, cursor) => batch({ kind: 'gap', gaps, cursor }),
  // The rest is for clients at the other end of a wire.
  subscribed: () => batch(),
  expiring: () => batch(),
  goodbye: () => batch(),
  heartbeat: () => batch(),
  alone: () => batch(),
};
