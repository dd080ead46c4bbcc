import type { EventLog } from '../log/event-log.ts';
import { type Checks, aNumber } from '../protocol/options.ts';
import type { Clock } from './clock.ts';

export interface HealthOptions {
  /** How long the log's engine has to answer, in milliseconds. Default 1,000. */
  readonly within?: number;
}

/** The state of a hub, for the health checks of load balancers and orchestrators. */
export interface HubHealth {
  /** Whether new connections are welcome: the hub is started and not closing, and the log's engine answers. */
  readonly ready: boolean;
  /** The hub is closing. */
  readonly draining: boolean;
  /** The hub has read what it needs from the log: revocations and the other nodes. */
  readonly started: boolean;
  readonly log: {
    /** Whether the engine answered in time. A log in memory always does. */
    readonly up: boolean;
    /** How long its answer took, in milliseconds; if there was none, how long the hub has waited. */
    readonly took: number;
    /** Why it is not up, if it said so. */
    readonly error?: unknown;
  };
}

export const HEALTH_OPTIONS: Checks<HealthOptions> = { within: aNumber({ min: 1, finite: true }) };

interface Probe {
  /** By the clock's monotonic time. */
  readonly since: number;
  readonly answer: Promise<{ readonly at: number; readonly error?: unknown }>;
}

/** Asks the log's engine whether it is there: one question at a time, however many want to know. */
export class HealthCheck {
  readonly #log: EventLog;
  readonly #clock: Clock;
  #probe: Probe | undefined;

  constructor(log: EventLog, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  async check(within: number): Promise<HubHealth['log']> {
    const { since, answer } = (this.#probe ??= this.#ask());
    let cancel = (): void => {};
    const late = new Promise<undefined>((resolve) => {
      cancel = this.#clock.setTimer(() => resolve(undefined), within);
    });
    const first = await Promise.race([answer, late]);
    cancel();
    if (first === undefined) return { up: false, took: this.#clock.monotonic() - since };
    const took = first.at - since;
    return 'error' in first ? { up: false, took, error: first.error } : { up: true, took };
  }

  #ask(): Probe {
    const since = this.#clock.monotonic();
    // Within a promise: a log may also throw.
    const answer = Promise.resolve()
      .then(() => this.#log.catchUp())
      .then(
        () => ({ at: this.#over() }),
        (error: unknown) => ({ at: this.#over(), error }),
      );
    return { since, answer };
  }

  #over(): number {
    this.#probe = undefined;
    return this.#clock.monotonic();
  }
}
