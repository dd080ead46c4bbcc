import type { Got, MovingReader } from './moving-reader.ts';

/** The faults of the nodes and of the engine. */
export interface Faults {
  kills: number;
  pauses: number;
  restarts: number;
  failovers: number;
  partitions: number;
}

export interface Tally extends Faults {
  readonly acknowledged: number;
  readonly deliveries: number;
  /** Acknowledged events that the engine has lost, in a failover to a replica that was behind. */
  readonly lostByEngine: number;
  /** In the log, and not received by a reader that was not told. */
  readonly lostSilently: number;
  readonly doubled: number;
  /** Readers that had received a lost event, and those of them that were told. */
  readonly concerned: number;
  readonly told: number;
  /** Told of a gap, though they had received all that was left, and nothing else. */
  readonly toldForNothing: number;
  /** The longest time after a fault until every node counted exactly those who were there, in milliseconds. */
  readonly presenceTrueAfter: number;
}

/** `truth`: what is left in the log, by topic. `acknowledged`: the topics of events by their ids. */
export function judge(
  readers: readonly MovingReader[],
  truth: ReadonlyMap<string, ReadonlySet<string>>,
  acknowledged: ReadonlyMap<string, string>,
): Omit<Tally, keyof Faults | 'presenceTrueAfter'> {
  const tally = { lostSilently: 0, doubled: 0, concerned: 0, told: 0, toldForNothing: 0, deliveries: 0 };
  for (const { topic, got } of readers) {
    const left = truth.get(topic) ?? new Set();
    const seen = new Set(got.flatMap((each) => ('event' in each ? [each.event] : [])));
    tally.deliveries += got.length;
    for (const id of left) if (!seen.has(id)) tally.lostSilently += 1;
    const wasTold = got.some((each) => 'gap' in each);
    tally.doubled += countDoubled(got);
    // Received before the engine lost it. It may have come again, since its publisher had no answer.
    const isConcerned = [...seen].some((id) => !left.has(id)) || hasAgain(got);
    if (isConcerned) tally.concerned += 1;
    if (isConcerned && wasTold) tally.told += 1;
    if (!isConcerned && wasTold) tally.toldForNothing += 1;
  }
  const lostByEngine = [...acknowledged].filter(([id, topic]) => truth.get(topic)?.has(id) !== true).length;
  return { ...tally, acknowledged: acknowledged.size, lostByEngine };
}

/** Events that came twice without a gap in between. */
function countDoubled(got: readonly Got[]): number {
  let doubled = 0;
  const sinceGap = new Set<string>();
  for (const each of got) {
    if ('gap' in each) sinceGap.clear();
    else if (sinceGap.has(each.event)) doubled += 1;
    else sinceGap.add(each.event);
  }
  return doubled;
}

function hasAgain(got: readonly Got[]): boolean {
  const events = got.flatMap((each) => ('event' in each ? [each.event] : []));
  return new Set(events).size < events.length;
}
