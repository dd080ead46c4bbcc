import type { Timers } from '../client/timers.ts';
import { type Connection, createConnection, type Opener } from './connection.ts';
import { createNotifier, type Notifier } from './notifier.ts';
import { createReduced, type Reduced, type ReducedOptions } from './reduced.ts';
import { createSharedValues, type Hearing, type SharedValues } from './shared-values.ts';

/** The side of a provider that the hooks below it use. */
export interface Store {
  readonly connection: Connection;
  readonly values: SharedValues;
  reduced<State>(options: Omit<ReducedOptions<State>, 'timers'>): Reduced<State>;
}

export function createStore(opener: Opener, timers: Timers): Store {
  const notifier: Notifier = createNotifier();
  const connection = createConnection(opener, notifier);
  return {
    connection,
    values: createSharedValues(connection, notifier),
    reduced: (options) => createReduced(connection, notifier, { ...options, timers }),
  };
}

/** Events as they come. */
export const PLAIN: Hearing = { id: '', wrap: (listen) => listen };
