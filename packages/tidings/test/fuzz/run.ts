import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Checkable, textOf } from './check.ts';
import { type Attack, PATIENCE, type Peer } from './peer.ts';
import { createRandom } from './random.ts';
import type { FuzzRequest } from './requests.ts';
import type { Report } from './reporter.ts';
import { type Target, targets } from './targets.ts';
import type { Claim } from './values.ts';

export interface FuzzOptions {
  readonly transport: string;
  readonly requests: number;
  readonly seed: number;
  /** It ends after this many seconds, whatever was sent. */
  readonly seconds: number;
  /** Peers at the same time. */
  readonly peers: number;
  /** Milliseconds that a turn of the server may last. */
  readonly longestTurn: number;
}

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  /** How often each kind of answer came. */
  readonly tally: ReadonlyMap<string, number>;
  /** Milliseconds. */
  readonly longestTurn: number;
  /** Bytes, after each tenth of the requests. */
  readonly memory: readonly number[];
  /** Failures; the first of each kind. */
  readonly problems: readonly string[];
}

/** The memory of the end may be so much above that of the middle: bytes, and a part of it. */
const SLACK = 4_000_000;
const MAX_PROBLEMS = 20;
/** Claims that peers know of, the newest. */
const MAX_CLAIMS = 60;

/** Attacks one transport, in a process of its own, until as many requests were sent. */
export async function fuzz(options: FuzzOptions): Promise<Outcome> {
  const began = performance.now();
  const target = targets[options.transport];
  if (target === undefined)
    throw new Error(`No transport ${options.transport}: there are ${Object.keys(targets).join(', ')}.`);
  const server = fork(fileURLToPath(new URL(target.script, import.meta.url)), [target.argument], {
    // Its helpers would keep the main thread waiting for a core.
    execArgv: ['--single-threaded-gc'],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
  // Frameworks write there what the hub ends on purpose, too: of interest only if the server ends badly.
  let errors = '';
  server.stderr?.on('data', (text: Buffer) => (errors = (errors + text.toString()).slice(-2000)));
  const tally = new Map<string, number>();
  const problems: string[] = [];
  const problem = (text: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(text);
  };
  const exit = once(server, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  try {
    const [port] = (await Promise.race([once(server, 'message'), exit.then(dies)])) as [number];
    const { sent, memory, longest } = await attackInParts(options, target, server, port, tally, problem);
    server.send('stop');
    const [code, signal] = await within('end of the server', exit);
    if (code !== 0) problem(`The server ended with ${code ?? signal}: ${errors}`);
    if (isRising(memory)) problem(`Memory rises: ${memory.join(', ')} bytes.`);
    if (longest > options.longestTurn) problem(`A turn lasted ${longest.toFixed(1)} ms.`);
    return {
      requests: sent,
      seconds: (performance.now() - began) / 1000,
      tally,
      longestTurn: longest,
      memory,
      problems,
    };
  } finally {
    server.kill('SIGKILL');
  }
}

async function attackInParts(
  { requests, seed, seconds, peers }: FuzzOptions,
  target: Target,
  server: ChildProcess,
  port: number,
  tally: Map<string, number>,
  problem: (text: string) => void,
): Promise<{ readonly sent: number; readonly memory: readonly number[]; readonly longest: number }> {
  const atOnce = Math.ceil(peers * target.share);
  const claims: Claim[] = [];
  const memory: number[] = [];
  let longest = 0;
  let sent = 0;
  let nextPeer = 0;
  const began = performance.now();
  // Compiled code, shapes and caches are there before anything is measured.
  await report(server);
  for (let part = 1; part <= 10; part += 1) {
    const goal = (requests * part) / 10;
    const partEnd = began + (seconds * 1000 * part) / 10;
    const one = async (): Promise<void> => {
      while (sent < goal && server.connected && performance.now() < partEnd) {
        nextPeer += 1;
        const attack = attackOf(port, target, claims, tally, problem, nextPeer, () => (sent += 1));
        await runPeer(target.peer, attack, seed + nextPeer, problem);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, one));
    if (!server.connected) {
      problem('The server has ended.');
      break;
    }
    const now = await report(server);
    memory.push(now.memory);
    // The first part compiles the code that all of them run.
    if (part > 1) longest = Math.max(longest, now.longestTurn);
    for (const failure of now.failures) problem(failure);
    if (now.connections > 0) problem(`${now.connections} connections stay though all peers have left.`);
  }
  return { sent, memory, longest };
}

async function runPeer(
  peer: Peer,
  attack: Attack,
  seed: number,
  problem: (text: string) => void,
): Promise<void> {
  try {
    await peer(attack, createRandom(seed));
  } catch (error) {
    problem(`Peer with seed ${seed}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function attackOf(
  port: number,
  target: Target,
  claims: Claim[],
  tally: Map<string, number>,
  problem: (text: string) => void,
  number: number,
  onSent: () => void,
): Attack {
  const count = (kind: string): void => void tally.set(kind, (tally.get(kind) ?? 0) + 1);
  const history: string[] = [];
  const show = (request: FuzzRequest): string =>
    `peer ${number}: ${describe(request)}\n  after ${history.join(' | ') || 'nothing'}`;
  return {
    port,
    target,
    claims,
    sent: onSent,
    async answered(request, answer) {
      try {
        const kind = target.checkAnswer(request, answer);
        count(kind);
        history.push(`${request.method} ${request.target.slice(0, 40)} ${kind}`);
        if (!isStream(request, answer)) return undefined;
        const claim = target.checkStream(request, await textOf(answer));
        keep(claims, claim);
        return answer.isWhole ? undefined : claim;
      } catch (error) {
        problem(`${(error as Error).message}\n  ${show(request)}`);
        return undefined;
      }
    },
    unanswered(request, why, error = 'no error') {
      if (why === 'closed') problem(`No answer, and the socket closed (${error}).\n  ${show(request)}`);
      count(`no answer: ${why}`);
    },
  };
}

function describe({ method, target, headers, body, framing, isOdd }: FuzzRequest): string {
  const cut = headers.map(([name, value]) => [name, value.slice(0, 100)]);
  const all = {
    method,
    target: target.slice(0, 200),
    headers: cut,
    body: body?.slice(0, 200),
    framing,
    isOdd,
  };
  return JSON.stringify(all);
}

function isStream({ method }: FuzzRequest, { status, headers }: Checkable): boolean {
  return (
    method === 'GET' &&
    status === 200 &&
    headers.get('content-type')?.startsWith('text/event-stream') === true
  );
}

function keep(claims: Claim[], claim: Claim | undefined): void {
  if (claim === undefined) return;
  claims.push(claim);
  if (claims.length > MAX_CLAIMS) claims.shift();
}

async function report(server: ChildProcess): Promise<Report> {
  server.send('report');
  const [answer] = (await within('report of the server', once(server, 'message'))) as [Report];
  return answer;
}

/** Whether the lowest of the last third is above the highest of the third before it. */
function isRising(memory: readonly number[]): boolean {
  const third = Math.floor(memory.length / 3);
  if (third === 0) return false;
  const middle = Math.max(...memory.slice(third, -third));
  const end = Math.min(...memory.slice(-third));
  return end > middle + SLACK;
}

async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`No ${what} within ${PATIENCE} ms.`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function dies(): never {
  throw new Error('The server ended before it listened.');
}
