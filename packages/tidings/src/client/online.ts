/**
 * In browsers and workers; other runtimes don't tell. Freezing a page, or keeping it for the back button, needs no
 * such care: if that cut the stream, reading it fails or the watchdog bites when the page goes on.
 *
 * @returns what ends it.
 */
export function whenOnline(task: () => void): () => void {
  const target = globalThis as Partial<Pick<Window, 'addEventListener' | 'removeEventListener'>>;
  target.addEventListener?.('online', task);
  return () => target.removeEventListener?.('online', task);
}
