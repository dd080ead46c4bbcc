export type { Answer, Bytes } from './answer.ts';
export { type SharedEnvironment, webSharedEnvironment } from './environment.ts';
export type { OpenUpstream } from './group.ts';
export { createSharedStream, type Init, type Query, type SharedStream } from './shared-stream.ts';
