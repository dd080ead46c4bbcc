/**
 * Everything an engine outside of this package needs: the `EventLog` port with its types, and what all engines share.
 * The hub needs a `tail`; the rest is for you to use or to leave.
 */
export type { Appended, EventLog, LogQuery, Loss } from './event-log.ts';
/** `toNewEvent` checks an event that an engine takes from the app itself, as with `publishIn`. */
export { type EventInput, type NewEvent, type Pace, toNewEvent } from '../protocol/event.ts';
export type { Matcher } from '../protocol/matcher.ts';
export {
  type CompiledPattern,
  type MatcherSet,
  beginningOf,
  createMatcherSet,
  matcherOf,
} from '../protocol/matcher-set.ts';
/** An event's tags are among its topics. Nobody asks for their losses, so they are not worth remembering. */
export { TAG_PREFIX, isTag } from '../protocol/tags.ts';
export { literalPrefix } from '../protocol/pattern.ts';
export { type LogEntry, canonicalOf, entryOf, expiryOf, leftOf, sizeOf } from './entry.ts';
export { type PaceVerdict, conflictError, judgePace, valueSeqOf } from './conditions.ts';
export { Expiries } from './expiries.ts';
export { EntryList, type Wanted } from './entry-list.ts';
export { type LogTime, START, advanceTime } from './log-time.ts';
export { TopicWalk, type TopicWalkOptions, TopicWalks, type WalkStep } from './topic-walk.ts';
export {
  type KnownLosses,
  type LossPlace,
  type LossTally,
  type TopicLoss,
  NO_LOSS,
  isLossOf,
  joinLosses,
  lossesAfter,
  newestMatching,
  topicsLostAfter,
} from './topic-losses.ts';
export { TrimmedTopics } from './trimmed-topics.ts';
export { createWhileOpen } from './while-open.ts';
export { type Page, type PageLimit, toPage } from './page.ts';
export { type Patience, createPatience } from './patience.ts';
export {
  type Descent,
  type Lineage,
  type PastEpoch,
  type Standing,
  extendLineage,
  locate,
} from './lineage.ts';
export { AGED_STEP, type MissListener, type RewindListener, Tail, type TailOptions } from './tail.ts';
export { inNextTurn } from './next-turn.ts';
export {
  Follower,
  type FollowerOptions,
  type LogSource,
  type SourcePage,
  type SourceQuery,
  type SourceState,
} from './follower.ts';
export { RETENTION, type Retention, assertRetention } from './retention.ts';
export {
  type Bounds,
  HUBS_BOUNDS,
  TOPIC_RULES,
  type TopicRule,
  type TopicRules,
  boundsOf,
  createTopicRules,
  isCounted,
  isCountedInTail,
  isHubs,
  isState,
  keysOf,
} from './topic-rules.ts';
export { type Answer, GroupWriter } from './group-writer.ts';
export { SUPERSEDED_ID_WINDOW } from './superseded-ids.ts';
export { type Cursor, assertEpoch, formatCursor, parseCursor } from '../protocol/cursor.ts';
export { type LogErrorCode, closedError, createLogError } from './errors.ts';
export { TidingsError } from '../protocol/tidings-error.ts';
export { NOW, assertNow } from './clock.ts';
export {
  type Check,
  type Checks,
  aBoolean,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  assertOptions,
  either,
  invalidOption,
  listOf,
  oneOf,
  options,
} from '../protocol/options.ts';
