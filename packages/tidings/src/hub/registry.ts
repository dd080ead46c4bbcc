import { createError } from '../protocol/errors.ts';
import type { TidingsError } from '../protocol/tidings-error.ts';
import { type AddressGroup, groupOf } from './address.ts';
import type { Connection } from './delivery/connection.ts';
import type { ConnectionLimits } from './limits.ts';

/** Seconds after which a refused client may try again: about when others have gone. */
const RETRY_AFTER = 5;

/** All connections, and how many of them each subject and each address has. */
export class Registry {
  readonly #connections = new Map<string, Connection>();
  readonly #bySubject = new Map<string, number>();
  readonly #byAddress = new Map<string, number>();
  readonly #limits: ConnectionLimits;
  #warn: ((address: string) => void) | undefined;
  /** The address that was asked about last, as an admission does several times: parsing it takes microseconds (`resume`). */
  #last: { readonly remote: string; readonly group: AddressGroup } = { remote: '', group: groupOf('') };

  /**
   * Whether private addresses and this machine's own may have more connections than others, since they may well be those of
   * a proxy that the app doesn't know of.
   */
  sparesPrivate = false;

  /** @param warn called once, when an address that is spared has more connections than others may have. */
  constructor(limits: ConnectionLimits, warn?: (address: string) => void) {
    this.#limits = limits;
    this.#warn = warn;
  }

  get size(): number {
    return this.#connections.size;
  }

  get(id: string): Connection | undefined {
    return this.#connections.get(id);
  }

  /** How many connections a subject has. */
  countOf(subject: string): number {
    return count(this.#bySubject, subject);
  }

  /** Those that have connections. */
  get subjects(): Iterable<string> {
    return this.#bySubject.keys();
  }

  values(): IterableIterator<Connection> {
    return this.#connections.values();
  }

  /**
   * `elsewhere`: the subject's connections at other nodes.
   * @throws {TidingsError} `hub/unavailable` (503) or `limit/connections` (429), both with `retryAfter` in seconds.
   */
  assertRoom(subject: string | undefined, remote: string | undefined, elsewhere = 0): void {
    const { connections, connectionsPerSubject, connectionsPerAddress } = this.#limits;
    if (this.size >= connections) {
      throw createError('hub/unavailable', 'This server has as many connections as it may have.', {
        details: { retryAfter: RETRY_AFTER },
      });
    }
    if (count(this.#bySubject, subject) + elsewhere >= connectionsPerSubject)
      throw tooMany('subject', connectionsPerSubject);
    if (remote === undefined) return;
    const { key, isPrivate } = this.#groupOf(remote);
    if (count(this.#byAddress, key) < connectionsPerAddress) return;
    if (!this.sparesPrivate || !isPrivate) throw tooMany('address', connectionsPerAddress);
    this.#warn?.(key);
    this.#warn = undefined;
  }

  add(connection: Connection): void {
    this.#connections.set(connection.id, connection);
    change(this.#bySubject, connection.request.subject, 1);
    change(this.#byAddress, this.#keyOf(connection), 1);
  }

  delete(connection: Connection): void {
    if (!this.#connections.delete(connection.id)) return;
    change(this.#bySubject, connection.request.subject, -1);
    change(this.#byAddress, this.#keyOf(connection), -1);
  }

  #keyOf({ request: { remote } }: Connection): string | undefined {
    return remote === undefined ? undefined : this.#groupOf(remote).key;
  }

  #groupOf(remote: string): AddressGroup {
    if (this.#last.remote !== remote) this.#last = { remote, group: groupOf(remote) };
    return this.#last.group;
  }
}

function count(counts: ReadonlyMap<string, number>, key: string | undefined): number {
  return key === undefined ? 0 : (counts.get(key) ?? 0);
}

function change(counts: Map<string, number>, key: string | undefined, by: number): void {
  if (key === undefined) return;
  const now = count(counts, key) + by;
  if (now === 0) counts.delete(key);
  else counts.set(key, now);
}

function tooMany(per: string, limit: number): TidingsError {
  return createError(
    'limit/connections',
    `Only ${limit} connections are allowed for one ${per}; close one first.`,
    {
      details: { retryAfter: RETRY_AFTER, limit, per },
    },
  );
}
