export * from './clock.ts';
export * from './compression.ts';
export * from './delivery/sink.ts';
export * from './gateway.ts';
export * from './hub.ts';
export * from './options.ts';
export * from './presence/presence.ts';
export * from './request.ts';
