import http from 'node:http';
import { text } from 'node:stream/consumers';
import type { Answer } from './checks.ts';

/** The requests of each script so far, because the nth request gets the nth answer. */
export type ScriptedRequests = Map<string, http.IncomingMessage[]>;

/**
 * Answers a request to a URL that `scriptUrl` made: the URL says what the server does. So the same check needs no more
 * than a URL, in Node as in a page.
 *
 * @returns whether the request was one of those.
 */
export async function answerScript(
  scripts: ScriptedRequests,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<boolean> {
  const url = new URL(request.url ?? '', 'http://localhost');
  const key = url.searchParams.get('key') ?? '';
  const requests = scripts.get(key) ?? [];
  scripts.set(key, requests);
  if (url.pathname === '/count' || url.pathname === '/cut') {
    if (url.pathname === '/cut') requests.at(-1)?.socket.destroy();
    response.setHeader('access-control-allow-origin', '*').end(String(requests.length));
    return true;
  }
  if (url.pathname !== '/script') return false;
  const answers = JSON.parse(url.searchParams.get('answers') ?? '[]') as Answer[];
  const answer = answers[Math.min(requests.length, answers.length - 1)] ?? {};
  requests.push(request);
  await give(answer, request, response);
  return true;
}

async function give(
  answer: Answer,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { status = 200, type = 'text/event-stream', location, chunks = [], bytes, end = 'end' } = answer;
  const body = await text(request);
  if (status === 0) {
    request.socket.destroy();
    return;
  }
  response.writeHead(status, {
    ...(type !== null && { 'content-type': type }),
    ...(location !== undefined && { location }),
    // RFC 9110 §15.3.6: it has no content. Chromium leaves the end of chunks in the socket, before the next answer.
    ...(status === 205 && { 'content-length': 0 }),
    ...(request.headers.origin !== undefined && {
      'access-control-allow-origin': request.headers.origin,
      'access-control-allow-headers': '*, last-event-id',
    }),
  });
  response.flushHeaders();
  for (const chunk of chunks) {
    const { method, headers } = request;
    const told = chunk
      .replace('{request}', () => JSON.stringify({ method, headers, body }))
      .replace('{fill}', '…'.repeat(20_000));
    response.write(Buffer.from(told, bytes === true ? 'latin1' : 'utf8'));
    // A chunk of its own, and not one with the next.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  if (end === 'end') response.end();
}

export function createScriptServer(): http.Server {
  const scripts: ScriptedRequests = new Map();
  return http.createServer((request, response) => {
    void answerScript(scripts, request, response).then((answered) => {
      if (!answered) response.writeHead(404).end();
    });
  });
}
