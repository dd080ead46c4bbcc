import { createDecoder } from '../protocol/decode.ts';
import { TidingsError } from '../protocol/tidings-error.ts';

/** Requests that go on with an answer. */
export interface AnswerSource {
  /** The response that a stream begins with. */
  readonly first: Response;
  /** The rest of the answer after a cursor; without one, all of it. */
  open(cursor: string, signal: AbortSignal): Promise<Response>;
  /** The page leaves the chat: the stream closes, and the answer goes on. */
  readonly left: AbortSignal;
  /** Milliseconds without a byte after which a stream counts as dead. */
  readonly silence: number;
  /** Called once when the stream is over, for any reason. */
  onOver(): void;
}

const DONE = '[DONE]';
/** Milliseconds until a broken stream is opened again: doubled each time, and spread out. */
const RETRY = { first: 250, most: 5000 };
/** A page that wakes up doesn't wait for the silence to be over: after so many milliseconds it connects anew. */
const STALE = 20_000;

/**
 * The chunks of one answer, from as many responses as it takes: whenever one breaks off, another goes on after the last
 * chunk. The stream closes at the answer's end, or when `signal` or `left` is aborted; it fails if the server says that there
 * is no such answer.
 */
export function answerStream(source: AnswerSource, signal: AbortSignal | undefined): ReadableStream<unknown> {
  const over = new AbortController();
  const end = (): void => {
    if (over.signal.aborted) return;
    over.abort();
    source.onOver();
  };
  return new ReadableStream<unknown>({
    start(controller) {
      const onAbort = (): void => {
        if (over.signal.aborted) return;
        end();
        controller.close();
      };
      const ends = signal === undefined ? [source.left] : [signal, source.left];
      for (const each of ends) {
        each.addEventListener('abort', onAbort);
        over.signal.addEventListener('abort', () => each.removeEventListener('abort', onAbort));
        if (each.aborted) return onAbort();
      }
      readAnswer(source, (chunk) => controller.enqueue(chunk), over.signal).then(
        () => {
          if (over.signal.aborted) return;
          end();
          controller.close();
        },
        (error: unknown) => {
          if (over.signal.aborted) return;
          end();
          controller.error(error);
        },
      );
    },
    cancel: end,
  });
}

/** Resolves at the end of the answer, or when `signal` is aborted. */
async function readAnswer(
  source: AnswerSource,
  take: (chunk: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let cursor = '';
  let response: Response | undefined = source.first;
  let attempts = 0;
  for (;;) {
    const attempt = new AbortController();
    const onOver = (): void => attempt.abort();
    signal.addEventListener('abort', onOver);
    try {
      response ??= await source.open(cursor, attempt.signal);
      const isDone = await readResponse(response, source.silence, attempt, (id, chunk) => {
        attempts = 0;
        cursor = id === '' ? cursor : id;
        take(chunk);
      });
      if (isDone) return;
    } catch (error) {
      if (error instanceof TidingsError) throw error;
      // The network failed, or the server for now: try again.
    } finally {
      signal.removeEventListener('abort', onOver);
      attempt.abort();
    }
    if (signal.aborted) return;
    response = undefined;
    await pause(Math.min(RETRY.most, RETRY.first * 2 ** attempts) * (0.5 + Math.random() / 2), signal);
    if (signal.aborted) return;
    attempts += 1;
  }
}

/** @returns whether the answer's end came. */
async function readResponse(
  response: Response,
  silence: number,
  attempt: AbortController,
  take: (id: string, chunk: unknown) => void,
): Promise<boolean> {
  if (response.body === null) return false;
  const reader = response.body.getReader();
  let isDone = false;
  const decoder = createDecoder({
    onEvent({ id, data }) {
      if (isDone) return;
      if (data === DONE) isDone = true;
      else take(id, JSON.parse(data) as unknown);
    },
  });
  const watch = watchFor(silence, () => attempt.abort());
  attempt.signal.addEventListener('abort', () => void reader.cancel().catch(() => {}));
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done || attempt.signal.aborted) return isDone;
      watch.heard();
      decoder.feed(value);
      if (isDone) return true;
    }
  } finally {
    watch.stop();
  }
}

/** Calls `onSilent` when nothing was heard for too long, sooner where the page wakes up or gets a network again. */
function watchFor(silence: number, onSilent: () => void): { heard(): void; stop(): void } {
  let heardAt = Date.now();
  let timer = setTimeout(onSilent, silence);
  const stopListening = onWake(() => {
    if (Date.now() - heardAt > STALE) onSilent();
  });
  return {
    heard() {
      heardAt = Date.now();
      clearTimeout(timer);
      timer = setTimeout(onSilent, silence);
    },
    stop() {
      clearTimeout(timer);
      stopListening();
    },
  };
}

/** Waits, but not longer than until the page wakes up or gets a network again. */
function pause(delay: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      clearTimeout(timer);
      stopListening();
      signal.removeEventListener('abort', finish);
      resolve();
    };
    const timer = setTimeout(finish, delay);
    const stopListening = onWake(finish);
    signal.addEventListener('abort', finish);
  });
}

function onWake(listener: () => void): () => void {
  const { document, addEventListener, removeEventListener } = globalThis as Partial<typeof globalThis>;
  const onVisible = (): void => {
    if (document?.visibilityState === 'visible') listener();
  };
  addEventListener?.('online', listener);
  document?.addEventListener('visibilitychange', onVisible);
  return () => {
    removeEventListener?.('online', listener);
    document?.removeEventListener('visibilitychange', onVisible);
  };
}
