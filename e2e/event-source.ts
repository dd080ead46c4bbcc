import type { JSHandle, Page } from 'playwright-core';

/** An event as a native `EventSource` dispatched it. */
export interface Dispatched {
  readonly type: string;
  readonly data: string;
  readonly lastEventId: string;
}

/** A native `EventSource` in a page, and its events. */
export interface NativeSource {
  /** All events so far, in order, those of reserved types as well. */
  events(): Promise<Dispatched[]>;
  /** How often it was connected. */
  openings(): Promise<number>;
  readyState(): Promise<number>;
  close(): Promise<void>;
}

export const CLOSED = 2;

const reserved = ['tidings:welcome', 'tidings:gap', 'tidings:goodbye'];

/** Opens an `EventSource` in a page, as anyone would without our client. */
export async function openEventSource(
  page: Page,
  path: string,
  types: readonly string[],
): Promise<NativeSource> {
  const handle: JSHandle<{ source: EventSource; events: Dispatched[]; openings: number }> =
    await page.evaluateHandle(
      ({ path: url, types: named }) => {
        const record = { source: new EventSource(url), events: [] as Dispatched[], openings: 0 };
        record.source.addEventListener('open', () => (record.openings += 1));
        for (const type of ['message', ...named]) {
          record.source.addEventListener(type, (event: MessageEvent<string>) => {
            record.events.push({ type, data: event.data, lastEventId: event.lastEventId });
          });
        }
        return record;
      },
      { path, types: [...reserved, ...types] },
    );
  return {
    events: () => handle.evaluate((record) => record.events),
    openings: () => handle.evaluate((record) => record.openings),
    readyState: () => handle.evaluate((record) => record.source.readyState),
    close: () => handle.evaluate((record) => record.source.close()),
  };
}
