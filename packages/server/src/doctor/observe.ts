/** Reads a stream for a while and notes when what came. */
import { createDecoder } from 'tidings/testing';
import type { Answer } from './exchange.ts';

/** The first frame of a Tidings hub: see PROTOCOL.md, Welcome. */
export interface SeenWelcome {
  readonly connection: string;
  readonly resumed: boolean;
  readonly gaps: readonly { readonly reason: string }[];
  /** Milliseconds. */
  readonly heartbeat: number;
}

export interface Observed {
  /** When each piece of the body arrived, in milliseconds from the request. */
  readonly arrivals: readonly number[];
  readonly welcome: SeenWelcome | undefined;
  /** The last event ID; empty if none came. */
  readonly cursor: string;
  /** Events and blocks with only an id, the welcome among them. */
  readonly frames: number;
  readonly saidGoodbye: boolean;
  /** `limit`: the doctor had seen enough. `end`: the response was complete. `broken`: the connection was cut. */
  readonly ended: 'limit' | 'end' | 'broken';
  /** Milliseconds from the request to the end. */
  readonly endedAfter: number;
}

/**
 * @param started when the request began, by `performance.now()`
 * @param signal ends the observation
 * @param isEnough called after each piece; true ends the observation
 */
export async function observe(
  answer: Answer,
  started: number,
  signal: AbortSignal,
  isEnough: (seen: {
    readonly welcome: SeenWelcome | undefined;
    readonly arrivals: readonly number[];
  }) => boolean,
): Promise<Observed> {
  const arrivals: number[] = [];
  let welcome: SeenWelcome | undefined;
  let cursor = '';
  let frames = 0;
  let saidGoodbye = false;
  const decoder = createDecoder({
    onEvent: ({ type, data, id }) => {
      frames += 1;
      cursor = id;
      if (type === 'tidings:welcome') welcome ??= parseWelcome(data);
      if (type === 'tidings:goodbye') saidGoodbye = true;
    },
    onId: (id) => {
      frames += 1;
      cursor = id;
    },
  });
  const seen = (ended: Observed['ended']): Observed => ({
    arrivals,
    welcome,
    cursor,
    frames,
    saidGoodbye,
    ended,
    endedAfter: performance.now() - started,
  });
  try {
    for await (const piece of answer.body) {
      arrivals.push(performance.now() - started);
      decoder.feed(piece);
      if (isEnough({ welcome, arrivals })) return seen('limit');
    }
    return seen(signal.aborted ? 'limit' : 'end');
  } catch {
    return seen(signal.aborted ? 'limit' : 'broken');
  }
}

/** Undefined unless it is the welcome of a hub that this doctor understands. */
function parseWelcome(data: string): SeenWelcome | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null) return undefined;
  const { connection, resumed, gaps, heartbeat } = value as Partial<Record<keyof SeenWelcome, unknown>>;
  if (typeof connection !== 'string' || typeof resumed !== 'boolean' || !Array.isArray(gaps))
    return undefined;
  if (typeof heartbeat !== 'number') return undefined;
  return {
    connection,
    resumed,
    gaps: gaps.map((gap: { reason?: unknown }) => ({ reason: String(gap?.reason) })),
    heartbeat,
  };
}
