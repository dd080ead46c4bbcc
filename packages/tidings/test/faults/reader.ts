import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type Frame, Frames } from '../http/frames.ts';

export interface Seen {
  /** As its publisher named it. */
  readonly id: string;
  readonly seq: number;
}

/** Reads a stream from its beginning as an EventSource would, with nothing of the library, and notes all it gets. */
export class Reader {
  readonly topics: readonly string[];
  readonly seen: Seen[] = [];
  readonly gaps: unknown[] = [];
  /** By `x-worker`: the processes that served it, and those that ended the stream unasked. */
  readonly workers: Set<number> = new Set();
  readonly cutBy: number[] = [];
  readonly #url: string;
  readonly #patience: number;
  #cursor = 'earliest';
  #request: ClientRequest | undefined;
  #closed = false;

  /** @param patience milliseconds without a byte, not even a heartbeat, after which it connects anew. */
  constructor(url: string, topics: readonly string[], patience = 2000) {
    this.topics = topics;
    this.#patience = patience;
    this.#url = `${url}?${topics.map((topic) => `topic=${topic}`).join('&')}`;
    this.#connect();
  }

  /** Hangs up; it comes back by itself. */
  drop(): void {
    this.#request?.destroy();
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  #connect(): void {
    if (this.#closed) return;
    const headers = { 'last-event-id': this.#cursor };
    // Heartbeats come more often. A connection on its way to a worker that is killed just then is left open.
    const outgoing = request(this.#url, { agent: false, headers, timeout: this.#patience });
    this.#request = outgoing;
    outgoing.on('response', (response) => this.#read(response, outgoing));
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => {
      // The connection was refused, or it broke: 'close' follows.
    });
    outgoing.on('close', () => setTimeout(() => this.#connect(), 10)).end();
  }

  #read(response: IncomingMessage, outgoing: ClientRequest): void {
    const worker = Number(response.headers['x-worker']);
    this.workers.add(worker);
    const frames = new Frames();
    let taken = 0;
    response.on('data', (bytes: Buffer) => {
      frames.feed(bytes);
      for (; taken < frames.all.length; taken += 1) this.#take(frames.all[taken] as Frame);
    });
    const broke = (): void => {
      if (!outgoing.destroyed || response.errored?.message !== 'aborted') this.cutBy.push(worker);
    };
    response.on('end', broke).on('error', broke);
  }

  #take({ id, type, data = 'null' }: Frame): void {
    if (type === 'tidings:welcome' || type === 'tidings:gap')
      this.gaps.push(...(JSON.parse(data) as { gaps: unknown[] }).gaps);
    if (type === 'message' && data !== 'null')
      this.seen.push({ id: (JSON.parse(data) as Seen).id, seq: seqOf(id) });
    if (id !== undefined) this.#cursor = id;
  }
}

function seqOf(cursor: string | undefined): number {
  return Number(cursor?.slice(cursor.lastIndexOf('.') + 1));
}
