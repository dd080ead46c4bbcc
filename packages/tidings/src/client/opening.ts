import type { Gap } from '../protocol/control.ts';
import type { ResponseHeaders } from './web.ts';

/** The response, apart from its stream. */
export interface OpeningResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** After redirects, if the `fetch` in use reports it. */
  readonly url: string;
}

/** A connection as its first frame described it. A server of plain SSE describes nothing. */
export interface Opening {
  readonly response: OpeningResponse;
  /** Names the connection in the server's `hub.connections()` and logs. */
  readonly connection?: string | undefined;
  /** Whether the client came with a cursor and nothing after it is missing. */
  readonly resumed: boolean;
  readonly gaps: readonly Gap[];
  /** Milliseconds within which the server sends something. */
  readonly heartbeat?: number | undefined;
}
