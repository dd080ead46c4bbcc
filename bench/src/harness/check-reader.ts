import { once } from 'node:events';
import { type IncomingMessage, get } from 'node:http';
import { createGunzip } from 'node:zlib';
import { MARKER } from './event.ts';

/** One connection that decodes its events, where the load client only counts bytes. */
export interface CheckReader {
  /** The response's content encoding. */
  readonly coding: string | undefined;
  /** So far. */
  events(): number;
  close(): void;
}

export async function openCheckReader(port: number, path: string): Promise<CheckReader> {
  const request = get({
    host: '127.0.0.1',
    port,
    path,
    agent: false,
    headers: { accept: 'text/event-stream', 'accept-encoding': 'gzip' },
  });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const coding = response.headers['content-encoding'];
  const body = coding === 'gzip' ? response.pipe(createGunzip()) : response;
  let events = 0;
  let failure: Error | undefined;
  for (const stream of new Set([response, body])) stream.on('error', (error: Error) => (failure ??= error));
  body.on('data', (bytes: Buffer) => {
    for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + 1)) events += 1;
  });
  return {
    coding,
    events() {
      if (failure !== undefined) throw failure;
      return events;
    },
    close: () => void request.destroy(),
  };
}
