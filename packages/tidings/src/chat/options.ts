import {
  type Checks,
  aFunction,
  aNumber,
  aString,
  anObjectWith,
  checkOptions,
  either,
  oneOf,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';

/** A value, or a function that returns it for each request. */
type Resolvable<T> = T | (() => T | Promise<T>);

export interface ChatTransportOptions {
  /** Where messages are posted. The handlers `follow` and `stop` are below it, at `/:chat/stream` and `/:chat/stop`. */
  readonly api?: string;
  readonly headers?: Resolvable<Readonly<Record<string, string>>>;
  /** More properties of the posted body. */
  readonly body?: Resolvable<object>;
  readonly credentials?: RequestCredentials;
  readonly fetch?: typeof globalThis.fetch;
  /** Milliseconds without a byte after which a stream counts as dead. Default 40,000: the server's heartbeat is 15,000. */
  readonly silence?: number;
}

const anObject = anObjectWith('an object');

export const CHAT_TRANSPORT_OPTIONS: Checks<ChatTransportOptions> = {
  api: aString,
  headers: either(aFunction, anObject),
  body: either(aFunction, anObject),
  credentials: oneOf('omit', 'same-origin', 'include'),
  fetch: aFunction,
  silence: aNumber({ min: 1 }),
};

/** @throws {TidingsError} `client/invalid-option`. */
export function assertChatTransportOptions(options: ChatTransportOptions): void {
  checkOptions(
    options,
    CHAT_TRANSPORT_OPTIONS,
    '',
    (option, message) => new TidingsError('client/invalid-option', message, { details: { option } }),
  );
}

export async function resolveValue<T extends object>(value: Resolvable<T> | undefined): Promise<Partial<T>> {
  return typeof value === 'function' ? value() : (value ?? {});
}
