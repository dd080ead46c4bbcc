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

/** Authorizations that no longer count: one subject's, all that were issued before a time, or one token. */
export interface RevokeTarget {
  readonly subject?: string;
  /** The id of one token; goes with no other field. */
  readonly tokenId?: string;
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
  tokenId: aString,
  tokensIssuedBefore: aNumber({ min: 0, finite: true }),
};
export const REVOKE_OPTIONS: Checks<RevokeOptions> = { for: aNumber({ min: 0, finite: true }) };

export interface DisconnectOrder {
  readonly who: DisconnectTarget;
  readonly retry?: number | undefined;
}

export interface Revocation {
  readonly subject?: string | undefined;
  readonly tokenId?: string | undefined;
  readonly before: number;
}

/** A connection, or somebody who wants one. */
interface Bearer {
  readonly subject?: string | undefined;
  readonly issuedAt?: number | undefined;
  readonly tokenId?: string | undefined;
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
  const { subject, tokenId, tokensIssuedBefore } = target;
  if (tokenId !== undefined) {
    if (subject === undefined && tokensIssuedBefore === undefined) return { tokenId, before: now };
    throw invalidOption('tokenId', 'A `tokenId` says all: expected no other field.');
  }
  if (subject === undefined && tokensIssuedBefore === undefined) {
    const message = 'Say what to revoke: a `subject`, or `tokensIssuedBefore`, or both; or a `tokenId`.';
    throw invalidOption('subject', message);
  }
  return { subject, before: tokensIssuedBefore ?? now };
}

/** One revocation stands for a subject, one for a token, and one for everybody. */
export function revocationKey({ subject, tokenId }: Pick<Revocation, 'subject' | 'tokenId'>): string {
  if (tokenId !== undefined) return `#${shorten(tokenId)}`;
  return subject === undefined ? '*' : `=${shorten(subject)}`;
}

function shorten(name: string): string {
  return name.length <= 200 ? name : `${name.slice(0, 200)}~${sum(name)}`;
}

/** Long names that begin alike have keys of their own. */
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
    const { subject, tokenId } = bearer;
    // There may be many revocations, and three that can concern somebody.
    const keys = ['*'];
    if (subject !== undefined) keys.push(revocationKey({ subject }));
    if (tokenId !== undefined) keys.push(revocationKey({ tokenId }));
    for (const key of keys) {
      const revocation = this.#revocations.get(key);
      if (revocation === undefined || !refuses(revocation, bearer)) continue;
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
  const { subject, tokenId } = revocation;
  if (bearer.issuedAt === undefined && subject === undefined && tokenId === undefined) return false;
  return ends(revocation, bearer);
}

/** Whether it ends a connection that is open. */
function ends({ subject, tokenId, before }: Revocation, bearer: Bearer): boolean {
  if (tokenId !== undefined) return tokenId === bearer.tokenId;
  if (subject !== undefined && subject !== bearer.subject) return false;
  return bearer.issuedAt === undefined || bearer.issuedAt < before;
}
