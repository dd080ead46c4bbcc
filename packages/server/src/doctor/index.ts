/** Connects through whatever is in between, and finds out what breaks streaming. */
import { shownUrl } from '../config/shown-url.ts';
import { firstAnswer } from './answer.ts';
import type { Finding } from './finding.ts';
import { httpVersion, watchStream } from './stream.ts';
import { changing, crossOrigin, resuming } from './surroundings.ts';
import type { Visit } from './visit.ts';

export interface Diagnosis {
  /** The stream's own URL, once redirects are followed, without its secrets. */
  readonly url: string;
  readonly findings: readonly Finding[];
}

export interface DoctorOptions extends Visit {
  /** The origin of a page that is to read the stream from another origin, such as `https://app.example`. */
  readonly origin: string | undefined;
}

/** Takes about two and a half heartbeats of the hub, or `watch`. Problems of the stream are findings, and never throw. */
export async function diagnose({ origin, ...on }: DoctorOptions): Promise<Diagnosis> {
  const first = await firstAnswer(on);
  if (first.there === undefined || first.heard === undefined)
    return { url: shownUrl(on.url.href), findings: first.findings };
  const there: Visit = { ...on, ...first.there };
  const isHub = first.heard.seen.welcome !== undefined;
  const stream = watchStream(there, first.heard);
  const resumes = await resuming(there, first.heard);
  const changes = isHub ? [await changing(there)] : [];
  const cors = origin === undefined ? [] : await crossOrigin(there, origin);
  return {
    url: shownUrl(there.url.href),
    findings: [
      ...first.findings,
      httpVersion(first.heard),
      ...(await stream),
      ...resumes,
      ...changes,
      ...cors,
    ],
  };
}
