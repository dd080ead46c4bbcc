import type { Gap, GapReason } from '../../protocol/control.ts';
import type { Start } from '../../protocol/cursor.ts';
import { matcherKey } from '../../protocol/matcher.ts';
import type { EventLog, Loss } from '../../log/event-log.ts';
import { type Descent, locate } from '../../log/lineage.ts';
import { type MatcherSet, createMatcherSet } from '../../protocol/matcher-set.ts';

/** Where a connection begins to read, and what its welcome says about that. */
export interface Verdict {
  readonly seq: number;
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
  readonly losses: readonly Loss[];
  /** Whether a snapshot of the state topics comes before the events after `seq`. */
  readonly snapshot: boolean;
}

/** The fields of a `ConnectRequest` that decide it. */
interface Asked {
  readonly start: Start;
  readonly reconnects: boolean;
  readonly wanted: MatcherSet;
}

/**
 * Decides where a request begins. A cursor that isn't one of this log doesn't fail the request, since a native
 * EventSource would then stay away for good: the connection begins at the head, and its welcome names the gap.
 */
export async function judge(request: Asked, log: EventLog): Promise<Verdict> {
  const { start, reconnects, wanted } = request;
  const { tail } = log;
  const isNew = !reconnects && log.rules.canBeState(wanted);
  if (start === 'head') return beginAt(tail.head, log.rules.canBeState(wanted));
  if (start === 'earliest') {
    await log.catchUp();
    // `earliest` asks only for retained events, so losses until now are no gap.
    return { ...beginAt(log.floor), losses: await log.losses(log.floor, wanted) };
  }
  if (start === 'unknown') return gapAtHead('unknown-cursor', log, wanted);
  let standing = locate(start, descentOf(log));
  if (standing.is === 'ahead' || (standing.is === 'foreign' && log.shared)) {
    // It may come from another process, which is a little ahead.
    await log.catchUp();
    standing = locate(start, descentOf(log));
  }
  if (standing.is === 'foreign') return gapAtHead('epoch', log, wanted);
  if (standing.is === 'ahead') return gapAtHead('unknown-cursor', log, wanted);
  const { seq } = standing;
  // No event of the new epoch is missing, but the log has lost some that the subscriber received.
  if (standing.is === 'rewound') return gapAt(seq, 'epoch', log, wanted);
  if (seq >= log.newestLoss) return { seq, resumed: true, gaps: [], losses: [], snapshot: isNew };
  const losses = await log.losses(seq, wanted);
  const resumed = losses.length === 0;
  return {
    seq,
    resumed,
    gaps: trimmedGaps(losses),
    losses,
    snapshot: isNew || needsSnapshot(losses, log),
  };
}

export function trimmedGaps(losses: readonly Loss[]): readonly Gap[] {
  return losses.length === 0 ? [] : [{ topics: losses.map(({ matcher }) => matcher), reason: 'trimmed' }];
}

/** On a state topic, the snapshot makes up for lost events. */
export function needsSnapshot(losses: readonly Loss[], log: EventLog): boolean {
  return losses.length > 0 && log.rules.canBeState(createMatcherSet(losses.map(({ matcher }) => matcher)));
}

/** The losses that a reader does not know yet. Remembers them in `told`, by their number. */
export function newLosses(losses: readonly Loss[], told: Map<string, number>): readonly Loss[] {
  const news = losses.filter(({ matcher, count }) => count > (told.get(matcherKey(matcher)) ?? 0));
  for (const { matcher, count } of news) told.set(matcherKey(matcher), count);
  return news;
}

function beginAt(seq: number, snapshot = false): Verdict {
  return { seq, resumed: false, gaps: [], losses: [], snapshot };
}

function descentOf({ tail, lineage }: EventLog): Descent {
  return { epoch: tail.epoch, head: tail.head, lineage };
}

function gapAtHead(reason: GapReason, log: EventLog, wanted: MatcherSet): Verdict {
  return gapAt(log.tail.head, reason, log, wanted);
}

/** The missed events are unknown, but state topics can send their state. */
function gapAt(seq: number, reason: GapReason, log: EventLog, wanted: MatcherSet): Verdict {
  return { ...beginAt(seq, log.rules.canBeState(wanted)), gaps: [{ topics: wanted.matchers, reason }] };
}
