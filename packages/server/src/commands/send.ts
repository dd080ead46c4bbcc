import { setTimeout as delay } from 'node:timers/promises';
import type { Remote } from './remote.ts';
import { adviceOnMissingToken, describeRefusal } from './remote.ts';

export interface SendOptions {
  readonly remote: Remote;
  readonly body: string;
  readonly contentType: string;
  /** The same for every try, which makes trying again safe. */
  readonly idempotencyKey: string;
  readonly retries: number;
  /** Learns why it is tried again, and in how many milliseconds. */
  readonly onRetry: (reason: string, wait: number) => void;
}

export type Sent =
  | { readonly ok: true; readonly answer: unknown }
  | { readonly ok: false; readonly reason: string };

const TIMEOUT = 30_000;
const LONGEST_WAIT = 30_000;

/** Publishes, and tries again if the server can't be reached, is busy, or asks for patience. */
export async function send(options: SendOptions): Promise<Sent> {
  for (let tries = 0; ; tries += 1) {
    const { outcome, retryAfter } = await attempt(options);
    if (outcome.ok || retryAfter === undefined || tries >= options.retries) return outcome;
    const wait = Math.min(Math.max(retryAfter, 250 * 2 ** tries), LONGEST_WAIT);
    options.onRetry(outcome.reason, wait);
    await delay(wait);
  }
}

/** `retryAfter`: milliseconds; undefined if trying again would not help. */
async function attempt({ remote, body, contentType, idempotencyKey }: SendOptions): Promise<{
  readonly outcome: Sent;
  readonly retryAfter?: number;
}> {
  try {
    const response = await fetch(`${remote.url}/v1/publish`, {
      method: 'POST',
      headers: { ...remote.headers, 'content-type': contentType, 'idempotency-key': idempotencyKey },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
    });
    const text = await response.text();
    if (response.ok) return { outcome: { ok: true, answer: JSON.parse(text) } };
    const advice = response.status === 401 ? adviceOnMissingToken(remote) : '';
    const outcome: Sent = { ok: false, reason: describeRefusal(response.status, text) + advice };
    if (response.status !== 429 && response.status < 500) return { outcome };
    return { outcome, retryAfter: (Number(response.headers.get('retry-after')) || 0) * 1000 };
  } catch (error) {
    return {
      outcome: { ok: false, reason: `The server can't be reached: ${reasonOf(error)}` },
      retryAfter: 0,
    };
  }
}

export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // `fetch` has the reason in its cause.
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
