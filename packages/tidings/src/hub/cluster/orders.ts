import type { LogEntry } from '../../log/entry.ts';
import { createError } from '../../protocol/errors.ts';
import { aNumber, aString, assertOptions, type Checks, invalidOption } from '../../protocol/options.ts';
import type { Connection } from '../delivery/connection.ts';
import type { NewEvent } from '../../protocol/event.ts';
import { HUB_TOPICS, hubEvent } from './hub-topics.ts';
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
  /** How many of them a subject has. */
  readonly countOf: (subject: string) => number;
  /** Ends connections, with a goodbye. */
  readonly end: (picked: readonly Connection[], retry: number | undefined) => void;
  /** Applies to those who are being authorized just now. */
  readonly endVisits: (where: (connection: Connection['info']) => boolean) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly append: (event: NewEvent) => Promise<unknown>;
  readonly report: (error: unknown) => void;
}

/** A revocation as it stands on the log. */
interface Standing {
  readonly revocation: Revocation;
  readonly seq: number;
  readonly expiresAt: number | undefined;
  /** The log had lost it, and is to have it again: with another seq, but it is no new order. */
  readonly isPutBack?: boolean;
}

/** Obeys what any node has ordered for all: to end connections, and to refuse those whose authorization was revoked. */
export class Orders implements LedgerReader {
  readonly #options: OrdersOptions;
  #revocations = new Map<string, Standing>();
  /** Those found so far while the log is read anew; until its end the earlier ones stand as well. */
  #found: Map<string, Standing> | undefined;
  /** Keys of disconnect orders that were obeyed. */
  readonly #obeyed = new Set<string>();
  /** Older orders to disconnect were for connections from before this hub. */
  #since: number;

  constructor(options: OrdersOptions) {
    this.#options = options;
    this.#since = options.head();
  }

  apply(entry: LogEntry): void {
    const { key = '', tombstone, data, seq } = entry;
    const [topic] = entry.topics;
    if (topic === HUB_TOPICS.disconnects) {
      if (tombstone) this.#obeyed.delete(key);
      else if (seq > this.#since) this.#disconnect(key, JSON.parse(data) as DisconnectOrder);
    } else if (topic === HUB_TOPICS.revocations) {
      if (tombstone) (this.#found ?? this.#revocations).delete(key);
      else this.#revoke(key, { revocation: JSON.parse(data) as Revocation, seq, expiresAt: entry.expiresAt });
    }
  }

  reset(): void {
    this.#found = new Map();
    // The log may have gone back.
    this.#since = Math.min(this.#since, this.#options.head());
  }

  /** `isRewound`: the log has lost its end, and with it perhaps revocations, which are put back. */
  loaded(isRewound: boolean): void {
    const before = this.#revocations;
    this.#revocations = this.#found ?? before;
    this.#found = undefined;
    if (!isRewound) return;
    for (const [key, standing] of before)
      if (isNewer(standing, this.#revocations.get(key))) this.#putBack(key, standing);
  }

  /** Every hub that knows of it does so: the condition lets one through. */
  #putBack(key: string, { revocation, expiresAt }: Standing): void {
    const { now, append, report } = this.#options;
    const ttl = (expiresAt ?? Infinity) - now();
    if (ttl < 1) return;
    const seq = this.#revocations.get(key)?.seq ?? 0;
    // It stands here until it comes back from the log.
    this.#revocations.set(key, { revocation, expiresAt, seq, isPutBack: true });
    const more = { ifSeq: seq, ...(ttl !== Infinity && { ttl }) };
    append(hubEvent(HUB_TOPICS.revocations, key, revocation, more)).catch((error: unknown) => {
      if ((error as { code?: string }).code !== 'event/conflict') report(error);
    });
  }

  /** @throws {TidingsError} `auth/revoked` (401). */
  assertNotRevoked(bearer: Bearer): void {
    const { subject, tokenId } = bearer;
    // There may be many revocations, and three that can concern somebody.
    const keys = ['*'];
    if (subject !== undefined) keys.push(revocationKey({ subject }));
    if (tokenId !== undefined) keys.push(revocationKey({ tokenId }));
    for (const key of keys) {
      const standing = [this.#revocations.get(key), this.#found?.get(key)];
      if (!standing.some((each) => each !== undefined && refuses(each.revocation, bearer))) continue;
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

  /** Looks at the connections only if it may concern any: thousands of revocations may stand when the log is read anew. */
  #revoke(key: string, standing: Standing): void {
    const { revocation } = standing;
    const { connections, countOf, end } = this.#options;
    const known = this.#revocations.get(key);
    // Then it has been obeyed. Ordered again, it ends connections without a time that came back since.
    const isKnown =
      known !== undefined &&
      known.revocation.before === revocation.before &&
      (known.seq === standing.seq || known.isPutBack === true);
    (this.#found ?? this.#revocations).set(key, standing);
    if (isKnown || (revocation.subject !== undefined && countOf(revocation.subject) === 0)) return;
    const ended = [...connections()].filter(({ request }) => ends(revocation, request));
    end(ended, undefined);
  }
}

/** Whether the log has lost it: it has none of this key, or an older one. */
function isNewer({ revocation }: Standing, found: Standing | undefined): boolean {
  return found === undefined || found.revocation.before < revocation.before;
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
