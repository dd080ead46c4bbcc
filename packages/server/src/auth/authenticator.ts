import type { Matcher } from 'tidings';
import type { Settings } from '../config/setting.ts';

/** The rights of a credential. */
export interface Grant {
  /** The user, account or service that it names. */
  readonly subject?: string;
  /**
   * Names the credential for limits, logs and idempotency, by its kind: `subject:ann`, `token:JTI`, `issuer:ISS`,
   * `api-key:billing`; never its secret. Undefined: there was none.
   */
  readonly credential: string | undefined;
  /** Topics it may publish on. */
  readonly publish: readonly Matcher[];
  /** Topics it may subscribe to. */
  readonly subscribe: readonly Matcher[];
  /** Topics on which private events reach it. It may ask for these, too. */
  readonly private: readonly Matcher[];
  /** Milliseconds since 1970: streams end then, unless they are renewed. */
  readonly expiresAt?: number;
  /** Milliseconds since 1970: revocation refuses tokens that were issued earlier. */
  readonly issuedAt?: number;
  readonly issuer?: string;
  readonly tokenId?: string;
  /** The claims of the token about the subscriber, for presence and logs. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** The parts of a request that may carry a credential. */
export interface CredentialRequest {
  readonly method: string;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly query: URLSearchParams;
  readonly remote: string | undefined;
}

/** How one protocol carries credentials and what its claims mean. Absent: the server's own. */
export interface Door {
  /** Names of cookies that carry a token, besides the configured one. */
  readonly cookies?: readonly string[];
  /** Names of query parameters that carry a token, where tokens in the query are switched on. */
  readonly queryParameters?: readonly string[];
  /** Values of the token's header `typ`, one of which it must have; in lower case, without `application/`. */
  readonly types?: readonly string[];
  /** A token in the header counts alone, instead of being refused when another one comes along. */
  readonly headerWins?: boolean;
  /** Origins whose pages may use the user's cookie. Default: those of `cors.origins`. */
  readonly origins?: readonly string[];
  /** The rights in verified claims. Throws `auth/*` for claims that make no sense. Absent: as the server's own claim says. */
  toGrant?(claims: Readonly<Record<string, unknown>>): Pick<Grant, 'publish' | 'subscribe' | 'private'>;
}

/** Decides what the sender of a request may do. */
export interface Authenticator {
  /**
   * The grant of a request's credential; of a request without one, that of anonymous users, which may be empty.
   *
   * @throws {TidingsError} `auth/*` (401, 403) for a credential that isn't valid.
   */
  authenticate(request: CredentialRequest, door?: Door): Promise<Grant>;
  /**
   * Reads new keys and rules, and returns a function that takes all of them at once. Rejects if they make no sense; until that
   * function is called, the old ones count.
   */
  prepare(settings: Settings): Promise<() => void>;
  close(): Promise<void>;
}
