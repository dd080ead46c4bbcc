import net from 'node:net';
import { endWithTest } from './client.ts';
import { within } from './deadline.ts';
import { Frames } from './frames.ts';

/**
 * A bare TCP socket that sends the given bytes: for peers less polite than any HTTP client. It reads
 * nothing before `read` is called, and `read` can be taken back.
 */
export class RawClient {
  readonly socket: net.Socket;
  /** Everything received. */
  text = '';
  /** The body, with chunks taken apart. */
  readonly frames: Frames = new Frames();
  #undecoded: Buffer = Buffer.alloc(0);
  #head = '';
  readonly #closed: Promise<void>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.pause();
    socket.on('data', (bytes: Buffer) => this.#feed(bytes));
    socket.on('end', () => this.frames.finish());
    // A reset is what many of these tests are about.
    socket.on('error', (error) => this.frames.finish(error));
    this.#closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.frames.finish();
        resolve();
      });
    });
    endWithTest(socket);
  }

  static async connect(port: number, options: { readonly allowHalfOpen?: boolean } = {}): Promise<RawClient> {
    const socket = net.connect({ port, host: '127.0.0.1', ...options });
    const client = new RawClient(socket);
    await within('TCP connection', new Promise((resolve) => socket.once('connect', resolve)));
    return client;
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  get(path: string, headers: Readonly<Record<string, string>> = {}): this {
    const lines = Object.entries({ host: 'localhost', ...headers }).map(
      ([name, value]) => `${name}: ${value}\r\n`,
    );
    return this.send(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`);
  }

  read(): this {
    this.socket.resume();
    return this;
  }

  stopReading(): this {
    this.socket.pause();
    return this;
  }

  get head(): string {
    return this.#head;
  }

  closed(): Promise<void> {
    return within('end of the TCP connection', this.#closed);
  }

  #feed(bytes: Buffer): void {
    this.text += bytes.toString('latin1');
    this.#undecoded = Buffer.concat([this.#undecoded, bytes]);
    if (this.#head === '') {
      const end = this.#undecoded.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.#head = this.#undecoded.toString('latin1', 0, end);
      this.#undecoded = this.#undecoded.subarray(end + 4);
    }
    if (/^transfer-encoding: chunked$/im.test(this.#head)) {
      this.#takeChunks();
    } else {
      this.frames.feed(this.#undecoded);
      this.#undecoded = Buffer.alloc(0);
    }
  }

  /** RFC 9112 §7.1 */
  #takeChunks(): void {
    for (;;) {
      const lineEnd = this.#undecoded.indexOf('\r\n');
      if (lineEnd === -1) return;
      const size = Number.parseInt(this.#undecoded.toString('latin1', 0, lineEnd), 16);
      const end = lineEnd + 2 + size;
      if (this.#undecoded.length < end + 2) return;
      if (size === 0) return this.frames.finish();
      this.frames.feed(this.#undecoded.subarray(lineEnd + 2, end));
      this.#undecoded = this.#undecoded.subarray(end + 2);
    }
  }
}
