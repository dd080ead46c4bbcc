/**
 * `tidings/transport`: the parts of a transport. `negotiate` decides how to answer a request. The transport describes
 * the request, then sends the answer, or begins the stream and writes it through a sink of its own.
 */
export { readJson } from './body.ts';
export { assertHandlerOptions } from './check-options.ts';
export { CompressedSink } from './compressed-sink.ts';
export type { Authorization, CorsOptions, HandlerOptions } from './handler-options.ts';
export {
  type Acceptance,
  type Answer,
  type Begin,
  type Outcome,
  type RequestFacts,
  negotiate,
} from './negotiation.ts';
export { toProblem } from './problem.ts';
export type { CompressedStream, Compression } from '../hub/compression.ts';
export type { Beginning } from '../hub/delivery/connection.ts';
export type { Format } from '../hub/delivery/format.ts';
export type { Output, Sink } from '../hub/delivery/sink.ts';
export { type CompiledPattern, createMatcherSet } from '../protocol/matcher-set.ts';
export {
  type ForeignPattern,
  type PatternParts,
  type PatternSubject,
  type PatternSyntax,
  type PatternSyntaxOptions,
  createPatternSyntax,
} from '../protocol/pattern-syntax.ts';
export { type FrameFields, encodeFrame } from '../protocol/encode.ts';
export { tagOf, withoutTags } from '../protocol/tags.ts';
export { acceptedCompression } from './accept.ts';
export { corsHeaders, preflightHeaders } from './cors.ts';
export { STREAM_HEADERS } from './stream-headers.ts';
export type { ConnectRequest } from '../hub/connect-request.ts';
export type { ConnectionInfo, ConnectionPhase } from '../hub/connection-info.ts';
export { type Gateway, type OwnConnection, type Visit, gatewayOf } from '../hub/gateway.ts';
export { type Start, parseStart } from '../protocol/cursor.ts';
/** For what a server adds of its own: its errors and option bags look like the library's. */
export { createError, titleOf } from '../protocol/errors.ts';
export {
  type Check,
  type Checks,
  type OptionError,
  aBoolean,
  aNumber,
  aString,
  assertOptions,
  describe,
  either,
  likelyName,
  listOf,
  oneOf,
  options,
} from '../protocol/options.ts';
export { type JsonBounds, exceededBound } from '../protocol/json-shape.ts';
export { TOPIC_RULE } from '../log/topic-rules.ts';
export { PRESENCE_RULE } from '../hub/presence/rules.ts';
export type { MatcherSet } from '../protocol/matcher-set.ts';
