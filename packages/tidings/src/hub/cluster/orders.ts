import type { LogEntry } from '../../log/entry.ts';
import { createError } from '../../protocol/errors.ts';
import { aNumber, aString, assertOptions, type Checks, invalidOption } from '../../protocol/options.ts';
import type { Connection } from '../delivery/connection.ts';
import { HUB_TOPICS } from './hub-topics.ts';
import type { LedgerReader } from './ledger.ts';

/** Connections at any node: those to which all of the given fields apply. */
export interface DisconnectTarget {
  readonly subject?: string;
  /** A connection's id. */
  readonly connection?: string;
  /** A topic that it asks for by name. */
  readonly topic?: string;
}

/** Authorizations that no longer count: one subject's, or all that were issued before a time. */
export interface RevokeTarget {
  readonly subject?: string;
  /** Milliseconds since 1970. Default, with a `subject`: now. */
  readonly tokensIssuedBefore?: number;
}

export interface RevokeOptions {
  /** How long it stands, in milliseconds: as long as your tokens live. Default one day; 0 takes it back. */
  readonly for?: number;
}

export const DISCONNECT_TARGET: Checks<DisconnectTarget> = {
  subject: aString,
  connection: aString,
  topic: aString,
};
export const REVOKE_TARGET: Checks<RevokeTarget> = {
  subject: aString,
  tokensIssuedBefore: aNumber({ min: 0, finite: true }),
};
export const REVOKE_OPTIONS: Checks<RevokeOptions> = { for: aNumber({ min: 0, finite: true }) };

export interface DisconnectOrder {
  readonly who: DisconnectTarget;
  readonly retry?: number | undefined;
}

export interface Revocation {
  readonly subject?: string | undefined;
  readonly before: number;
}

/** A connection, or somebody who wants one. */
interface Bearer {
  readonly subject?: string | undefined;
  readonly issuedAt?: number | undefined;
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function assertDisconnectTarget(who: DisconnectTarget): void {
  assertOptions(who, DISCONNECT_TARGET);
  if (Object.values(who).every((value) => value === undefined))
    throw invalidOption(
      'where',
      'Say whom to disconnect: a `subject`, a `connection`, a `topic`, or a function.',
    );
}

/** @throws {TidingsError} `hub/invalid-option`. */
export function toRevocation(who: string | RevokeTarget, now: number): Revocation {
  const target: RevokeTarget = typeof who === 'string' ? { subject: who } : who;
  assertOptions(target, REVOKE_TARGET);
  const { subject, tokensIssuedBefore } = target;
  if (subject === undefined && tokensIssuedBefore === undefined)
    throw invalidOption('subject', 'Say what to revoke: a `subject`, or `tokensIssuedBefore`, or both.');
  return { subject, before: tokensIssuedBefore ?? now };
}

/** One revocation stands for a subject, and one for everybody. */
export function revocationKey({ subject }: Revocation): string {
  return subject === undefined
    ? '*'
    : `=${subject.slice(0, 200)}${subject.length > 200 ? `~${sum(subject)}` : ''}`;
}

/** Long subjects that begin alike have keys of their own. */
function sum(text: string): string {
  let value = 0;
  for (let i = 0; i < text.length; i += 1)
    value = (value * 31 + text.charCodeAt(i)) % Number.MAX_SAFE_INTEGER;
  return `${text.length}-${value.toString(36)}`;
}

export interface OrdersOptions {
  /** The seq of the log's newest event. */
  readonly head: () => number;
  readonly connections: () => Iterable<Connection>;
  /** Ends connections, with a goodbye. */
  readonly end: (picked: readonly Connection[], retry: number | undefined) => void;
  /** Applies to those who are being authorized just now. */
  readonly endVisits: (where: (connection: Connection['info']) => boolean) => void;
}

/** Obeys what any node has ordered for all: to end connections, and to refuse those whose authorization was revoked. */
export class Orders implements LedgerReader {
  readonly #options: OrdersOptions;
  readonly #revocations = new Map<string, Revocation>();
  /** Keys of disconnect orders that were obeyed. */
  readonly #obeyed = new Set<string>();
  /** Older orders to disconnect were for connections from before this hub. */
  #since: number;

  constructor(options: OrdersOptions) {
    this.#options = options;
    this.#since = options.head();
  }

  apply({ topics: [topic], key = '', tombstone, data, seq }: LogEntry): void {
    if (topic === HUB_TOPICS.disconnects) {
      if (tombstone) this.#obeyed.delete(key);
      else if (seq > this.#since) this.#disconnect(key, JSON.parse(data) as DisconnectOrder);
    } else if (topic === HUB_TOPICS.revocations) {
      if (tombstone) this.#revocations.delete(key);
      else this.#revoke(key, JSON.parse(data) as Revocation);
    }
  }

  reset(): void {
    this.#revocations.clear();
    // The log may have gone back.
    this.#since = Math.min(this.#since, this.#options.head());
  }

  /** @throws {TidingsError} `auth/revoked` (401). */
  assertNotRevoked(bearer: Bearer): void {
    for (const revocation of this.#revocations.values()) {
      if (!refuses(revocation, bearer)) continue;
      throw createError('auth/revoked', 'The authorization was revoked; get a new one.');
    }
  }

  #disconnect(key: string, { who, retry }: DisconnectOrder): void {
    if (this.#obeyed.has(key)) return;
    this.#obeyed.add(key);
    const { connections, end, endVisits } = this.#options;
    end(
      [...connections()].filter(({ info }) => isMeant(who, info)),
      retry,
    );
    endVisits((info) => isMeant(who, info));
  }

  #revoke(key: string, revocation: Revocation): void {
    this.#revocations.set(key, revocation);
    const { connections, end } = this.#options;
    const ended = [...connections()].filter(({ request }) => ends(revocation, request));
    end(ended, undefined);
  }
}

function isMeant(who: DisconnectTarget, { id, subject, topics }: Connection['info']): boolean {
  return (
    (who.subject === undefined || who.subject === subject) &&
    (who.connection === undefined || who.connection === id) &&
    (who.topic === undefined || topics.includes(who.topic))
  );
}

/** Whether it refuses somebody. Where tokens have no time, everybody's would be too old: the app has just judged them. */
function refuses(revocation: Revocation, bearer: Bearer): boolean {
  if (bearer.issuedAt === undefined && revocation.subject === undefined) return false;
  return ends(revocation, bearer);
}

/** Whether it ends a connection that is open. */
function ends({ subject, before }: Revocation, bearer: Bearer): boolean {
  if (subject !== undefined && subject !== bearer.subject) return false;
  return bearer.issuedAt === undefined || bearer.issuedAt < before;
}
