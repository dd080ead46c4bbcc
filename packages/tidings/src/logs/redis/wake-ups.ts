import type { LogEntry } from '../../log/index.ts';
import { toStored } from './records.ts';
import { toExpiry } from './store.ts';

/** The news that an append brings: an entry of the stream `wake`. */
export interface WakeUp {
  /** Of the entry: the head, and how many wake-ups there have been at this head. */
  readonly head: number;
  readonly nth: number;
  /** Undefined: another epoch has begun. */
  readonly epoch: string | undefined;
  /** The process that appended. */
  readonly by: string | undefined;
  /** All of it, as Redis has it: names and values. */
  readonly fields: readonly string[];
}

/** What a small append has put into the log, and the log's state after it. */
export interface News {
  /** The head before. */
  readonly before: number;
  readonly floor: number;
  readonly newestLoss: number;
  readonly lossCount: number;
  /** When the next key expires; Infinity if none does. */
  readonly nextExpiry: number;
  /** Whether newer values have taken topics from events that are still in the log. */
  readonly hasLeft: boolean;
  readonly entries: readonly LogEntry[];
}

/** The wake-ups of the reply, oldest first, wherever the protocol's version puts them. */
export function wakeUpsIn(reply: unknown): readonly WakeUp[] {
  if (typeof reply !== 'object' || reply === null) return [];
  const values: readonly unknown[] = reply instanceof Map ? [...reply.values()] : Object.values(reply);
  const [id, fields] = values;
  const [, head, nth] = (typeof id === 'string' && Array.isArray(fields) && /^(\d+)-(\d+)$/.exec(id)) || [];
  if (head === undefined) return values.flatMap(wakeUpsIn);
  const list = fields as readonly string[];
  return [
    {
      head: Number(head),
      nth: Number(nth),
      epoch: valueOf(list, 'epoch'),
      by: valueOf(list, 'by'),
      fields: list,
    },
  ];
}

/** Undefined if the append was too large for it, or was no ordinary one. */
export function newsOf({ fields }: WakeUp): News | undefined {
  const after = valueOf(fields, 'after');
  if (after === undefined) return undefined;
  const [before, floor, newestLoss, lossCount, left, expiry] = after.split(' ');
  const entries: LogEntry[] = [];
  for (let at = fields.indexOf('entry'); at !== -1;) {
    // Fields have names of one letter.
    let end = at + 2;
    while (end < fields.length && fields[end] !== 'entry') end += 2;
    entries.push(...toStored([fields[at + 1] ?? '', fields.slice(at + 2, end)]).entries);
    at = end < fields.length ? end : -1;
  }
  return {
    before: Number(before),
    floor: Number(floor),
    newestLoss: Number(newestLoss),
    lossCount: Number(lossCount),
    nextExpiry: toExpiry(expiry),
    hasLeft: Number(left) > 0,
    entries,
  };
}

/** Before the first event: what an event has may read like one of these names. */
function valueOf(fields: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < fields.length && fields[at] !== 'entry'; at += 2)
    if (fields[at] === name) return fields[at + 1];
  return undefined;
}
