import { connect, type EventClient } from '../../src/client/index.ts';

/**
 * A client in the clothes of an `EventSource`: the checks of the standard can be run against it. It has no more of
 * the interface than those that concern the stream look at.
 */
export class ConnectedSource extends EventTarget {
  readonly url: string;
  readyState = 0;
  readonly #client: EventClient;
  readonly #types = new Set<string>();
  #origin = '';

  constructor(url: string) {
    super();
    this.url = new URL(url).href;
    // No jitter: the standard's times are exact.
    this.#client = connect(url, { random: () => 0 });
    this.#client.onOpen(({ response }) => {
      this.#origin = new URL(response.url).origin;
      this.#turn(1, 'open');
    });
    this.#client.onStatus((status) => {
      if (status === 'waiting') this.#turn(0, 'error');
      if (status === 'closed' || status === 'failed') this.#turn(2, 'error');
    });
  }

  set onopen(handler: (event: Event) => void) {
    this.addEventListener('open', handler);
  }

  set onerror(handler: (event: Event) => void) {
    this.addEventListener('error', handler);
  }

  set onmessage(handler: (event: Event) => void) {
    this.addEventListener('message', handler);
  }

  override addEventListener(...args: Parameters<EventTarget['addEventListener']>): void {
    super.addEventListener(...args);
    const [type] = args;
    if (this.#types.has(type)) return;
    this.#types.add(type);
    this.#client.on(type, ({ data, cursor }) =>
      this.dispatchEvent(new MessageEvent(type, { data, lastEventId: cursor, origin: this.#origin })),
    );
  }

  close(): void {
    this.readyState = 2;
    this.#client.close();
  }

  #turn(readyState: number, event: string): void {
    if (this.readyState === 2) return;
    this.readyState = readyState;
    this.dispatchEvent(new Event(event));
  }
}
