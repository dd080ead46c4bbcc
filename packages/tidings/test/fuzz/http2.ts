import http2 from 'node:http2';
import type { RawAnswer } from './answers.ts';
import { type Attack, ODD_PATIENCE, type Peer, PATIENCE } from './peer.ts';
import { type Random, createRandom } from './random.ts';
import type { FuzzRequest } from './requests.ts';

/** A session of HTTP/2 with some streams at once, of which each ends in its own way, as does the session. */
export const attackHttp2: Peer = async (attack, random) => {
  const session = http2.connect(`http://127.0.0.1:${attack.port}`, { settings: settingsOf(random) });
  // A session that is reset too often is ended by Node.
  session.on('error', () => {});
  try {
    for (let batch = random.int(3); batch >= 0 && !session.destroyed && !session.closed; batch -= 1) {
      // Where the streams begin settles what is random, not where they end.
      const requests = Array.from({ length: 1 + random.int(6) }, () =>
        attack.target.makeRequest(random, attack.claims),
      );
      const manners = requests.map(() => mannersOf(random));
      if (batch === 0 && random.chance(0.3)) disturb(random, session);
      await Promise.all(
        requests.map((request, n) =>
          ask(attack, session, request, manners[n] ?? { leaves: undefined, stays: 0 }),
        ),
      );
    }
  } finally {
    if (random.chance(0.3)) session.close();
    if (random.chance(0.5)) await pause(random.int(10));
    session.destroy();
  }
};

/** A small window makes the server wait in the middle of its answers. */
function settingsOf(random: Random): http2.Settings {
  if (random.chance(0.8)) return {};
  return random.pick<http2.Settings>([
    { initialWindowSize: 16 },
    { initialWindowSize: 1000 },
    { maxFrameSize: 16_384, headerTableSize: 0 },
    { enablePush: false },
  ]);
}

/** Frames of control, some of them many. */
function disturb(random: Random, session: http2.ClientHttp2Session): void {
  const times = random.pick([1, 5, 9]);
  const kind = random.int(3);
  for (let i = 0; i < times && !session.connecting && !session.destroyed && !session.closed; i += 1) {
    if (kind === 0) session.ping(() => {});
    else if (kind === 1) session.settings({ initialWindowSize: 65_535 });
    else session.setLocalWindowSize(65_536 + random.int(1_000_000));
  }
}

interface Manners {
  /** Milliseconds after which the stream is reset, whatever came. */
  readonly leaves: number | undefined;
  /** Milliseconds for which a stream of events stays. */
  readonly stays: number;
}

function mannersOf(random: Random): Manners {
  return {
    leaves: random.chance(0.1) ? random.int(3) : undefined,
    stays: random.chance(0.5) ? random.int(30) : 0,
  };
}

/** Headers of HTTP/1.1 alone, which the client refuses to send. */
const FORBIDDEN = new Set([
  'connection',
  'upgrade',
  'transfer-encoding',
  'content-length',
  'te',
  'host',
  'expect',
  '',
]);

async function ask(
  attack: Attack,
  session: http2.ClientHttp2Session,
  request: FuzzRequest,
  { leaves, stays }: Manners,
): Promise<void> {
  const stream = open(session, request);
  if (stream === undefined) return;
  attack.sent(request);
  if (leaves !== undefined) {
    await pause(leaves);
    stream.close(http2.constants.NGHTTP2_CANCEL);
    return attack.unanswered(request, 'left');
  }
  const answer = await answerOf(stream, request);
  if (answer === undefined)
    return attack.unanswered(request, request.isOdd ? 'odd' : session.destroyed ? 'left' : 'closed');
  const claim = await attack.answered(request, answer);
  // Chosen beforehand: what comes when depends on the machine.
  if (claim !== undefined && stays > 10) {
    const change = attack.target.makeChange(createRandom(stays), request, claim);
    await ask(attack, session, change, { leaves: undefined, stays: 0 });
  }
  await pause(stays);
  stream.close(http2.constants.NGHTTP2_CANCEL);
}

/** @returns undefined for what Node's client doesn't send. */
function open(
  session: http2.ClientHttp2Session,
  { method, target, headers, body, framing }: FuzzRequest,
): http2.ClientHttp2Stream | undefined {
  const all: http2.OutgoingHttpHeaders = { ':method': method, ':path': target };
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (!FORBIDDEN.has(lower)) all[lower] = value;
  }
  try {
    const waitForTrailers = framing === 'trailers' && body !== undefined;
    const stream = session.request(all, { endStream: body === undefined, waitForTrailers });
    stream.on('error', () => {});
    stream.on('wantTrailers', () => stream.sendTrailers({ 'content-type': 'text/plain' }));
    if (body !== undefined) stream.end(body);
    return stream;
  } catch {
    return undefined;
  }
}

/** An answer without end is given once it has some frames. */
function answerOf(stream: http2.ClientHttp2Stream, request: FuzzRequest): Promise<RawAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => {
        if (request.isOdd) return resolve(undefined);
        reject(new Error(`No answer within ${PATIENCE} ms: ${JSON.stringify(request).slice(0, 1000)}`));
      },
      request.isOdd ? ODD_PATIENCE : PATIENCE,
    );
    const parts: Buffer[] = [];
    let bytes = 0;
    let head: { readonly status: number; readonly headers: ReadonlyMap<string, string> } | undefined;
    const settle = (isWhole: boolean): void => {
      clearTimeout(timer);
      resolve(head === undefined ? undefined : { ...head, body: Buffer.concat(parts), isWhole });
    };
    stream.on('response', ({ ':status': status = 0, ...rest }) => {
      const headers = new Map(Object.entries(rest).map(([name, value]) => [name, String(value)]));
      head = { status, headers };
      if (request.method === 'HEAD') settle(true);
    });
    stream.on('data', (part: Buffer) => {
      parts.push(part);
      bytes += part.length;
      const isStream = head?.headers.get('content-type')?.startsWith('text/event-stream') === true;
      const isEnough =
        head?.headers.has('content-encoding') === true || part.includes('\n\n') || bytes > 2000;
      if (isStream && isEnough) settle(false);
    });
    stream.on('end', () => settle(true));
    stream.on('close', () => settle(false));
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
