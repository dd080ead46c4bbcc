import type { Gap } from '../protocol/control.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { type Channel, createChannel } from './channel.ts';
import type { NextTry } from './event-client.ts';
import type { Status } from './machine.ts';
import type { Opening } from './read-control.ts';

/** What an app can listen to besides events. */
export interface Listeners {
  readonly opened: Channel<[Opening]>;
  readonly gaps: Channel<[readonly Gap[]]>;
  readonly errors: Channel<[TidingsError, NextTry]>;
  readonly statuses: Channel<[Status]>;
  readonly comments: Channel<[string]>;
}

export function createListeners(): Listeners {
  return {
    opened: createChannel(),
    gaps: createChannel(),
    errors: createChannel(),
    statuses: createChannel(),
    comments: createChannel(),
  };
}

export function removeAll(listeners: Listeners): void {
  for (const channel of Object.values(listeners) as { clear(): void }[]) channel.clear();
}
