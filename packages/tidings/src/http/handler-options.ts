import type { ConnectionEnd, ConnectionInfo } from '../hub/connection-info.ts';
import type { DirectEvent } from '../hub/direct-event.ts';
import type { Member } from '../hub/presence/presence.ts';
import type { Matcher } from '../protocol/matcher.ts';

type Awaitable<T> = T | Promise<T>;

/** A subscriber's identity, what it may read, and until when. */
export interface Authorization {
  /** The user, account or device: for limits, `hub.connections()` and `hub.disconnect()`. */
  readonly subject?: string;
  /**
   * The topics it may read. Asking for any other gets a 403, and private events reach it only on these. Absent:
   * everything it asked for, except private events.
   */
  readonly topics?: readonly Matcher[];
  /**
   * The topics on which private events reach it, if not on all of `topics`: an empty list where anybody may read what is
   * public. Needs `topics`.
   */
  readonly private?: readonly Matcher[];
  /**
   * The member that the connection counts as in presence. Default: the subject; without one, each connection by itself.
   */
  readonly member?: Member;
  /** Milliseconds since 1970. The stream ends then, and the client reconnects with the credentials it has. */
  readonly expiresAt?: number;
  /** Milliseconds since 1970, when it was issued: `hub.revoke` refuses older ones. */
  readonly issuedAt?: number;
  /** The token's id, such as a JWT's `jti`: `hub.revoke` can refuse it alone. */
  readonly tokenId?: string;
}

export interface CorsOptions {
  /** `*`, origins such as `https://example.com`, or a function that knows them. */
  readonly origin: string | readonly string[] | ((origin: string) => boolean);
  /** Whether the browser may send cookies. Can't go with `*`. */
  readonly credentials?: boolean;
  /** Further request headers that clients may send. */
  readonly headers?: readonly string[];
  /** How long a browser may cache the answer to a preflight, in seconds. Default 600. */
  readonly maxAge?: number;
}

/** How a URL of an app serves events. `Req` is the framework's request. */
export interface HandlerOptions<Req> {
  /**
   * The connection's topics: matchers, or a function of the request that returns them. Null means that nothing will
   * ever come: the answer is 204, and clients stay away. Absent: the URL's `topic` and `pattern` parameters.
   */
  readonly topics?: readonly Matcher[] | ((req: Req) => Awaitable<readonly Matcher[] | null>);
  /** Throws `unauthorized()` or `forbidden()` to refuse. Absent: anybody may read what isn't private. */
  readonly authorize?: (req: Req, wanted: readonly Matcher[]) => Awaitable<Authorization>;
  /** Events for this connection alone, right after the welcome, such as the state that later events change. */
  readonly greeting?: (
    connection: ConnectionInfo,
    req: Req,
  ) => DirectEvent | readonly DirectEvent[] | undefined;
  /**
   * Called before the first byte is sent. If it returns a function, that is called once the connection is over, with the
   * reason, the time it took and what was delivered.
   */
  readonly onConnect?: (connection: ConnectionInfo, req: Req) => void | ((end: ConnectionEnd) => void);
  readonly cors?: CorsOptions;
  /** Further response headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The peer's address, for limits and `hub.connections()`. Default: the socket's, if there is one. */
  readonly address?: (req: Req) => string | undefined;
}
