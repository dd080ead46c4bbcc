import { type Hub, type HubOptions, startHub } from './hub/index.ts';
import { memoryLog } from './logs/memory/index.ts';

/** @throws {TidingsError} `hub/invalid-option`. */
export function createHub(options: HubOptions = {}): Hub {
  return startHub({ ...options, log: options.log ?? memoryLog() });
}

export { webhook, type WebhookOptions } from './hub/consume/webhook.ts';
export { globalHub } from './hub/global-hub.ts';
export { memoryLog, type MemoryLogOptions } from './logs/memory/index.ts';
export { type ErrorCode, errorCodes, forbidden, tooManyRequests, unauthorized } from './protocol/errors.ts';
export { escapePattern } from './protocol/escape-pattern.ts';
export { TidingsError } from './protocol/tidings-error.ts';
export { EARLIEST } from './protocol/cursor.ts';
export type { EventInput, EventOptions } from './protocol/event.ts';
export type { Matcher } from './protocol/matcher.ts';
export type { Gap, GapNotice, GapReason, Goodbye, GoodbyeReason, Welcome } from './protocol/control.ts';
export type { EventLog } from './log/event-log.ts';
export type { Retention } from './log/retention.ts';
export type { TopicRule } from './log/topic-rules.ts';
export type {
  Clock,
  CloseOptions,
  ClusterOptions,
  ClusterStats,
  ConnectVerdict,
  ConnectionEnd,
  ConnectionInfo,
  ConnectionPhase,
  ConsumeContext,
  ConsumeHandler,
  ConsumeOptions,
  ConsumedEvent,
  Consumer,
  DirectEvent,
  DisconnectOptions,
  DisconnectTarget,
  Durations,
  EndReason,
  HealthOptions,
  Hub,
  HubHealth,
  HubLimits,
  HubOptions,
  HubStats,
  Item,
  ItemEvent,
  Member,
  NodeInfo,
  NodeStats,
  Presence,
  PresenceRule,
  Published,
  RevokeOptions,
  RevokeTarget,
  StatsOptions,
  SubscribeOptions,
  Tallies,
} from './hub/index.ts';
