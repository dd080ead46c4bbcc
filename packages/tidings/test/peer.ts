import {
  type ConnectRequest,
  type Hub,
  type Matcher,
  type OwnConnection,
  type Sink,
  createMatcherSet,
  type ConnectionTerms,
  gatewayOf,
  secretOf,
} from './internals.ts';
import { parseStart } from '../src/protocol/cursor.ts';
import { createDecoder } from '../src/protocol/decode.ts';

export interface PeerEvent {
  readonly type: string;
  readonly data: string;
  readonly id: string;
}

export interface PeerOptions {
  readonly topics: readonly Matcher[];
  readonly granted?: readonly Matcher[];
  readonly subject?: string;
  readonly tokenId?: string;
  readonly remote?: string;
  readonly expiresAt?: number;
  /** Bytes that the network takes before it pushes back. */
  readonly capacity?: number;
  readonly onEvent?: () => void;
}

/**
 * A browser at the end of a network that the test controls: bytes wait in flight until `receive` lets them
 * through, and are lost in a `drop`. Reconnects with the last event ID, like an EventSource.
 */
export class Peer {
  readonly options: PeerOptions;
  readonly events: PeerEvent[] = [];
  lastEventId: string | undefined;
  connection: OwnConnection | undefined;
  /** Whether the server has ended the stream, in order or not. */
  ended = false;
  wire = '';
  #inFlight: Uint8Array[] = [];
  #full = false;
  #decoder = createDecoder({ onEvent: () => {} });

  constructor(options: PeerOptions) {
    this.options = options;
  }

  get inFlight(): number {
    return this.#inFlight.reduce((total, bytes) => total + bytes.length, 0);
  }

  connect(hub: Hub, cursor: string | undefined = this.lastEventId, greeting = ''): this {
    this.#inFlight = [];
    this.#full = false;
    this.ended = false;
    this.#decoder = createDecoder({
      lastEventId: this.lastEventId ?? '',
      onEvent: (event) => {
        this.events.push(event);
        this.options.onEvent?.();
        this.lastEventId = event.id;
      },
      onId: (id) => void (this.lastEventId = id),
    });
    const connection = gatewayOf(hub).admit({
      ...requestFor(this.options),
      start: parseStart(cursor),
      reconnects: (this.lastEventId ?? '') !== '',
    });
    this.connection = connection;
    connection.open(this.#sink(), greeting);
    return this;
  }

  /** Lets bytes through: all, or so many. */
  receive(bytes: number = Infinity): void {
    let left = bytes;
    while (left > 0) {
      const chunk = this.#inFlight.shift();
      if (chunk === undefined) break;
      const taken = chunk.subarray(0, left);
      left -= taken.length;
      if (taken.length < chunk.length) this.#inFlight.unshift(chunk.subarray(taken.length));
      this.wire += new TextDecoder().decode(taken);
      this.#decoder.feed(taken);
    }
    if (this.#inFlight.length > 0) return;
    if (this.ended) {
      this.#hangUp();
    } else if (this.#full) {
      this.#full = false;
      this.connection?.drained();
    }
  }

  /** The network breaks: bytes in flight are lost. */
  drop(): void {
    this.#inFlight = [];
    this.#hangUp();
  }

  /** Events that aren't the protocol's own. */
  get received(): readonly PeerEvent[] {
    return this.events.filter(({ type }) => !type.startsWith('tidings:'));
  }

  #hangUp(): void {
    this.connection?.closed();
    this.connection = undefined;
  }

  #sink(): Sink {
    const { capacity = Infinity } = this.options;
    return {
      write: (bytes) => {
        if (bytes.length === 0) throw new Error('an empty write');
        this.#inFlight.push(bytes);
        this.#full = this.inFlight >= capacity;
        return !this.#full;
      },
      end: (bytes) => {
        this.#inFlight.push(bytes);
        this.ended = true;
      },
      destroy: () => {
        this.ended = true;
        this.drop();
      },
    };
  }
}

function requestFor({
  topics,
  granted = [],
  subject,
  tokenId,
  remote,
  expiresAt,
}: PeerOptions): ConnectRequest {
  return {
    wanted: createMatcherSet(topics),
    granted: createMatcherSet(granted),
    start: 'head',
    reconnects: false,
    subject,
    tokenId,
    expiresAt,
    remote,
    userAgent: undefined,
    protocol: 'test',
  };
}

/** Changes the topics of a connected peer, even before its welcome. @returns the cursor. */
export async function changeTerms(hub: Hub, peer: Peer, terms: ConnectionTerms): Promise<string> {
  if (peer.connection === undefined) throw new Error('not connected');
  const claim = { connection: peer.connection.info.id, secret: secretOf(peer.connection) };
  const { cursor } = await gatewayOf(hub).change(claim, () => terms);
  return cursor;
}

/** Lets promises settle that wait only for each other. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 60; i += 1) await Promise.resolve();
}
