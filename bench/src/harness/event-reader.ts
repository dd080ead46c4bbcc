import { get } from 'node:http';
import { MARKER } from './event.ts';

/** One client of a server. */
export interface EventReader {
  /** Milliseconds from `publishOne` until the event was here. */
  readonly delays: number[];
  /** How many events of a load have come. */
  count: number;
  close(): void;
}

/** `take`: is given what comes, in pieces of any length. */
export function createEventReader(close: () => void): EventReader & { take(bytes: Buffer): void } {
  let rest = '';
  return {
    delays: [],
    count: 0,
    close,
    take(bytes) {
      const now = process.hrtime.bigint();
      for (let at = bytes.indexOf(MARKER); at !== -1; at = bytes.indexOf(MARKER, at + 1)) this.count += 1;
      // A load’s events carry no time, and there are too many to look through.
      if (bytes.length > 4096) return void (rest = '');
      const lines = (rest + bytes.toString('latin1')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const sent = /sent (\d+)/.exec(line)?.[1];
        if (sent !== undefined) this.delays.push(Number(now - BigInt(sent)) / 1e6);
      }
    },
  };
}

/** A client that reads Server-Sent Events. */
export function readEvents(port: number, path: string): Promise<EventReader> {
  return new Promise((resolve, reject) => {
    const request = get({ port, host: '127.0.0.1', path, agent: false }, (response) => {
      const reader = createEventReader(() => request.destroy());
      response.on('data', (bytes: Buffer) => reader.take(bytes));
      // Closing it ends the response, too.
      response.on('error', () => undefined);
      resolve(reader);
    });
    request.on('error', reject);
  });
}
