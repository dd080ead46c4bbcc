/** The first request: an answer that ends, which passes any proxy. Says whether the server itself is right. */
import { type Finding, duration, note, ok, problem, warning } from './finding.ts';
import { shownUrl } from '../config/shown-url.ts';
import type { Answer } from './exchange.ts';
import { type Heard, type Unheard, type Visit, isHeard, visit, withParameter } from './visit.ts';

export interface FirstAnswer {
  readonly findings: readonly Finding[];
  /** The stream's own URL, once redirects are followed, and the headers to send there; undefined if the doctor can't go on. */
  readonly there: Pick<Visit, 'url' | 'headers'> | undefined;
  readonly heard: Heard | undefined;
}

const MOST_REDIRECTS = 5;
const NOT_SENT_ELSEWHERE = 'It is another server, so the doctor doesn’t send it your token and headers.';
const redirects = new Set([301, 302, 303, 307, 308]);

export async function firstAnswer(on: Visit): Promise<FirstAnswer> {
  const findings: Finding[] = [];
  let { url, headers } = on;
  for (let count = 0; count <= MOST_REDIRECTS; count += 1) {
    const result = await askForEnd({ ...on, url, headers });
    if (!isHeard(result))
      return { findings: [...findings, unreachable(url, result)], there: undefined, heard: undefined };
    const target = redirectOf(url, result.answer);
    if (target === undefined) {
      const rest = judge(result, headers);
      const mayGoOn = rest.every(({ verdict }) => verdict !== 'problem');
      return {
        findings: [...findings, ...rest],
        there: mayGoOn ? { url, headers } : undefined,
        heard: result,
      };
    }
    const isElsewhere = target.origin !== url.origin;
    const title = `${shownUrl(url.href)} redirects to ${shownUrl(target.href)} (${result.answer.status}).`;
    const advice = 'Use that URL: each reconnect takes a request less.';
    findings.push(
      note(
        'redirect',
        title,
        isElsewhere && Object.keys(headers).length > 0 ? `${advice} ${NOT_SENT_ELSEWHERE}` : advice,
      ),
    );
    // The credentials that were given are for the server that was named.
    if (isElsewhere) headers = {};
    url = target;
  }
  const loop = problem('redirect', `More than ${MOST_REDIRECTS} redirects in a row.`, 'Look for a loop.');
  return { findings: [...findings, loop], there: undefined, heard: undefined };
}

/** Only a hub of Tidings ends the answer; another server streams, and is cut off by the doctor. */
function askForEnd(on: Visit): Promise<Heard | Unheard> {
  return visit(on, {
    url: withParameter(on.url, 'wait', '0'),
    within: on.patience,
    isEnough: ({ welcome, arrivals }) => welcome === undefined && arrivals.length >= 2,
  });
}

function redirectOf(url: URL, { status, headers }: Answer): URL | undefined {
  const location = headers['location'];
  if (!redirects.has(status) || location === undefined || !URL.canParse(location, url.href)) return undefined;
  const target = new URL(location, url);
  // The doctor's own parameter isn't part of the stream's URL.
  target.searchParams.delete('wait');
  return target;
}

function unreachable(url: URL, { failure, isLate }: Unheard): Finding {
  if (isLate) {
    return problem(
      'answer',
      `No response to ${shownUrl(url.href)}.`,
      'Either the server is silent, or something in between waits for the end of a response before it hands on the first byte.',
    );
  }
  const code = 'code' in failure ? String(failure.code) : '';
  return problem('connect', `Can't connect to ${url.host}: ${failure.message}.`, adviceOn(code));
}

function adviceOn(code: string): string | undefined {
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'The name has no address here: look at its spelling and at DNS.';
  if (code === 'ECONNREFUSED') return 'Nothing listens there: is the server running, and on this port?';
  if (code === 'ECONNRESET')
    return 'The connection was cut before an answer: is it http where https was asked for, or a firewall?';
  if (/CERT|SELF_SIGNED|UNABLE_TO/.test(code))
    return "Browsers won't trust this certificate either. NODE_EXTRA_CA_CERTS names a file of further authorities.";
  return undefined;
}

function judge({ answer, seen }: Heard, headers: Visit['headers']): readonly Finding[] {
  const { status } = answer;
  if (status === 401 || status === 403) {
    const isMissing = headers['authorization'] === undefined && headers['cookie'] === undefined;
    return [
      problem(
        'answer',
        `The server answers ${status}.`,
        isMissing
          ? 'Give the doctor credentials: --token, or --header with a cookie.'
          : "These credentials don't allow it.",
      ),
    ];
  }
  if (status === 429 || status === 503) {
    return [
      problem(
        'answer',
        `The server answers ${status}: it has reached a limit, or is going down.`,
        'Try again later.',
      ),
    ];
  }
  if (status !== 200)
    return [
      problem('answer', `The server answers ${status}.`, 'An event stream has status 200: look at the URL.'),
    ];
  const type = answer.headers['content-type'] ?? '';
  if (!/^text\/event-stream\b/i.test(type)) {
    return [
      problem(
        'answer',
        `The answer is of type ${type === '' ? '(none)' : type}.`,
        'A browser reads only text/event-stream: look at the URL.',
      ),
    ];
  }
  return [...clock(answer), ...whatItIs(seen.welcome !== undefined)];
}

function whatItIs(isHub: boolean): readonly Finding[] {
  return isHub
    ? [ok('answer', 'A Tidings hub answers.')]
    : [
        note(
          'answer',
          'An event stream, but not of a Tidings hub: the doctor can look at its transport only.',
        ),
      ];
}

const MOST_SKEW = 30_000;

function clock({ headers }: Answer): readonly Finding[] {
  const there = Date.parse(headers['date'] ?? '');
  if (Number.isNaN(there)) return [];
  // The header has whole seconds.
  const skew = there + 500 - Date.now();
  if (Math.abs(skew) < MOST_SKEW) return [ok('clock', 'The clocks here and there agree.')];
  return [
    warning(
      'clock',
      `The clock there is ${duration(Math.abs(skew))} ${skew > 0 ? 'ahead of' : 'behind'} the one here.`,
      'Tokens seem expired, or not yet valid, by that much. Keep the time with NTP on both sides.',
    ),
  ];
}
