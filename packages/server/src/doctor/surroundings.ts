/** Shorter requests around the stream: resuming, several nodes, caches, changes, CORS. */
import { type Finding, note, ok, problem, warning } from './finding.ts';
import { type Heard, type Visit, isHeard, visit, withParameter } from './visit.ts';

/** How many servers in a row are asked to resume. */
const TURNS = 3;
const LET_THROUGH = 'Let the header through: without it, clients miss whatever happens while they are away.';

/** @param first the answer of a hub */
export async function resuming(on: Visit, first: Heard): Promise<readonly Finding[]> {
  const { cursor, welcome } = first.seen;
  if (welcome === undefined || cursor === '') return [];
  const ask = (headers: Readonly<Record<string, string>>, url: URL) =>
    visit(on, { url: withParameter(url, 'wait', '0'), headers, within: on.patience });
  // One after the other: a balancer that takes turns gives at least one of them to another server than the first.
  const byHeader: Awaited<ReturnType<typeof ask>>[] = [];
  for (let count = 0; count < TURNS; count += 1)
    byHeader.push(await ask({ 'last-event-id': cursor }, on.url));
  const byQuery = await ask({}, withParameter(on.url, 'last_event_id', cursor));
  return [
    ...cached(first, byHeader.find(isHeard)),
    ...worst(
      byHeader.flatMap((result) => verdictOn(result, 'resume', 'the header Last-Event-ID', LET_THROUGH)),
    ),
    ...verdictOn(
      byQuery,
      'resume-query',
      'last_event_id in the query',
      'Keep the query of the URL unchanged.',
    ),
  ];
}

/** The first finding that isn't good, or the first. */
function worst(findings: readonly Finding[]): readonly Finding[] {
  const bad = findings.find(({ verdict }) => verdict !== 'ok');
  return bad === undefined ? findings.slice(0, 1) : [bad];
}

function verdictOn(
  result: Awaited<ReturnType<typeof visit>>,
  check: 'resume' | 'resume-query',
  what: string,
  advice: string,
): readonly Finding[] {
  const welcome = isHeard(result) ? result.seen.welcome : undefined;
  if (welcome === undefined) return [warning(check, `A request with ${what} got no welcome.`)];
  if (welcome.resumed) return [ok(check, `The hub resumes by ${what}.`)];
  if (welcome.gaps.length === 0) return [problem(check, `The hub never saw ${what}.`, advice)];
  const reasons = welcome.gaps.map(({ reason }) => reason);
  if (reasons.includes('trimmed'))
    return [note(check, `The hub saw ${what}, but no longer has the events after it.`)];
  return [
    problem(
      'nodes',
      'A cursor that the hub gave a moment ago is unknown there: several servers, each with a log of its own, seem to answer.',
      'Give them one log (Redis, PostgreSQL, or a shared LMDB folder), or send each client to the same server.',
    ),
  ];
}

/** Each connection has an id of its own: two equal ones mean that an answer was stored and served again. */
function cached(first: Heard, second: Heard | undefined): readonly Finding[] {
  const [before, after] = [first.seen.welcome?.connection, second?.seen.welcome?.connection];
  if (before === undefined || after === undefined) return [];
  if (before === after) {
    return [
      problem(
        'cache',
        'The same answer came twice: a cache stores the stream.',
        'Let the cache pass this path, or respect Cache-Control: no-store.',
      ),
    ];
  }
  return [ok('cache', 'No cache answers in place of the server.')];
}

/** A change of a connection that isn't there: the hub knows its own 404. */
export async function changing(on: Visit): Promise<Finding> {
  const result = await visit(on, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/problem+json' },
    body: JSON.stringify({ connection: 'doctor', secret: 'doctor' }),
    within: on.patience,
  });
  if (!isHeard(result))
    return warning('post', 'A POST to the URL got no response.', 'Clients change their topics by POST.');
  const { status, headers } = result.answer;
  const isHubs = status === 404 && (headers['content-type'] ?? '').startsWith('application/problem+json');
  if (isHubs) return ok('post', 'A POST reaches the hub: clients can change their topics.');
  return warning(
    'post',
    `A POST to the URL is answered ${status}, not by the hub.`,
    'Clients add and drop topics, and renew their authorization, by POST to the URL of the stream: let it through.',
  );
}

/** The checks that a browser makes for a page of another origin. */
export async function crossOrigin(on: Visit, origin: string): Promise<readonly Finding[]> {
  const simple = await visit(on, {
    url: withParameter(on.url, 'wait', '0'),
    headers: { origin },
    within: on.patience,
  });
  const allowed = isHeard(simple) ? simple.answer.headers['access-control-allow-origin'] : undefined;
  if (allowed !== '*' && allowed !== origin) {
    const got = allowed === undefined ? 'has no Access-Control-Allow-Origin' : `allows ${allowed}`;
    return [
      problem(
        'cors',
        `A page of ${origin} can't read the stream: the answer ${got}.`,
        "Name the origin in the hub's cors option, and let the header through.",
      ),
    ];
  }
  const preflight = await visit(on, {
    method: 'OPTIONS',
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type,last-event-id',
    },
    within: on.patience,
  });
  const isAllowed = isHeard(preflight) && allows(preflight.answer.headers) && preflight.answer.status < 300;
  return [
    ok('cors', `A page of ${origin} may read the stream.`),
    isAllowed
      ? ok('cors', 'A page of that origin may change its topics and resume by header.')
      : warning(
          'cors',
          'The preflight for POST and Last-Event-ID is refused.',
          'Let OPTIONS through to the hub.',
        ),
  ];
}

function allows(headers: Readonly<Record<string, string>>): boolean {
  const names = (headers['access-control-allow-headers'] ?? '').toLowerCase();
  return names === '*' || ['content-type', 'last-event-id'].every((name) => names.includes(name));
}
