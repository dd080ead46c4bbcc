/**
 * `tidings/ai`: answers of models that survive. A run is produced once, on the log, whoever watches; viewers read it
 * from any position, as often as they like.
 */
export { type Runs, type RunsCloseOptions, type StartOptions, createRuns } from './runs.ts';
export type { RunResult, RunsOptions } from './options.ts';
export type { Run } from './run.ts';
export type { RunItem } from './read-run.ts';
export type { Produce, Source } from './producer.ts';
export type { EndStatus, RunError, RunRecord, RunStatus } from './record.ts';
export type { RunHandler, RunHandlerOptions } from './handlers.ts';
export type { NodeLikeRequest, NodeLikeResponse } from './http.ts';
export {
  type RunCursor,
  type RunEnd,
  type RunFacts,
  type View,
  type ViewRequest,
  formatRunCursor,
  parseRunCursor,
} from './view.ts';
export { mergeDeltas, textOf } from './merge.ts';
export { rawChunks } from './views/raw.ts';
export { responseEvents } from './views/responses.ts';
export { uiMessages } from './views/ui-messages.ts';
export { type AssistantUiStore, assistantUiStore } from './ports/assistant-ui.ts';
export { type TanStackDurability, type TanStackRun, tanstackDurability } from './ports/tanstack.ts';
export type { PortOptions } from './ports/stored-streams.ts';
