import type { Change, Changed } from '../protocol/control.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Settings } from './options.ts';
import { readProblem } from './problem.ts';
import { requestHeaders, requestInit } from './request.ts';
import { type Failure, judgeFailure } from './response.ts';
import { changeUrl } from './url.ts';

export type ChangeReply =
  /** Events of topics that were added begin after the cursor. */
  | { readonly type: 'changed'; readonly cursor: string }
  /** The server said no, and nothing changed. */
  | { readonly type: 'refused'; readonly failure: Failure }
  /** The server doesn't know the connection, or what it made of the request isn't known: connect anew. */
  | { readonly type: 'missed'; readonly error: TidingsError };

/** How long to wait for an answer, in milliseconds: longer than a hub waits for a body. */
const TIMEOUT = 15_000;

/** Gateways say so of servers that may have done what they were asked to. */
const UNANSWERED: readonly number[] = [502, 504];

/** Asks the server to change an open connection, or to renew its authorization. Never rejects. */
export async function requestChange(
  settings: Settings,
  change: Change,
  left: AbortSignal,
): Promise<ChangeReply> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  left.addEventListener('abort', abort);
  const stopTimer = settings.timers.setTimer(abort, TIMEOUT);
  try {
    const headers = await requestHeaders(settings, {
      accept: 'application/json',
      'content-type': 'application/json',
    });
    return await send(settings, change, requestInit(settings, headers, controller.signal));
  } catch (error) {
    // Of these, only the headers are the client's own: nothing was sent.
    if (error instanceof TidingsError) return { type: 'refused', failure: { type: 'dropped', error } };
    throw error;
  } finally {
    stopTimer();
    left.removeEventListener('abort', abort);
  }
}

async function send(settings: Settings, change: Change, init: RequestInit): Promise<ChangeReply> {
  try {
    const response = await settings.fetch(changeUrl(settings.url), {
      ...init,
      method: 'POST',
      body: JSON.stringify(change),
    });
    return response.status === 200 ? await readChanged(response) : await readFailure(settings, response);
  } catch (cause) {
    const message = 'The connection could not be changed: the request had no answer.';
    return { type: 'missed', error: new TidingsError('client/network', message, { cause }) };
  }
}

async function readChanged(response: Response): Promise<ChangeReply> {
  const text = await response.text();
  try {
    const { cursor } = JSON.parse(text) as Partial<Changed>;
    if (typeof cursor === 'string') return { type: 'changed', cursor };
  } catch {
    // A page of HTML, most likely; said below.
  }
  const contentType = response.headers.get('content-type');
  const error = new TidingsError(
    'client/content-type',
    `Expected the answer of a hub to a change, got "${String(contentType)}". Was this a login or error page?`,
    { status: 200, details: { contentType } },
  );
  return { type: 'refused', failure: { type: 'refused', error } };
}

async function readFailure({ timers }: Settings, response: Response): Promise<ChangeReply> {
  const { status, headers } = response;
  // The signal ends what takes too long.
  const problem = await readProblem(response, new Promise(() => {}));
  const facts = { status, contentType: null, retryAfter: headers.get('retry-after'), problem };
  const failure = judgeFailure(facts, timers.now());
  if (UNANSWERED.includes(status)) return { type: 'missed', error: failure.error };
  if (status !== 404 || problem.code !== 'connection/unknown') return { type: 'refused', failure };
  const message = 'The server that was asked does not have this connection.';
  return { type: 'missed', error: new TidingsError('connection/unknown', message, { status }) };
}
