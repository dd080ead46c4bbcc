export { defineEvents, type Events, type EventSchemas } from './define-events.ts';
export type { StandardSchema } from './schema.ts';
export { typedClient, type TypedClient, type TypedClientOptions, type TypedEvent } from './typed-client.ts';
export { typedHub, type EventFor, type TypedHub, type TypedOptions } from './typed-hub.ts';
