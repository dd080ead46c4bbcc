import type { Finding, Verdict } from './finding.ts';
import type { Diagnosis } from './index.ts';

const marks: Readonly<Record<Verdict, string>> = { ok: '✓', note: '·', warning: '!', problem: '✗' };

/** The findings as people read them, problems last, where the eye is. */
export function reportOf({ url, findings }: Diagnosis): string {
  const order: readonly Verdict[] = ['ok', 'note', 'warning', 'problem'];
  const sorted = order.flatMap((verdict) => findings.filter((finding) => finding.verdict === verdict));
  return [url, '', ...sorted.flatMap(lines), '', summaryOf(findings), ''].join('\n');
}

function lines({ verdict, title, advice }: Finding): readonly string[] {
  return [`${marks[verdict]} ${title}`, ...(advice === undefined ? [] : [`    ${advice}`])];
}

function summaryOf(findings: readonly Finding[]): string {
  const count = (verdict: Verdict) => findings.filter((finding) => finding.verdict === verdict).length;
  const [problems, warnings] = [count('problem'), count('warning')];
  if (problems > 0) return `${plural(problems, 'problem')}: events don't get through as they should.`;
  if (warnings > 0) return `Events get through, with ${plural(warnings, 'warning')}.`;
  return 'Events get through.';
}

function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
