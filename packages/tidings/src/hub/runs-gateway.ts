import type { EventLog } from '../log/event-log.ts';
import type { EventInput, NewEvent } from '../protocol/event.ts';
import { gatewayOf } from './gateway.ts';
import type { Published } from './hub.ts';
import type { Listener, Listening } from './subscribe.ts';

/** The side of a hub that runs (`tidings/ai`) need and an app doesn't see. */
export interface RunsGateway {
  readonly log: EventLog;
  /** Whether the hub is closed, or being closed. */
  readonly closing: boolean;
  /** Like the hub's `publishAll`, but on the topics of runs, where apps may not publish. */
  publish(events: readonly EventInput[]): Promise<readonly Published[]>;
  /**
   * Appends an event without checking it, since the checks of `publish` take as long as the append itself (bench: `runs`).
   * The caller answers for its validity.
   *
   * @throws {TidingsError} `event/too-large`; the error of the log's engine.
   */
  append(event: NewEvent): Promise<void>;
  /**
   * Reads a topic from its snapshot on, as `subscribe` does.
   *
   * @throws {TidingsError} `hub/unavailable`.
   */
  listen(topic: string, listener: Listener): Listening;
}

/** Under `Symbol.for`, like `GATEWAY`: another copy of the package may have made the hub. */
export const RUNS_GATEWAY: unique symbol = Symbol.for('tidings.runs-gateway') as never;

/** @throws {TidingsError} `hub/invalid-option` if it isn't a hub, or a hub of another version of the package. */
export function runsGatewayOf(hub: object): RunsGateway {
  gatewayOf(hub);
  return (hub as { [RUNS_GATEWAY]: RunsGateway })[RUNS_GATEWAY];
}
