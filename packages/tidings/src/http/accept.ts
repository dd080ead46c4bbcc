import type { Compression } from '../hub/compression.ts';
import type { RequestFacts } from './negotiation.ts';

/** RFC 9110 §12.5.3: `*` means what isn't named, and what neither means is not wanted. */
export function acceptedCompression(
  compression: Compression | undefined,
  { header }: RequestFacts,
): Compression | undefined {
  if (compression === undefined) return undefined;
  const accepted = qualities(header('accept-encoding') ?? '');
  return (accepted.get(compression.encoding) ?? accepted.get('*')) === true ? compression : undefined;
}

/**
 * RFC 9110 §12.5.1, as far as one media type is concerned: of the ranges that take it in, the narrowest decides. No
 * header means anything goes.
 */
export function acceptsEventStream(accept: string | undefined): boolean {
  if (accept === undefined || accept.trim() === '') return true;
  const accepted = qualities(accept);
  return accepted.get('text/event-stream') ?? accepted.get('text/*') ?? accepted.get('*/*') ?? false;
}

/**
 * What wants a stream and no problem details is a native `EventSource`. On any status but 200 it gives up for good:
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#sse-processing-model
 */
export function isNativeEventSource({ header }: Pick<RequestFacts, 'header'>): boolean {
  return header('accept')?.trim().toLowerCase() === 'text/event-stream';
}

/** What a header lists, and whether that is wanted: not if it has the quality 0. */
function qualities(header: string): ReadonlyMap<string, boolean> {
  const wanted = new Map<string, boolean>();
  for (const item of header.toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map((part) => part.trim());
    wanted.set(name, !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)));
  }
  return wanted;
}
