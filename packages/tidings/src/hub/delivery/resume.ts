import type { Gap, GapReason } from '../../protocol/control.ts';
import type { Cursor, Start } from '../../protocol/cursor.ts';
import type { EventLog, Loss } from '../../log/event-log.ts';
import { type Descent, locate } from '../../log/lineage.ts';
import type { MatcherSet } from '../../protocol/matcher-set.ts';
import { lossesFor, lostOrSkipped, needsSnapshot, newLosses, trimmedGaps } from './gaps.ts';
import type { Replay } from './replay.ts';

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
  readonly otherwise?: 'head' | 'earliest' | undefined;
  readonly reconnects: boolean;
  readonly wanted: MatcherSet;
  readonly granted: MatcherSet;
}

/** The receivers of events that the log has lost since; both for a cursor that is beyond the end of its epoch. */
export interface Lost {
  /** Resolves once all that is known has come. */
  whenKnown(cursor: Cursor): Promise<void>;
  /** Whether the subscriber may have received some of them. */
  isConcerned(cursor: Cursor): boolean;
}

/**
 * Decides where a request begins. A cursor that isn't one of this log doesn't fail the request, since a native
 * EventSource would then stay away for good: the connection begins at the head, and its welcome names the gap.
 */
export async function judge(
  request: Asked,
  log: EventLog,
  bound: (after: number) => Replay | Promise<Replay>,
  lost: Lost,
): Promise<Verdict> {
  const { start, otherwise, reconnects, wanted } = request;
  const { tail } = log;
  const isNew = !reconnects && log.rules.canBeState(wanted);
  if (start === 'head') return beginAt(tail.head, log.rules.canBeState(wanted));
  if (start === 'earliest') {
    await log.catchUp();
    return judgeEarliest(request, log, bound);
  }
  const begin = async (reason: GapReason): Promise<Verdict> => {
    if (otherwise !== 'earliest') return gapAtHead(reason, log, wanted);
    const verdict = await judgeEarliest(request, log, bound);
    return { ...verdict, gaps: [{ topics: wanted.matchers, reason }, ...verdict.gaps] };
  };
  if (start === 'unknown') return begin('unknown-cursor');
  let standing = locate(start, descentOf(log));
  if (standing.is === 'ahead' || (standing.is === 'foreign' && log.shared)) {
    // It may come from another process, which is a little ahead.
    await log.catchUp();
    standing = locate(start, descentOf(log));
  }
  if (standing.is === 'rewound') {
    await lost.whenKnown(start);
    standing = locate(start, descentOf(log));
  }
  if (standing.is === 'foreign') return begin('epoch');
  if (standing.is === 'ahead') return begin('unknown-cursor');
  // No event of the new epoch is missing, but the log has lost some that the subscriber received.
  if (standing.is === 'rewound' && lost.isConcerned(start)) return gapAt(standing.seq, 'epoch', log, wanted);
  const { seq, skipped } = await bound(standing.seq);
  // After the search for what is skipped, which couldn't see events that retention took before it came there.
  const losses = standing.seq >= log.newestLoss ? [] : await lossesFor(log, standing.seq, request);
  const missing = lostOrSkipped(losses, skipped, wanted);
  return {
    seq,
    resumed: missing.length === 0,
    gaps: trimmedGaps(missing),
    losses,
    snapshot: isNew || needsSnapshot(missing, log),
  };
}

/** `earliest` asks only for what is retained: events that were lost before are no gap. */
async function judgeEarliest(
  asked: Asked,
  log: EventLog,
  bound: (after: number) => Replay | Promise<Replay>,
): Promise<Verdict> {
  const { floor } = log;
  const before = await lossesFor(log, floor, asked);
  const replay = bound(floor);
  if (!(replay instanceof Promise)) return { ...beginAt(replay.seq), losses: before };
  const { seq, skipped } = await replay;
  const losses = await lossesFor(log, floor, asked);
  const told = new Map<string, number>();
  newLosses(before, told);
  const missing = lostOrSkipped(newLosses(losses, told), skipped, asked.wanted);
  return { ...beginAt(seq, needsSnapshot(missing, log)), gaps: trimmedGaps(missing), losses };
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
