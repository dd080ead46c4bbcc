import { EventSource } from './event-source.ts';

// Code for the native class compiles with this one, and this one can take the native one's place.
globalThis.EventSource = EventSource;
const native: globalThis.EventSource = new EventSource('/events', { withCredentials: true });

const source = new EventSource(new URL('https://example.com/events'), {
  headers: async () => ({ authorization: 'Bearer 1' }),
  fetch: (url, request) => fetch(url, { ...request, headers: { ...request.headers, 'x-tenant': 'a' } }),
  method: 'POST',
  body: () => new URLSearchParams({ a: 'b' }),
});
source.onmessage = ({ data, lastEventId, origin }: MessageEvent<string>) => [data, lastEventId, origin];
source.onerror = ({ error }) => error?.code satisfies string | undefined;
source.onopen = function handler() {
  this.close();
};
source.addEventListener('open', (event) => event.type);
source.addEventListener('price', ({ data }: MessageEvent<string>) => data, { once: true });
source.addEventListener('price', { handleEvent: (event) => event.type });
const listener = ({ data }: MessageEvent<string>): string => data;
source.addEventListener('message', listener);
source.removeEventListener('message', listener);
EventSource.OPEN satisfies 1;
source.CLOSED satisfies 2;
export const state: 0 | 1 | 2 = native.readyState === source.OPEN ? 1 : source.readyState;

new EventSource('/events', { fetch });
// @ts-expect-error an option that is misspelt
new EventSource('/events', { header: {} });
// @ts-expect-error a source needs a URL
new EventSource();
