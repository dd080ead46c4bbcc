import net from 'node:net';
import { type RawAnswer, AnswerParser } from './answers.ts';
import { type Attack, ODD_PATIENCE, type Peer, PATIENCE, whyUnanswered } from './peer.ts';
import type { Random } from './random.ts';
import type { FuzzRequest } from './requests.ts';
import type { Claim } from './values.ts';

/** A socket with HTTP/1.1 written by hand: pipelined, in pieces, broken off, half closed, reset, not read. */
export const attackHttp1: Peer = async (attack, random) => {
  const socket = net.connect({ port: attack.port, host: '127.0.0.1', allowHalfOpen: random.chance(0.1) });
  const line = new Line(socket);
  try {
    for (let batch = random.int(4); batch >= 0 && !line.isOver; batch -= 1) {
      const goesOn = await sendBatch(attack, random, line);
      if (!goesOn) break;
    }
  } finally {
    await leave(random, socket, line);
  }
};

/** The bytes that come in over a socket, and when. */
class Line {
  readonly parser = new AnswerParser();
  isOver = false;
  /** Whether something was sent that leaves the server at a loss where the next request begins. */
  isOdd = false;
  /** Bytes received. */
  bytes = 0;
  /** The code of the error that ended it. */
  error: string | undefined;
  readonly #socket: net.Socket;
  #wake: (() => void) | undefined;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on('data', (bytes: Buffer) => {
      this.bytes += bytes.length;
      this.parser.feed(bytes);
      this.#wake?.();
    });
    // A reset is what many of these end with.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => (this.error = code));
    socket.on('end', () => this.#end());
    socket.on('close', () => this.#end());
  }

  #end(): void {
    this.isOver = true;
    this.#wake?.();
  }

  /** Resolves when something came, or it is over. @returns whether that was within `patience` milliseconds. */
  async more(patience: number): Promise<boolean> {
    if (this.isOver) return true;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), patience)));
    const came = new Promise<boolean>((resolve) => (this.#wake = () => resolve(true)));
    const isInTime = await Promise.race([came, late]);
    clearTimeout(timer);
    return isInTime;
  }

  get socket(): net.Socket {
    return this.#socket;
  }
}

/** @returns whether the socket is good for more. */
async function sendBatch(attack: Attack, random: Random, line: Line): Promise<boolean> {
  const requests = makeBatch(attack, random, line);
  for (const request of requests) attack.sent(request);
  const bytes = Buffer.concat(requests.map(toBytes));
  await write(random, line.socket, bytes);
  const leavesEarly = random.chance(0.1);
  if (leavesEarly) {
    await pause(random.int(4));
    for (const request of requests) attack.unanswered(request, 'left');
    return false;
  }
  for (const [n, request] of requests.entries()) {
    const answer = await nextAnswer(line, request);
    const claim = answer === undefined ? undefined : await attack.answered(request, answer);
    if (claim !== undefined && random.chance(0.5)) await changeOwn(attack, random, request, claim);
    const isEnd = answer === undefined || !answer.isWhole || answer.headers.get('connection') === 'close';
    if (!isEnd) continue;
    const why = answer !== undefined && !request.isOdd ? 'left' : whyUnanswered(requests, n);
    for (const each of requests.slice(answer === undefined ? n : n + 1))
      attack.unanswered(each, why, line.error);
    return false;
  }
  return true;
}

/** Over a socket of its own, while the stream is open. */
async function changeOwn(attack: Attack, random: Random, opened: FuzzRequest, claim: Claim): Promise<void> {
  const line = new Line(net.connect({ port: attack.port, host: '127.0.0.1' }));
  for (const request of random.list(4, () => attack.target.makeChange(random, opened, claim))) {
    attack.sent(request);
    line.socket.write(toBytes(request));
    const answer = await nextAnswer(line, request);
    if (answer !== undefined) await attack.answered(request, answer);
    if (answer?.headers.get('connection') !== 'close' && answer !== undefined) continue;
    if (answer === undefined) attack.unanswered(request, 'closed', line.error);
    break;
  }
  line.socket.destroy();
}

/** Bytes that a parser can't read end the socket, also before the requests ahead of them are answered. */
function makeBatch(attack: Attack, random: Random, line: Line): FuzzRequest[] {
  const length = random.chance(0.8) ? 1 : 1 + random.int(6);
  const requests = Array.from({ length }, () => attack.target.makeRequest(random, attack.claims));
  // It takes more after `Connection: close` for such, too.
  const closes = requests.slice(0, -1).some(({ headers }) => headers.some(([, value]) => value === 'close'));
  line.isOdd ||= closes || requests.some((request) => request.isOdd);
  return requests.map((request) => ({ ...request, isOdd: line.isOdd }));
}

/** An answer without end is given once it has some frames, or brings no more. */
async function nextAnswer(line: Line, request: FuzzRequest): Promise<RawAnswer | undefined> {
  const wanted = line.bytes + 2000;
  for (;;) {
    const answer = parse(line, request);
    if (answer?.isWhole === true || line.isOver) return answer;
    const isStream = answer?.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (isStream && answer.body.length > 0 && (line.bytes >= wanted || isWelcomed(answer))) return answer;
    if (await line.more(request.isOdd ? ODD_PATIENCE : PATIENCE)) continue;
    if (!request.isOdd)
      throw new Error(`Nothing came within ${PATIENCE} ms for ${request.method} ${request.target}.`);
    // The server waits for the rest of a body, say.
    line.socket.destroy();
    return answer;
  }
}

/** Fastify writes its 400 into whatever it is answering when something comes that it can't read. */
function parse(line: Line, request: FuzzRequest): RawAnswer | undefined {
  try {
    return line.parser.next(request.method, line.isOver);
  } catch (error) {
    if (!request.isOdd) throw error;
    line.socket.destroy();
    line.isOver = true;
    return undefined;
  }
}

function isWelcomed({ headers, body }: RawAnswer): boolean {
  return headers.has('content-encoding') || body.includes('\n\n');
}

/** Some streams stay open for a while, read or not, before their peer goes. */
async function leave(random: Random, socket: net.Socket, line: Line): Promise<void> {
  const kind = random.int(10);
  if (kind < 2) socket.pause();
  if (kind < 3 && !line.isOver) await pause(random.int(30));
  if (kind === 5) socket.resetAndDestroy();
  else if (kind === 6) {
    socket.end();
    await pause(random.int(5));
  } else if (kind === 7) socket.write(random.pick(['\u0000', 'GET', '\r\n\r\n', 'x'.repeat(5000)]));
  socket.destroy();
}

async function write(random: Random, socket: net.Socket, bytes: Buffer): Promise<void> {
  if (random.chance(0.9)) return void socket.write(bytes);
  const pieces = random.pick([2, 5]);
  for (let i = 0; i < pieces && !socket.destroyed; i += 1) {
    socket.write(bytes.subarray((bytes.length * i) / pieces, (bytes.length * (i + 1)) / pieces));
    await pause(random.int(2));
  }
}

function toBytes({ method, target, headers, body, framing, version = 'HTTP/1.1' }: FuzzRequest): Buffer {
  const lines = [
    `${method} ${target} ${version}`,
    'Host: 127.0.0.1',
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  const content = Buffer.from(body ?? '');
  const isChunked = framing === 'chunked' || framing === 'trailers';
  if (body !== undefined && isChunked) lines.push('Transfer-Encoding: chunked');
  else if (body !== undefined)
    lines.push(`Content-Length: ${content.length + (framing === 'short' ? 10 : 0)}`);
  const head = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  if (body === undefined || !isChunked) return Buffer.concat([head, content]);
  return Buffer.concat([head, ...toChunks(content, framing === 'trailers')]);
}

/** One chunk; or many small ones with an extension each, and trailers that say something else than the headers. */
function toChunks(content: Buffer, hasTrailers: boolean): Buffer[] {
  const size = hasTrailers ? Math.max(1, Math.ceil(content.length / 20)) : content.length;
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    const chunk = content.subarray(at, at + size);
    const extension = hasTrailers ? ';a="b;c"' : '';
    parts.push(Buffer.from(`${chunk.length.toString(16)}${extension}\r\n`), chunk, Buffer.from('\r\n'));
  }
  const trailers = hasTrailers ? 'Content-Type: text/plain\r\nOrigin: https://evil.example\r\n' : '';
  return [...parts, Buffer.from(`0\r\n${trailers}\r\n`)];
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
