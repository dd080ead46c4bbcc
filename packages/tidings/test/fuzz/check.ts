import { readFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import type { FuzzRequest } from './requests.ts';
import type { Claim } from './values.ts';

export interface Checkable {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly isWhole: boolean;
}

/** The statuses of PROTOCOL.md for a stream and for a change. */
const OF_PROTOCOL = new Set([200, 204, 400, 401, 403, 404, 405, 406, 408, 413, 415, 429, 500, 503]);
/** Answers of Node's own HTTP, or a framework's router, before the hub gets a request. */
export const OF_SERVER: ReadonlySet<number> = new Set([400, 404, 405, 408, 414, 417, 431, 501, 505]);

/** Methods that every framework passes on to the hub. */
const OF_HUB = new Set(['GET', 'HEAD', 'POST', 'OPTIONS', 'PUT', 'PATCH', 'DELETE']);

/** The status that docs/errors.md gives each code. */
const documented = readTable(new URL('../../../../../docs/errors.md', import.meta.url));

function readTable(url: URL): ReadonlyMap<string, number> {
  const rows = readFileSync(url, 'utf8').matchAll(/^\| `([a-z-]+\/[a-z-]+)` \| \(?(\d{3})\)? \|/gm);
  return new Map(Array.from(rows, ([, code = '', status]) => [code, Number(status)]));
}

/** An answer's kind, for the tally; throws if the documents don't tell of it. */
export function checkAnswer(request: FuzzRequest, answer: Checkable): string {
  const type = answer.headers.get('content-type') ?? '';
  const { status, body, isWhole } = answer;
  if (type.startsWith('application/problem+json')) return checkProblem(request, answer);
  if (status === 200 && type.startsWith('text/event-stream')) return '200 stream';
  if (status === 200 && request.method === 'POST') {
    const { cursor, topics } = JSON.parse(body.toString()) as { cursor?: unknown; topics?: unknown };
    if (typeof cursor !== 'string' || !Array.isArray(topics)) throw new Error('A change without its answer.');
    return '200 changed';
  }
  if (status === 204 && request.method === 'OPTIONS') {
    if (answer.headers.get('allow') !== 'GET, HEAD, POST, OPTIONS') throw new Error('OPTIONS without Allow.');
    return '204 options';
  }
  // The app's own failure, which its framework answers.
  if (status === 500 && isWhole && mayFail(request)) return '500 by the framework';
  if (OF_SERVER.has(status) && (request.isOdd || !OF_HUB.has(request.method)))
    return `${status} by the server`;
  // Fastify refuses what is no media type at all.
  const hasType = request.headers.some(([name]) => name === 'Content-Type');
  if (status === 415 && hasType) return '415 by the framework';
  throw new Error(
    `Status ${status} with ${type || 'no type'} is in no document: ${body.toString().slice(0, 200)}`,
  );
}

function mayFail({ headers }: FuzzRequest): boolean {
  return headers.some(
    ([name, value]) => name === 'Authorization' && ['fail', 'reject', 'odd'].includes(value),
  );
}

function checkProblem(request: FuzzRequest, answer: Checkable): string {
  if (!OF_PROTOCOL.has(answer.status)) throw new Error(`Status ${answer.status} is not in PROTOCOL.md.`);
  return checkDocumented(request, answer, mayFail(request));
}

/** @param mayFail whether something of the app was made to fail. */
export function checkDocumented(
  request: FuzzRequest,
  { status, headers, body, isWhole }: Checkable,
  mayFail: boolean,
): string {
  if (request.method === 'HEAD') return `${status} problem`;
  // Bytes behind it that no parser can read make the server hang up at once.
  if (!isWhole && request.isOdd) return `${status} problem`;
  if (!isWhole) throw new Error('A problem that breaks off.');
  const problem = JSON.parse(body.toString()) as {
    status?: unknown;
    code?: string;
    title?: unknown;
    retryAfter?: unknown;
  };
  const { code = '' } = problem;
  if (documented.get(code) === undefined) throw new Error(`The code ${code} is not in docs/errors.md.`);
  if (problem.status !== status)
    throw new Error(`${code} says ${String(problem.status)}, and is answered ${status}.`);
  // The one code with a status of the occasion: too many connections in all is a 503 of the hub's.
  if (documented.get(code) !== status)
    throw new Error(`${code} is answered ${status}, not as in docs/errors.md.`);
  if (status === 500 && !mayFail) throw new Error(`500 though nothing of the app failed: ${body.toString()}`);
  const needsRetry = status === 429 || status === 503;
  if (needsRetry && headers.get('retry-after') !== String(problem.retryAfter))
    throw new Error(`${status} without Retry-After.`);
  return `${status} ${code}`;
}

/**
 * The claim that the welcome of a stream gives, if it came; a refusal gives none.
 *
 * @throws if the bytes can't be the beginning of a stream of PROTOCOL.md.
 */
export function checkStream(text: string): Claim | undefined {
  if (text.includes('\r') || text.includes('\u0000')) throw new Error('CR or NUL in a stream.');
  const frames = text.split('\n\n').slice(0, -1);
  for (const frame of frames) checkFrame(frame);
  const [first] = frames;
  if (first === undefined || first.startsWith(': ')) return undefined;
  if (!first.includes('\nevent: tidings:welcome\n'))
    throw new Error(`The first frame is no welcome: ${first.slice(0, 200)}`);
  const { connection, secret } = JSON.parse(/^data: ([^\n]*)$/m.exec(first)?.[1] ?? '') as Claim;
  const cursor =
    text
      .match(/^id: (.*)$/gm)
      ?.at(-1)
      ?.slice(4) ?? 'e.0';
  return { connection, secret, cursor };
}

function checkFrame(frame: string): void {
  for (const line of frame.split('\n')) {
    if (!/^(?:(?:id|event|data): |retry: \d+$|: )/.test(line))
      throw new Error(`A line that no frame has: ${line.slice(0, 100)}`);
    if (line.startsWith('id: ') && !/^id: [\da-z]+\.\d+$/.test(line))
      throw new Error(`An id that is no cursor: ${line.slice(0, 100)}`);
  }
}

/** The text of a body that may be compressed and may break off. */
export async function textOf({ headers, body }: Pick<Checkable, 'headers' | 'body'>): Promise<string> {
  if (headers.get('content-encoding') !== 'gzip') return body.toString();
  const gunzip = createGunzip();
  const parts: Buffer[] = [];
  gunzip.on('data', (part: Buffer) => parts.push(part));
  await new Promise<void>((resolve) => {
    // It breaks off where the peer left.
    gunzip
      .on('error', () => resolve())
      .on('end', resolve)
      .on('close', resolve);
    gunzip.end(body);
  });
  return Buffer.concat(parts).toString();
}
