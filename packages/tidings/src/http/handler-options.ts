import type { ConnectionInfo } from '../hub/connection-info.ts';
import type { DirectEvent } from '../hub/direct-event.ts';
import type { Member } from '../hub/presence/presence.ts';
import type { Matcher } from '../protocol/matcher.ts';

type Awaitable<T> = T | Promise<T>;

/** Who a subscriber is, what it may read, and until when. */
export interface Authorization {
  /** The user, account or device: for limits, `hub.connections()` and `hub.disconnect()`. */
  readonly subject?: string;
  /**
   * What it may read. Asking for anything else is answered 403, and private events reach it only on these.
   * Absent: everything it asked for, but no private events.
   */
  readonly topics?: readonly Matcher[];
  /** Who the connection counts as for presence. Default: the subject; without one, each connection by itself. */
  readonly member?: Member;
  /** Milliseconds since 1970. The stream ends then, and the client comes back with what it has by then. */
  readonly expiresAt?: number;
}

export interface CorsOptions {
  /** `*`, origins such as `https://example.com`, or a function that knows them. */
  readonly origin: string | readonly string[] | ((origin: string) => boolean);
  /** Whether the browser may send cookies. Can't go with `*`. */
  readonly credentials?: boolean;
  /** Further request headers that clients may send. */
  readonly headers?: readonly string[];
  /** Seconds that a browser may remember the answer to a preflight. Default 600. */
  readonly maxAge?: number;
}

/** How a URL of an app serves events. `Req` is the framework's request. */
export interface HandlerOptions<Req> {
  /**
   * What the connection is for: matchers, or a function of the request that gives them; null says that there will
   * never be anything more (204, and clients stay away). Absent: the URL's `topic` and `pattern` parameters.
   */
  readonly topics?: readonly Matcher[] | ((req: Req) => Awaitable<readonly Matcher[] | null>);
  /** Throws `unauthorized()` or `forbidden()` to refuse. Absent: anybody may read what isn't private. */
  readonly authorize?: (req: Req, wanted: readonly Matcher[]) => Awaitable<Authorization>;
  /** What the connection gets right after the welcome, such as the state that later events change. */
  readonly greeting?: (
    connection: ConnectionInfo,
    req: Req,
  ) => DirectEvent | readonly DirectEvent[] | undefined;
  /** Called before the first byte is sent. What it returns is called once the connection is over. */
  readonly onConnect?: (connection: ConnectionInfo, req: Req) => void | (() => void);
  readonly cors?: CorsOptions;
  /** Further response headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The peer's address, for limits and the registry. Default: that of the socket, as far as there is one. */
  readonly address?: (req: Req) => string | undefined;
}
