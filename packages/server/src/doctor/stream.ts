/** Watches a stream as a browser would get it: does the first frame pass at once, do heartbeats, is it cut off? */
import { type Finding, duration, note, ok, problem, warning } from './finding.ts';
import { type Intermediary, intermediariesOf, whoOf } from './intermediaries.ts';
import type { Observed, SeenWelcome } from './observe.ts';
import { type Heard, type Unheard, type Visit, isHeard, visit } from './visit.ts';

/** The content codings that browsers accept. */
const asBrowsersDo = { 'accept-encoding': 'gzip, deflate, br' };
/** For a server that doesn't say how often it sends a heartbeat. */
const DEFAULT_WATCH = 40_000;
/** A heartbeat may be late by this share of its interval before it counts as held back. */
const SLACK = 1.5;

/** @param first the answer that ended, whose headers may tell who is in between even if the stream never answers. */
export async function watchStream(on: Visit, first: Heard): Promise<readonly Finding[]> {
  const heartbeat = first.seen.welcome?.heartbeat;
  const time = on.watch ?? (heartbeat === undefined ? DEFAULT_WATCH : heartbeat * 2.5);
  const watched = await visit(on, { headers: asBrowsersDo, within: on.patience, watch: time });
  if (!isHeard(watched) && !watched.isLate)
    return [problem('stream', `The stream failed: ${watched.failure.message}.`)];
  const { headers } = first.answer;
  const held = heldBack(watched);
  if (!isHeard(watched) || held !== undefined) return [await explain(on, held ?? 'headers', headers)];
  const between = intermediariesOf({ ...headers, ...watched.answer.headers });
  return [...compression(watched), ...life(watched, time, between)];
}

type Held = 'headers' | 'body';

function heldBack(result: Heard | Unheard): Held | undefined {
  if (!isHeard(result)) return 'headers';
  return result.seen.arrivals.length === 0 && result.seen.ended === 'limit' ? 'body' : undefined;
}

/** Asks again without compression: if that passes, compression is what holds the stream back. */
async function explain(on: Visit, held: Held, headers: Readonly<Record<string, string>>): Promise<Finding> {
  const plain = await visit(on, {
    headers: { 'accept-encoding': 'identity' },
    within: on.patience,
    isEnough: ({ arrivals }) => arrivals.length > 0,
  });
  const between = intermediariesOf({ ...headers, ...(isHeard(plain) && plain.answer.headers) });
  if (heldBack(plain) === undefined) {
    return problem(
      'compression',
      `${whoOf(between)} compresses the stream and holds it back meanwhile: without compression it passes.`,
      adviceOn(between, ({ compress }) => compress),
    );
  }
  return problem(
    'stream',
    held === 'headers'
      ? `${whoOf(between)} holds the whole response back: answers that end do pass.`
      : `${whoOf(between)} passes the headers and holds the body back: answers that end do pass.`,
    adviceOn(between, ({ unbuffer }) => unbuffer),
  );
}

function adviceOn(
  between: readonly Intermediary[],
  pick: (one: Intermediary) => string | undefined,
): string | undefined {
  const known = between.flatMap((one) => {
    const text = pick(one);
    return text === undefined ? [] : [`${one.name}: ${text}`];
  });
  return [...known, 'Until then, the Tidings client falls back to answers that end (wait).'].join(' ');
}

function compression({ answer }: Heard): readonly Finding[] {
  const encoding = answer.headers['content-encoding'];
  if (encoding === undefined || encoding === 'identity') return [];
  return [ok('compression', `The stream is compressed (${encoding}), and passes at once.`)];
}

/** Findings about the stream while it was watched. */
function life({ answer, seen }: Heard, time: number, between: readonly Intermediary[]): readonly Finding[] {
  const first = seen.arrivals[0] ?? answer.headersAfter;
  const passed = ok('stream', `The first bytes came after ${duration(first)}.`);
  const cut = cutOff(seen, between);
  if (cut !== undefined) return [passed, cut];
  return [passed, heartbeats(seen, seen.welcome, time, between)];
}

function cutOff(seen: Observed, between: readonly Intermediary[]): Finding | undefined {
  if (seen.ended === 'limit') return undefined;
  if (seen.saidGoodbye)
    return note('cut-off', `The server ended the stream after ${duration(seen.endedAfter)}, and said so.`);
  const silence = seen.endedAfter - (seen.arrivals.at(-1) ?? 0);
  const how = seen.ended === 'end' ? 'ended' : 'cut off';
  const title = `The stream was ${how} after ${duration(seen.endedAfter)}, ${duration(silence)} after its last byte, without a goodbye.`;
  const heartbeat = seen.welcome?.heartbeat;
  const shorter =
    heartbeat === undefined
      ? 'Send a heartbeat more often than that.'
      : silence < heartbeat
        ? `The heartbeat is ${duration(heartbeat)}: make it shorter than ${duration(silence)}, or the idle time-out in between longer.`
        : 'Look for a limit on the duration of a response.';
  return problem(
    'cut-off',
    title,
    [shorter, ...between.map(({ name, idle }) => `${name}: ${idle}`)].join(' '),
  );
}

function heartbeats(
  seen: Observed,
  welcome: SeenWelcome | undefined,
  time: number,
  between: readonly Intermediary[],
): Finding {
  const silence = Math.max(...gaps(seen.arrivals, seen.endedAfter));
  if (welcome === undefined) {
    return note(
      'heartbeat',
      `The longest silence in ${duration(time)} was ${duration(silence)}.`,
      'Something that ends silent responses sooner than that would break it.',
    );
  }
  const { heartbeat } = welcome;
  if (time < heartbeat * SLACK) {
    return note(
      'heartbeat',
      `${duration(time)} are too short to see a heartbeat, which comes every ${duration(heartbeat)}.`,
      'Watch longer: --for.',
    );
  }
  if (silence <= heartbeat * SLACK + 500) {
    return ok('heartbeat', `Heartbeats came every ${duration(heartbeat)}, for ${duration(time)}.`);
  }
  return problem(
    'heartbeat',
    `${whoOf(between)} lets the first bytes pass and holds later ones back: heartbeats are due every ${duration(heartbeat)}, and there was silence for ${duration(silence)}.`,
    adviceOn(between, ({ unbuffer }) => unbuffer),
  );
}

/** The silences: between two arrivals, and from the last one to the end. */
function gaps(arrivals: readonly number[], end: number): readonly number[] {
  return [...arrivals.slice(1), end].map((at, index) => at - (arrivals[index] ?? 0));
}

/** HTTP/1.1 works, until somebody opens a seventh tab. */
export function httpVersion({ answer }: Heard): Finding {
  if (answer.httpVersion === '2')
    return ok('http-version', 'HTTP/2: a browser has all its streams on one connection.');
  if (answer.httpVersion === '1.0') {
    return warning(
      'http-version',
      "HTTP/1.0: something in between doesn't speak HTTP/1.1.",
      "Set it to HTTP/1.1 or 2; 1.0 can't frame a stream.",
    );
  }
  return note(
    'http-version',
    'HTTP/1.1: a browser opens at most six connections to a host, over all its tabs.',
    'Serve HTTP/2 to browsers (it needs TLS), or share one stream between tabs.',
  );
}
