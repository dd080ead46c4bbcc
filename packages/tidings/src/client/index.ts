export type { Gap, GapReason } from '../protocol/control.ts';
export type { ErrorCode } from '../protocol/errors.ts';
export type { Matcher } from '../protocol/matcher.ts';
export { TidingsError } from '../protocol/tidings-error.ts';
export { connect } from './client.ts';
export type { EventClient, NextTry, ReceivedEvent } from './event-client.ts';
export type { Status } from './machine.ts';
export type { Opening } from './notices.ts';
export type { ClientOptions, Timers } from './options.ts';
