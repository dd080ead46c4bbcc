import type { RunsGateway } from '../hub/runs-gateway.ts';
import { LOST, createFrames } from './frames.ts';
import {
  type BeginViewing,
  type NodeLikeRequest,
  type NodeLikeResponse,
  factsOf,
  factsOfFetch,
  toResponse,
  writeFrames,
} from './http.ts';
import type { Producers } from './producers.ts';
import { type RunItem, RunReader, readRun } from './read-run.ts';
import type { RunStatus, StoredRecord } from './record.ts';
import { closing } from './records.ts';
import { type RunEnd, type View, type ViewRequest, parseRunCursor } from './view.ts';

/** One answer of a model: produced once, read by any number of viewers, whenever they come. */
export interface Run {
  readonly chat: string;
  readonly id: string;
  readonly messageId: string;
  readonly subject: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** When this object was made. */
  readonly status: RunStatus;
  /** Whether this call of `start` began the run; false if it was there already. */
  readonly isNew: boolean;
  /**
   * Answers a request of `node:http` or Express with the run, from the first chunk, or from the request's cursor
   * on. Resolves at the end, or when the client has left.
   *
   * @throws {TidingsError} `request/already-answered`.
   */
  pipe(request: NodeLikeRequest, response: NodeLikeResponse, view: View): Promise<void>;
  /** The same for `fetch` handlers. */
  response(request: Request, view: View): Response;
  /** Reads the run in this process, after so many chunks. It ends with `end`, or `gone` if the log has it no more. */
  items(options?: { readonly after?: number; readonly signal?: AbortSignal }): AsyncIterable<RunItem>;
  /** Stops the producer, wherever it runs. Resolves once that is on its way. */
  stop(): Promise<void>;
  /**
   * Resolves with how the run ended. Being awaited doesn't count as watching.
   *
   * @throws {TidingsError} `hub/unavailable` if the hub closes first.
   */
  ended(): Promise<RunEnd>;
}

export interface RunContext {
  readonly gateway: RunsGateway;
  readonly producers: Producers;
  readonly onError: (error: unknown) => void;
}

export function createRun(context: RunContext, stored: StoredRecord, isNew: boolean): Run {
  const { gateway, producers } = context;
  const { name, record } = stored;
  const { chat, id, messageId, subject, startedAt, status } = record;

  const isThere = (): boolean => producers.isThere(name.key);

  async function ended(): Promise<RunEnd> {
    for await (const item of readRun(gateway, name, { after: Infinity, isThere })) {
      if (item.kind === 'gone') return { status: 'lost', error: LOST };
      if (item.kind === 'chunks') continue;
      const { status: how, error, endedAt } = item.record;
      return { status: how, ...(error && { error }), ...(endedAt !== undefined && { endedAt }) };
    }
    throw closing();
  }

  return {
    chat,
    id,
    messageId,
    subject,
    startedAt,
    status,
    isNew,
    pipe: (request, response, view) =>
      writeFrames(response, view, viewOf(context, stored, view, positionOf(factsOf(request), view, id))),
    response(request, view) {
      if (gateway.closing) throw closing();
      const begin = viewOf(context, stored, view, positionOf(factsOfFetch(request), view, id));
      return toResponse(request, view, begin, context.onError);
    },
    items: (options = {}) => readRun(gateway, name, { ...options, isThere }),
    async stop() {
      await producers.stopRun(name.key);
    },
    ended,
  };
}

/** How many chunks of the run the client has, as far as it says. */
export function positionOf(request: ViewRequest, view: View, id: string): number {
  const own = view.after?.(request);
  if (own !== undefined) return own;
  const cursor = cursorOf(request);
  return cursor === undefined || cursor.id !== id ? 0 : cursor.after;
}

export function cursorOf(request: ViewRequest): ReturnType<typeof parseRunCursor> {
  const text = request.header('last-event-id') ?? request.query.get('cursor');
  return text === null ? undefined : parseRunCursor(text);
}

/** Shows the run to one viewer, who counts as watching meanwhile. */
function viewOf(
  { gateway, producers }: RunContext,
  stored: StoredRecord,
  view: View,
  after: number,
): BeginViewing {
  return (sink) => {
    const { name, record } = stored;
    const toText = createFrames(record, view, after);
    const isThere = (): boolean => producers.isThere(name.key);
    const reader = new RunReader(
      gateway,
      name,
      { after, isThere },
      {
        take(item) {
          const text = toText(item);
          watching.wrote();
          if (item.kind === 'chunks') return sink.write(text);
          watching.over();
          sink.end(text);
          return true;
        },
        over(error) {
          watching.over();
          sink.broken(error);
        },
      },
    );
    const watching = producers.watch(stored, {
      beat: () => void sink.write(view.heartbeat),
      end(ended) {
        reader.close();
        watching.over();
        sink.end(toText({ kind: 'end', record: ended }));
      },
    });
    return {
      drained: () => reader.more(),
      close() {
        reader.close();
        watching.over();
      },
    };
  };
}
