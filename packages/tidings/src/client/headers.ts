import type { ResponseHeaders } from './web.ts';

/**
 * The essence of the MIME type; parameters don't matter: https://mimesniff.spec.whatwg.org/#mime-type-essence. Of several
 * headers, as proxies may add them, the last counts: https://fetch.spec.whatwg.org/#concept-header-extract-mime-type
 */
export function isEventStream(headers: Pick<ResponseHeaders, 'get'>): boolean {
  return /(^|,)\s*text\/event-stream\s*(;|$)/i.test(headers.get('content-type') ?? '');
}

/**
 * "`Last-Event-ID` … encoded as UTF-8": `fetch` wants the bytes of a header's value as characters. Empty for an id with
 * control characters, which HTTP doesn't have: Node's `fetch` would fail with it each time.
 */
export function toHeaderValue(id: string): string {
  const bytes = Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
  return /[^\t -~\x80-\xff]/.test(bytes) ? '' : bytes;
}
