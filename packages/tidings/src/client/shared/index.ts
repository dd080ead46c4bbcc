export type { Answer, Bytes } from './answer.ts';
export { type SharedEnvironment, webSharedEnvironment } from './environment.ts';
export type { OpenUpstream } from './leadership.ts';
export { createSharedStream, type Init, type Query, type SharedStream } from './shared-stream.ts';
