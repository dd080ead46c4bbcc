import type { Compression } from '../hub/compression.ts';
import type { RequestFacts } from './negotiation.ts';

/**
 * RFC 9110 §12.5.3: `*` stands for every coding that isn't named; a coding that is neither named nor covered is not
 * acceptable.
 */
export function acceptedCompression(
  compression: Compression | undefined,
  { header }: RequestFacts,
): Compression | undefined {
  if (compression === undefined) return undefined;
  const accepted = qualities(header('accept-encoding') ?? '');
  return (accepted.get(compression.encoding) ?? accepted.get('*')) === true ? compression : undefined;
}

/**
 * RFC 9110 §12.5.1, as far as one media type is concerned: the most specific range that includes it decides. Without
 * the header, anything is acceptable.
 */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept === 'text/event-stream' || accept.trim() === '') return true;
  const accepted = qualities(accept);
  return accepted.get('text/event-stream') ?? accepted.get('text/*') ?? accepted.get('*/*') ?? false;
}

/**
 * A request that accepts a stream but no problem details comes from a native `EventSource`, which gives up for good on
 * any status but 200: https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model
 */
export function isNativeEventSource({ header }: Pick<RequestFacts, 'header'>): boolean {
  return header('accept')?.trim().toLowerCase() === 'text/event-stream';
}

/** The names that the header lists, each with whether it is acceptable: quality 0 means no. */
function qualities(header: string): ReadonlyMap<string, boolean> {
  const wanted = new Map<string, boolean>();
  for (const item of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim());
    wanted.set(name, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)));
  }
  return wanted;
}
