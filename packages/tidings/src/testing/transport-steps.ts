import http from 'node:http';
import { type DecodedEvent, createDecoder } from '../protocol/decode.ts';

/** Milliseconds until a wait has failed: long enough for a loaded machine to be slow instead of wrong. */
const DEADLINE = 20_000;

/** Polls for a condition that nothing announces. */
export async function eventually(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + DEADLINE;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Expected ${what} within ${DEADLINE} ms.`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface TestRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Leaves the response where it is until `read`. */
  readonly idle?: boolean;
}

/** A client on a socket of its own, which records everything it receives. */
export class TestReader {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly #response: http.IncomingMessage;
  readonly #events: DecodedEvent[] = [];
  text = '';
  error: Error | undefined;
  #isOver = false;

  private constructor(response: http.IncomingMessage, idle: boolean) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.#response = response;
    response.on('end', () => (this.#isOver = true));
    response.on('close', () => (this.#isOver = true));
    response.on('error', (error) => (this.error = error));
    if (!idle) this.read();
  }

  static open(url: string, request: TestRequest = {}): Promise<TestReader> {
    const { method = 'GET', headers = {}, body, idle = false } = request;
    return new Promise((resolve, reject) => {
      http
        .request(url, { method, headers, agent: false })
        .on('response', (response) => resolve(new TestReader(response, idle)))
        .on('error', reject)
        .setTimeout(DEADLINE, () => reject(new Error(`Expected a response within ${DEADLINE} ms.`)))
        .end(body);
    });
  }

  read(): void {
    const decoder = createDecoder({ onEvent: (event) => this.#events.push(event) });
    this.#response.on('data', (bytes: Buffer) => {
      this.text += bytes.toString('latin1');
      if (this.status === 200) decoder.feed(bytes);
    });
  }

  get types(): string[] {
    return this.#events.map(({ type }) => type);
  }

  get data(): string[] {
    return this.#events.map(({ data }) => data);
  }

  cut(): void {
    this.#response.destroy();
  }

  until(what: string, condition: () => boolean): Promise<void> {
    return eventually(what, condition);
  }

  ended(): Promise<void> {
    return eventually('the end of the response', () => this.#isOver);
  }
}
