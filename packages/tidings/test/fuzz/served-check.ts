import { type Checkable, OF_SERVER, checkDocumented, checkStream } from './check.ts';
import type { FuzzRequest } from './requests.ts';
import type { Claim } from './values.ts';

/** The kind of an answer of `tidings serve`, for the tally; throws if neither docs/http-api.md nor docs/errors.md tells of it. */
export function checkServedAnswer(request: FuzzRequest, answer: Checkable): string {
  const { status, headers, body, isWhole } = answer;
  const type = headers.get('content-type') ?? '';
  const [path = ''] = request.target.split('?', 1);
  if (type.startsWith('application/problem+json'))
    return `${path.slice(0, 30)} ${checkDocumented(request, answer, false)}`;
  if (status === 200 && type.startsWith('text/event-stream')) return `${path} 200 stream`;
  if (status === 204 && request.method === 'OPTIONS') return `${path} 204 options`;
  if (status === 200 && isWhole) {
    if (/json/.test(type) && request.method !== 'HEAD') JSON.parse(body.toString());
    return `${path.slice(0, 30)} 200 ${type.split(';', 1)[0]}`;
  }
  if (OF_SERVER.has(status) && request.isOdd) return `${status} by Node`;
  throw new Error(
    `Status ${status} with ${type || 'no type'} is in no document: ${body.toString().slice(0, 200)}`,
  );
}

/** The Mercure protocol has streams of its own, which can't be changed. */
export function checkServedStream(request: FuzzRequest, text: string): Claim | undefined {
  if (!request.target.startsWith('/.well-known')) return checkStream(text);
  if (text.includes('\r') || text.includes('\u0000')) throw new Error('CR or NUL in a stream.');
  for (const line of text.split('\n').slice(0, -1))
    if (!/^(?:(?:id|event|data|retry): .*|data:.*|id:.*|:.*|)$/.test(line))
      throw new Error(`A line that no update has: ${line.slice(0, 100)}`);
  return undefined;
}
