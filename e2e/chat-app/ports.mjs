// TanStack AI on the hub's log, by its own server functions.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { resumeServerSentEventsResponse, toServerSentEventsResponse } from '@tanstack/ai';
import { tanstackDurability } from 'tidings/ai';
import { answerTo } from './model.mjs';

/** Its functions know requests and responses of `fetch`. */
function fetchRoute(handle) {
  return async (req, res) => {
    const request = new Request(`http://x${req.originalUrl}`, { headers: new Headers(req.headers) });
    const response = await handle(request, req.params, req.method);
    res.writeHead(response.status, Object.fromEntries(response.headers));
    // A browser that leaves is no error.
    await pipeline(response.body === null ? [] : Readable.fromWeb(response.body), res).catch(() => {});
  };
}

/** What a question's address says of the answer. */
function answerOf(url) {
  const { searchParams } = new URL(url);
  const [length, pause] = ['length', 'pause'].map((name) => Number(searchParams.get(name)));
  return { question: searchParams.get('question'), length, pause };
}

/**
 * @param {(chat: string) => { started: number }} statsOf
 * @param {(chat: string) => Promise<void>} released the last word of each answer waits for it
 */
export function mountPorts(app, hub, statsOf, released) {
  async function* events(runId, threadId, { question, length, pause }) {
    statsOf(threadId).started += 1;
    const common = { timestamp: Date.now(), model: 'local' };
    yield { type: 'RUN_STARTED', runId, threadId, ...common };
    yield { type: 'TEXT_MESSAGE_START', messageId: `m-${runId}`, role: 'assistant', ...common };
    const words = answerTo(question, length).split(/(?<=[ \n])/);
    for (const [i, delta] of words.entries()) {
      if (i === words.length - 1) await released(threadId);
      yield { type: 'TEXT_MESSAGE_CONTENT', messageId: `m-${runId}`, delta, ...common };
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    yield { type: 'TEXT_MESSAGE_END', messageId: `m-${runId}`, ...common };
    yield { type: 'RUN_FINISHED', runId, threadId, finishReason: 'stop', ...common };
  }
  app.all(
    '/api/tanstack/:chat',
    fetchRoute((request, { chat }, method) => {
      const adapter = tanstackDurability(hub, { scope: chat })(request);
      if (method === 'GET') return resumeServerSentEventsResponse({ adapter });
      const answer = events(request.headers.get('x-run-id'), chat, answerOf(request.url));
      return toServerSentEventsResponse(answer, { durability: { adapter } });
    }),
  );
}
