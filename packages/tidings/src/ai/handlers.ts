import { createError, forbidden } from '../protocol/errors.ts';
import { type Checks, aFunction, assertOptions, invalidOption } from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import { toProblem } from '../http/problem.ts';
import { type NodeLikeRequest, type NodeLikeResponse, factsOf, factsOfFetch } from './http.ts';
import { type Run, cursorOf } from './run.ts';
import type { StoredRecord } from './record.ts';
import type { View, ViewRequest } from './view.ts';

export interface RunHandlerOptions {
  /** The chat that a request is about. Default: the route's parameter `chat`, else `id`. */
  readonly chat?: (request: never) => string | Promise<string>;
}

export const RUN_HANDLER_OPTIONS: Checks<RunHandlerOptions> = { chat: aFunction };

/**
 * A handler for both kinds of servers: `(req, res, next)` for Express and `node:http`, `(request, context)` for
 * Next.js and other `fetch` handlers.
 */
export interface RunHandler {
  (request: NodeLikeRequest, response: NodeLikeResponse, next?: (error?: unknown) => void): void;
  (request: Request, context?: unknown): Promise<Response>;
}

/** How to answer a request, whatever server it came from. */
type Reply = { readonly status: 204 } | { readonly run: Run; readonly view: View };

export interface HandlerContext {
  readonly authorize: ((request: never, chat: string) => boolean | Promise<boolean>) | undefined;
  /** The run of this id; without one, the chat's current run. */
  readonly find: (chat: string, id?: string) => Promise<StoredRecord | undefined>;
  /** Whether there is such a run, or it is being started. */
  readonly isThere: (chat: string, id: string) => Promise<boolean>;
  /** Stops the run of this id; without one, what is being written or begun in the chat. */
  readonly stop: (chat: string, id?: string) => Promise<void>;
  readonly toRun: (stored: StoredRecord) => Run;
  readonly report: (error: unknown) => void;
}

export function createFollow(context: HandlerContext, view: View, options: RunHandlerOptions): RunHandler {
  return createHandler(context, options, async (chat, request) => {
    const cursor = cursorOf(request);
    const stored = await context.find(chat, cursor?.id ?? request.query.get('run') ?? undefined);
    if (stored === undefined || cursor?.after === Infinity || hasIt(stored, request)) return { status: 204 };
    return { run: context.toRun(stored), view };
  });
}

export function createStop(context: HandlerContext, options: RunHandlerOptions): RunHandler {
  return createHandler(context, options, async (chat, request) => {
    const { query } = request;
    const asked = query.get('asked');
    if (asked === null) await context.stop(chat, query.get('run') ?? undefined);
    else if (await context.isThere(chat, asked)) await context.stop(chat, asked);
    // It is still on its way; or the app gives its runs other ids than the client does.
    else await Promise.all([context.stop(chat, asked), context.stop(chat)]);
    return { status: 204 };
  });
}

/**
 * Whether the client has the whole answer already, with the chat's other messages. It can say so: `?last=` names its
 * last message. One that names none has what your app stores.
 */
function hasIt({ record }: StoredRecord, request: ViewRequest): boolean {
  if (record.status === 'running' || cursorOf(request) !== undefined) return false;
  const last = request.query.get('last');
  return last === null ? record.handedOver === true : last === record.messageId;
}

function createHandler(
  context: HandlerContext,
  options: RunHandlerOptions,
  reply: (chat: string, request: ViewRequest) => Promise<Reply>,
): RunHandler {
  assertOptions(options, RUN_HANDLER_OPTIONS);
  const { authorize } = context;
  if (authorize === undefined) {
    throw invalidOption(
      'authorize',
      'Who may see a chat? Give `createRuns` the option `authorize: (request, chat) => …`, which returns true or false.',
    );
  }

  async function answer(request: unknown, facts: ViewRequest, params: unknown): Promise<Reply> {
    const chat = await chatOf(options, request, params);
    // Only true lets anybody in: a forgotten `return` must not.
    if ((await authorize?.(request as never, chat)) !== true) throw forbidden('You may not see this chat.');
    return reply(chat, facts);
  }

  async function handleNode(
    request: NodeLikeRequest,
    response: NodeLikeResponse,
    next: ((error: unknown) => void) | undefined,
  ): Promise<void> {
    try {
      const how = await answer(request, factsOf(request), (request as { params?: unknown }).params);
      if ('run' in how) return await how.run.pipe(request, response, how.view);
      response.writeHead(how.status);
      response.end();
    } catch (error) {
      if (response.headersSent || response.destroyed) context.report(error);
      else if (!isAnswer(error) && next !== undefined) next(error);
      else sendProblem(response, error, context.report);
    }
  }

  async function handleFetch(request: Request, second: unknown): Promise<Response> {
    try {
      const params = await (second as { params?: unknown } | null | undefined)?.params;
      const how = await answer(request, factsOfFetch(request), params);
      if ('run' in how) return how.run.response(request, how.view);
      return new Response(null, how);
    } catch (error) {
      if (!isAnswer(error)) throw error;
      const { status, headers, body } = toProblem(error);
      return new Response(body, { status, headers });
    }
  }

  return ((request: NodeLikeRequest | Request, second?: unknown, next?: (error?: unknown) => void) => {
    if (isNodeResponse(second)) return void handleNode(request as NodeLikeRequest, second, next);
    return handleFetch(request as Request, second);
  }) as RunHandler;
}

async function chatOf({ chat }: RunHandlerOptions, request: unknown, params: unknown): Promise<string> {
  const found = params as { chat?: unknown; id?: unknown } | undefined;
  const value: unknown = chat === undefined ? (found?.chat ?? found?.id) : await chat(request as never);
  if (typeof value === 'string' && value !== '') return value;
  throw invalidOption(
    'chat',
    'The request names no chat: mount the handler at a route with a parameter `:chat`, or give the option `chat`.',
  );
}

function isNodeResponse(value: unknown): value is NodeLikeResponse {
  return typeof (value as Partial<NodeLikeResponse> | undefined)?.writeHead === 'function';
}

/** Whether the error says how to answer. */
function isAnswer(error: unknown): error is TidingsError {
  return error instanceof TidingsError && error.status !== undefined;
}

function sendProblem(response: NodeLikeResponse, error: unknown, report: (error: unknown) => void): void {
  if (!isAnswer(error)) report(error);
  const failure = createError('request/handler-failed', 'The server failed to handle the request.');
  const { status, headers, body } = toProblem(isAnswer(error) ? error : failure);
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  response.writeHead(status);
  response.end(body);
}
