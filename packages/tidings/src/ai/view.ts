import type { RunRecord } from './record.ts';

/** A run as a view sees it. */
export type RunFacts = Pick<RunRecord, 'chat' | 'id' | 'messageId' | 'startedAt'>;

/** How a run ended, for viewers. */
export type RunEnd = Pick<RunRecord, 'status' | 'error' | 'endedAt'>;

/** A request as a view sees it. */
export interface ViewRequest {
  readonly query: URLSearchParams;
  header(name: string): string | undefined;
}

/**
 * A format of responses: how a run's chunks look on the wire. All viewers share the text of a chunk, so it may depend
 * on the run and the position alone.
 */
export interface View {
  readonly headers: Readonly<Record<string, string>>;
  /** The text of a chunk. `position` counts the run's chunks from 0. */
  chunk(chunk: unknown, position: number, run: RunFacts): string;
  /** The text at the end. `last` is the run's last chunk, and `count` how many there are; both as far as known. */
  end(end: RunEnd, run: RunFacts, last: unknown, count: number): string;
  /** Sent when the stream is quiet. */
  readonly heartbeat: string;
  /** How many chunks the client has, if the format has its own way to say so. */
  after?(request: ViewRequest): number | undefined;
}

/** A viewer's position in a run, as the `id:` of a frame. */
export interface RunCursor {
  readonly id: string;
  /** How many chunks the viewer has; Infinity: also the end. */
  readonly after: number;
}

export function formatRunCursor({ id, after }: RunCursor): string {
  return `${encodeURIComponent(id)}/${after === Infinity ? 'end' : after}`;
}

export function parseRunCursor(text: string): RunCursor | undefined {
  const [, id, after] = /^([^/]+)\/(\d{1,15}|end)$/.exec(text) ?? [];
  if (id === undefined || after === undefined) return undefined;
  try {
    return { id: decodeURIComponent(id), after: after === 'end' ? Infinity : Number(after) };
  } catch {
    // A broken escape: none of our cursors.
    return undefined;
  }
}

/** Decoders ignore comments. */
export const COMMENT = ':\n\n';
