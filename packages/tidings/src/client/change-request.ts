import type { Change, Changed } from '../protocol/control.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Settings } from './settings.ts';
import { openBody } from './body.ts';
import { readAll, readProblem } from './problem.ts';
import { requestHeaders, requestInit } from './request.ts';
import { isEventStream } from './headers.ts';
import { type Failure, judgeFailure } from './response.ts';
import { changeUrl } from './url.ts';
import type { FetchInit, FetchResponse } from './web.ts';

export type ChangeReply =
  /** The events of added topics begin after the cursor. */
  | { readonly type: 'changed'; readonly cursor: string }
  /** The server said no, and nothing changed. */
  | { readonly type: 'refused'; readonly failure: Failure }
  /** The server doesn't know the connection, or nobody knows what it did with the request: connect anew. */
  | { readonly type: 'missed'; readonly error: TidingsError };

/** How long to wait for an answer, in milliseconds: longer than a hub waits for a body. */
const TIMEOUT = 15_000;

/** Gateways answer this for servers that may have carried out the request. */
const UNANSWERED: readonly number[] = [502, 504];

/** Asks the server to change an open connection, or to renew its authorization. Never rejects. */
export async function requestChange(
  settings: Settings,
  url: string,
  change: Change,
  left: AbortSignal,
): Promise<ChangeReply> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  left.addEventListener('abort', abort);
  if (left.aborted) abort();
  const stopTimer = settings.timers.setTimer(abort, TIMEOUT);
  const cut = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () =>
      reject(new Error('Nobody waits for the answer any more.')),
    );
  });
  // It may reject when nothing awaits it.
  cut.catch(() => {});
  try {
    const own = { accept: 'application/json', 'content-type': 'application/json' };
    const headers = await Promise.race([requestHeaders(settings, own, controller.signal), cut]);
    const init = requestInit(settings, 'POST', headers, JSON.stringify(change), controller.signal);
    return await Promise.race([send(settings, url, init), cut]);
  } catch (cause) {
    // Only making the headers throws these: nothing was sent.
    if (cause instanceof TidingsError) return { type: 'refused', failure: { type: 'dropped', error: cause } };
    return missed(cause);
  } finally {
    stopTimer();
    left.removeEventListener('abort', abort);
    // Ends whatever is still in flight.
    abort();
  }
}

async function send(settings: Settings, url: string, init: FetchInit): Promise<ChangeReply> {
  const response = await settings.fetch(changeUrl(url), init);
  return response.status === 200
    ? readChanged(response, init.signal)
    : readFailure(settings, response, init.signal);
}

function missed(cause?: unknown): ChangeReply {
  const message = 'The request could not be made, or its answer did not come.';
  return { type: 'missed', error: new TidingsError('client/network', message, { cause }) };
}

async function readChanged({ headers, body }: FetchResponse, signal: AbortSignal): Promise<ChangeReply> {
  const read = openBody(body, signal);
  // A redirect has turned the request into one for a stream.
  if (isEventStream(headers)) return missed();
  const text = await readAll(read);
  try {
    const { cursor } = JSON.parse(text) as Partial<Changed>;
    if (typeof cursor === 'string') return { type: 'changed', cursor };
  } catch {
    // Most likely a page of HTML; the error below says so.
  }
  const contentType = headers.get('content-type');
  const error = new TidingsError(
    'client/content-type',
    `Expected the answer of a hub to a change, got "${String(contentType)}". Was this a login or error page?`,
    { status: 200, details: { contentType } },
  );
  return { type: 'refused', failure: { type: 'refused', error } };
}

async function readFailure(
  { timers }: Settings,
  response: FetchResponse,
  signal: AbortSignal,
): Promise<ChangeReply> {
  const { status } = response;
  const problem = await readProblem(timers, response, signal);
  const failure = judgeFailure(response, timers.now(), problem);
  if (UNANSWERED.includes(status)) return { type: 'missed', error: failure.error };
  if (status !== 404 || problem.code !== 'connection/unknown') return { type: 'refused', failure };
  const message = 'The server that was asked does not have this connection.';
  return { type: 'missed', error: new TidingsError('connection/unknown', message, { status }) };
}
