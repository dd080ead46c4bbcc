/**
 * `problem`: streaming doesn't work like this. `warning`: it works, but something will hurt sooner or later. `note`:
 * worth knowing. `ok`: looked at, and right.
 */
export type Verdict = 'ok' | 'note' | 'warning' | 'problem';

/** The checks, by the name that scripts match on. */
export type Check =
  | 'connect'
  | 'redirect'
  | 'answer'
  | 'stream'
  | 'heartbeat'
  | 'cut-off'
  | 'compression'
  | 'cache'
  | 'resume'
  | 'resume-query'
  | 'nodes'
  | 'post'
  | 'cors'
  | 'http-version'
  | 'clock';

/** One thing the doctor looked at. */
export interface Finding {
  readonly check: Check;
  readonly verdict: Verdict;
  /** One sentence in plain words. */
  readonly title: string;
  /** How to mend it. */
  readonly advice?: string;
}

export const ok = (check: Check, title: string): Finding => ({ check, verdict: 'ok', title });

export const note = (check: Check, title: string, advice?: string): Finding =>
  withAdvice({ check, verdict: 'note', title }, advice);

export const warning = (check: Check, title: string, advice?: string): Finding =>
  withAdvice({ check, verdict: 'warning', title }, advice);

export const problem = (check: Check, title: string, advice?: string): Finding =>
  withAdvice({ check, verdict: 'problem', title }, advice);

function withAdvice(finding: Finding, advice: string | undefined): Finding {
  return advice === undefined ? finding : { ...finding, advice };
}

/** Milliseconds as people read them: `240 ms`, `2.5 s`, `40 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
}
