export { TidingsError } from '../../protocol/tidings-error.ts';
export { EventSource } from './event-source.ts';
export type {
  EventSourceErrorEvent,
  EventSourceFetch,
  EventSourceMessageEvent,
  EventSourceOptions,
  EventSourceRequest,
  EventSourceResponse,
} from './types.ts';
