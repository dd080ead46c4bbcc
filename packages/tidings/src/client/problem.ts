/** A server's own words about a failure: members of problem details, https://www.rfc-editor.org/rfc/rfc9457 */
export interface Problem {
  readonly detail?: string;
  /** Of this library's servers: the code of the error. */
  readonly code?: string;
}

/**
 * Reads only what comes at once, which for an explanation is all of it: an answer that goes on for ever, or never
 * begins, must not keep the client from its next step.
 */
export async function readProblem(response: Response, timeout: Promise<unknown>): Promise<Problem> {
  if (
    response.body === null ||
    !/^application\/([\w.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')
  ) {
    return {};
  }
  const read = response.body.getReader().read();
  const first = await Promise.race([read.catch(() => undefined), timeout.then(() => undefined)]);
  return first?.value === undefined ? {} : parseProblem(new TextDecoder().decode(first.value));
}

function parseProblem(text: string): Problem {
  let problem: unknown;
  try {
    problem = JSON.parse(text);
  } catch {
    return {};
  }
  if (typeof problem !== 'object' || problem === null) return {};
  const { detail, code } = problem as { detail?: unknown; code?: unknown };
  return { ...(typeof detail === 'string' && { detail }), ...(typeof code === 'string' && { code }) };
}
