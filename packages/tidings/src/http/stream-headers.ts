/** https://html.spec.whatwg.org/multipage/server-sent-events.html#authoring-notes, and headers for proxies. */
export const STREAM_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'text/event-stream; charset=utf-8',
  // `no-transform` also keeps compression middleware off, which would hold events back.
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
};
