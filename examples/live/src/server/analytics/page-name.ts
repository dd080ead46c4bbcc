import type { Request } from 'express';
import { LIMITS, trimPath } from '../../shared/api.ts';
import type { PageName } from '../../shared/api.ts';
import { hostOf } from '../http/cross-site.ts';
import { HttpProblem } from '../http/problem.ts';

/** The name under which pages beyond the maximum are counted together. */
export const OTHER: PageName = '(other)';

// Visible ASCII, like a browser's `location.pathname`; without query and fragment, which may contain secrets.
const PATH = /^\/[!-"$->@-~]*$/;

/**
 * The name under which the page that sends this request is counted. The browser names its site, so no
 * page can have itself counted as another site's.
 *
 * @throws HttpProblem 400 `page/invalid`
 */
export function pageName(request: Request, path: string): PageName {
  if (!PATH.test(path) || path.length > LIMITS.pageLength) {
    throw invalid(`A page is a path that begins with / and has at most ${LIMITS.pageLength} characters.`);
  }
  const name = trimPath(path);
  const origin = request.get('Origin');
  if (origin === undefined) return name;
  const host = hostOf(origin);
  if (host === undefined || host.length > LIMITS.pageLength) throw invalid('A page has to be on a site.');
  return host === request.host ? name : host + name;
}

function invalid(detail: string): HttpProblem {
  return new HttpProblem(400, 'page/invalid', detail);
}
