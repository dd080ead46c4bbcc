import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { type Frame, Frames } from '../http/frames.ts';

/** An item that a reader got, in order: an event by its id, or the reasons of a gap. */
export type Got = { readonly event: string } | { readonly gap: readonly string[] };

/** Reads a topic from its beginning as an EventSource would, at another node each time. */
export class MovingReader {
  readonly topic: string;
  readonly got: Got[] = [];
  /** Whether the last event of the topic has come. */
  isDone = false;
  readonly #nodes: () => string;
  readonly #presence: boolean;
  #cursor = 'earliest';
  #request: ClientRequest | undefined;
  #closed = false;

  /** `nodes`: the URL of any node. `presence`: whether it counts as present in the room. */
  constructor(nodes: () => string, topic: string, presence = false) {
    this.topic = topic;
    this.#nodes = nodes;
    this.#presence = presence;
    this.#connect();
  }

  drop(): void {
    this.#request?.destroy();
  }

  close(): void {
    this.#closed = true;
    this.drop();
  }

  #connect(): void {
    if (this.#closed) return;
    const url = `${this.#nodes()}?topic=${this.topic}${this.#presence ? '&topic=room' : ''}`;
    const headers = { 'last-event-id': this.#cursor };
    const outgoing = request(url, { agent: false, headers, timeout: 3000 });
    this.#request = outgoing;
    outgoing.on('response', (response) => this.#read(response));
    outgoing.on('timeout', () => outgoing.destroy());
    outgoing.on('error', () => {
      // The connection was refused, or it broke: 'close' follows.
    });
    outgoing.on('close', () => setTimeout(() => this.#connect(), 20 + Math.random() * 30)).end();
  }

  #read(response: IncomingMessage): void {
    if (response.statusCode !== 200) return void response.resume();
    const frames = new Frames();
    let taken = 0;
    response.on('data', (bytes: Buffer) => {
      frames.feed(bytes);
      for (; taken < frames.all.length; taken += 1) this.#take(frames.all[taken] as Frame);
    });
    response.on('error', () => {});
  }

  #take({ id, type, data = 'null' }: Frame): void {
    if (type === 'tidings:welcome' || type === 'tidings:gap') {
      const { gaps } = JSON.parse(data) as { readonly gaps: readonly { readonly reason: string }[] };
      if (gaps.length > 0) this.got.push({ gap: gaps.map(({ reason }) => reason) });
    }
    if (type === 'message' && data !== 'null') {
      const { id: event } = JSON.parse(data) as { readonly id: string };
      if (event === 'end') this.isDone = true;
      else this.got.push({ event });
    }
    if (id !== undefined) this.#cursor = id;
  }
}
