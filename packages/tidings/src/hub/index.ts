export * from './clock.ts';
export * from './connection.ts';
export * from './hub.ts';
export * from './log.ts';
export * from './matcher-set.ts';
export * from './options.ts';
export * from './tail.ts';
export * from './topic-rules.ts';
