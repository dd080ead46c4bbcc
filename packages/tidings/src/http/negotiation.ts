import type { Compression } from '../hub/compression.ts';
import type { Gateway, OwnConnection, Visit } from '../hub/gateway.ts';
import type { ConnectRequest } from '../hub/connect-request.ts';
import { parseStart } from '../protocol/cursor.ts';
import type { MatcherSet } from '../protocol/matcher-set.ts';
import { createError } from '../protocol/errors.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Matcher } from '../protocol/matcher.ts';
import { acceptedCompression, acceptsEventStream, isNativeEventSource } from './accept.ts';
import { checkOnEnd, checkTopics } from './answers.ts';
import { audienceOf } from './audience.ts';
import { type Checked, authorize } from './authorization.ts';
import { changeConnection } from './change.ts';
import { corsHeaders, preflightHeaders } from './cors.ts';
import { assertMayPost } from './post.ts';
import { encodeGreeting } from './greeting.ts';
import type { HandlerOptions } from './handler-options.ts';
import { ALLOW, toProblem } from './problem.ts';
import { encodeRefusal, refuses } from './refusal.ts';
import { answerAndEnd, waitOf } from './wait.ts';
import { STREAM_HEADERS } from './stream-headers.ts';

/** A request, as any transport can describe it. */
export interface RequestFacts {
  readonly method: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  readonly header: (name: string) => string | undefined;
  readonly remote: string | undefined;
  /** Like `HTTP/1.1`. */
  readonly protocol: string;
  /** The body of a POST. Rejects with `request/invalid-body`, `request/body-too-large` or `request/timeout`. */
  readonly json: () => Promise<unknown>;
  /** Whether the peer left, or got its answer from something else, while the app's `topics` and `authorize` ran. */
  readonly gone: () => boolean;
  /** The `Access-Control-Allow-Origin` that middleware in front has set, if the transport can see it. */
  readonly allowedOrigin?: () => string | undefined;
  /** Throws `limit/connections` if the transport has no room for another stream of this peer. */
  readonly assertRoom?: () => void;
  /** Receives errors of the app's own functions that the answer doesn't show. Default: the hub's `onError`. */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** A whole response. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** The start of a stream. */
export interface Acceptance {
  readonly headers: Readonly<Record<string, string>>;
  /** The hub's compression, if the peer accepts it. */
  readonly compression: Compression | undefined;
  readonly connection: OwnConnection;
  readonly greeting: string;
}

export type Outcome<Stream> =
  | { readonly answer: Answer }
  | { readonly stream: Stream }
  | { readonly gone: true };

/**
 * Prepares the response and calls `connection.open(sink, greeting)` before it returns. If it called later, an event
 * published between the greeting and the opening would be in neither.
 */
export type Begin<Stream> = (acceptance: Acceptance) => Stream;

const JSON_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
};

/** Seconds after which a client may try again when the app has failed. */
const RETRY_AFTER_FAILURE = 5;

/**
 * Decides how to answer a request, and begins the stream if the answer is one.
 *
 * Longer than other files because the order of the checks, from the method to the greeting, should be in one view.
 *
 * @throws whatever the app's own functions throw, except a TidingsError with a status, which becomes the answer.
 */
export async function negotiate<Req, Stream>(
  gateway: Gateway,
  options: HandlerOptions<Req>,
  facts: RequestFacts,
  req: Req,
  begin: Begin<Stream>,
): Promise<Outcome<Stream>> {
  const headers = headersOfAll(gateway, options, facts);
  if (facts.method === 'OPTIONS') {
    return answer(204, {
      allow: ALLOW,
      ...headers,
      ...preflightHeaders(options.cors, facts.header('origin')),
    });
  }
  try {
    const outcome = await accept(gateway, options, facts, req, (acceptance) =>
      begin({ ...acceptance, headers: { ...headers, ...acceptance.headers } }),
    );
    if (!('answer' in outcome)) return outcome;
    return answer(outcome.answer.status, { ...headers, ...outcome.answer.headers }, outcome.answer.body);
  } catch (error) {
    if (facts.method === 'GET') gateway.refused(error);
    const isNative = facts.method === 'GET' && isNativeEventSource(facts);
    if (!(error instanceof TidingsError) || error.status === undefined) {
      if (!isNative || refuses(error)) throw error;
      (facts.report ?? gateway.report)(error);
      const failure = createError('request/handler-failed', 'The server failed to handle the request.');
      return refuseGently(gateway, headers, failure, RETRY_AFTER_FAILURE);
    }
    const { retryAfter } = error.details;
    if (isNative && typeof retryAfter === 'number') return refuseGently(gateway, headers, error, retryAfter);
    const problem = toProblem(error);
    return { answer: { ...problem, headers: { ...headers, ...problem.headers } } };
  }
}

/** Answers a native `EventSource`, which would give up for good on any other status. `retryAfter` is in seconds. */
function refuseGently(
  gateway: Gateway,
  headers: Readonly<Record<string, string>>,
  error: TidingsError,
  retryAfter: number,
): { answer: Answer } {
  const retry = gateway.jitter(retryAfter * 1000);
  return answer(200, { ...headers, ...STREAM_HEADERS }, encodeRefusal(error, retry));
}

/** The headers of every answer. Lower-case names keep a header from occurring twice. */
function headersOfAll<Req>(
  gateway: Gateway,
  { headers, cors }: HandlerOptions<Req>,
  facts: RequestFacts,
): Record<string, string> {
  const all: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers ?? {})) all[name.toLowerCase()] = value;
  const { vary, ...permission } = corsHeaders(cors, facts.header('origin'));
  const varies = [all['vary'], vary, gateway.compression && 'Accept-Encoding'].filter(Boolean);
  if (varies.length > 0) all['vary'] = varies.join(', ');
  return { ...all, ...permission };
}

async function accept<Req, Stream>(
  gateway: Gateway,
  options: HandlerOptions<Req>,
  facts: RequestFacts,
  req: Req,
  begin: Begin<Stream>,
): Promise<Outcome<Stream>> {
  if (facts.method === 'POST') {
    assertMayPost(options.cors, facts);
    const changed = await changeConnection(gateway, options, await facts.json(), req);
    return answer(200, JSON_HEADERS, JSON.stringify(changed));
  }
  if (facts.method !== 'GET' && facts.method !== 'HEAD') {
    throw createError('request/method-not-allowed', `Use GET instead of ${facts.method}.`);
  }
  if (!acceptsEventStream(facts.header('accept'))) {
    throw createError('request/not-acceptable', 'This URL serves text/event-stream only.');
  }
  facts.assertRoom?.();
  gateway.assertRoom({ remote: facts.remote });
  await gateway.ready();
  const visit = gateway.visit();
  try {
    return await admitVisitor(gateway, options, facts, req, begin, visit);
  } finally {
    visit.over();
  }
}

async function admitVisitor<Req, Stream>(
  gateway: Gateway,
  options: HandlerOptions<Req>,
  facts: RequestFacts,
  req: Req,
  begin: Begin<Stream>,
  visit: Visit,
): Promise<Outcome<Stream>> {
  const matchers = await wantedTopics(options, facts, req);
  if (matchers === null) return answer(204, {});
  const wanted = gateway.wanted(matchers);
  const authorization = await authorize(options, wanted, req);
  const chosen = options.topics === undefined ? undefined : wanted;
  const audience = facts.query.has('labels') ? await audienceOf(authorization, chosen) : undefined;
  if (facts.gone()) return { gone: true };
  const compression = acceptedCompression(gateway.compression, facts);
  const streamHeaders = headersOfStream(compression);
  if (facts.method === 'HEAD') {
    gateway.assertRoom({ ...authorization, remote: facts.remote });
    return answer(200, streamHeaders);
  }
  facts.assertRoom?.();
  const wait = waitOf(facts.query);
  const request = toRequest(options, facts, wanted, authorization, audience, wait === 0);
  const connection = gateway.admit(request, visit);
  try {
    const greeting = welcome(options, connection, req);
    const own = wait === undefined ? connection : answerAndEnd(connection, wait);
    return { stream: begin({ headers: streamHeaders, compression, connection: own, greeting }) };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Calls the app's hooks. @returns the greeting. */
function welcome<Req>(
  { onConnect, greeting }: HandlerOptions<Req>,
  connection: OwnConnection,
  req: Req,
): string {
  if (onConnect === undefined && greeting === undefined) return '';
  const onEnd = checkOnEnd(onConnect?.(connection.info, req));
  if (onEnd !== undefined) connection.onClose(onEnd);
  const frames = encodeGreeting(greeting?.(connection.info, req));
  if (connection.info.phase === 'closed') throw endedEarly();
  return frames;
}

async function wantedTopics<Req>(
  { topics }: HandlerOptions<Req>,
  facts: RequestFacts,
  req: Req,
): Promise<readonly Matcher[] | null> {
  if (typeof topics === 'function') return checkTopics(await topics(req));
  if (topics !== undefined) return topics;
  const { query } = facts;
  const matchers = [...query.getAll('topic'), ...query.getAll('pattern').map((pattern) => ({ pattern }))];
  const slip = ['topics', 'patterns', 'topic[]', 'pattern[]'].find((name) => query.has(name));
  if (matchers.length > 0 || slip === undefined) return matchers;
  const name = slip.startsWith('topic') ? 'topic' : 'pattern';
  throw createError('topic/missing', `There is no ?${slip}=. Write ?${name}=, once for each ${name}.`);
}

function toRequest(
  handler: object,
  facts: RequestFacts,
  wanted: MatcherSet,
  { subject, member, expiresAt, issuedAt, tokenId, granted }: Checked,
  audience: string | undefined,
  isPassing: boolean,
): ConnectRequest {
  // A browser sends the header by itself when it reconnects, so the header is the newer of the two. An empty one is no
  // cursor: EventSource polyfills send it on the first connect.
  const cursor = facts.header('last-event-id') || facts.query.get('last_event_id') || undefined;
  return {
    wanted,
    granted,
    start: parseStart(cursor),
    reconnects: Boolean(facts.header('last-event-id')),
    subject,
    member,
    expiresAt,
    issuedAt,
    tokenId,
    remote: facts.remote,
    userAgent: facts.header('user-agent'),
    protocol: facts.protocol,
    labels: facts.query.has('labels'),
    audience,
    isPassing,
    handler,
  };
}

/** For a connection that the app ended from one of its own hooks. */
function endedEarly(): TidingsError {
  return createError('hub/unavailable', 'The connection was ended before it began.', {
    details: { retryAfter: 1 },
  });
}

function headersOfStream(compression: Compression | undefined): Readonly<Record<string, string>> {
  if (compression === undefined) return STREAM_HEADERS;
  return { ...STREAM_HEADERS, 'content-encoding': compression.encoding };
}

function answer(status: number, headers: Readonly<Record<string, string>>, body = ''): { answer: Answer } {
  return { answer: { status, headers, body } };
}
