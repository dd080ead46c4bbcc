import type { ResponseHeaders } from './web.ts';

/** The essence of the MIME type; parameters don't matter: https://mimesniff.spec.whatwg.org/#mime-type-essence */
export function isEventStream(headers: Pick<ResponseHeaders, 'get'>): boolean {
  return /^\s*text\/event-stream\s*(;|$)/i.test(headers.get('content-type') ?? '');
}

/** "`Last-Event-ID` … encoded as UTF-8": `fetch` wants the bytes of a header's value as characters. */
export function toByteString(id: string): string {
  return Array.from(new TextEncoder().encode(id), (byte) => String.fromCharCode(byte)).join('');
}
