/** One response of a server, as it came. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Whether all of it is there. */
  readonly isWhole: boolean;
}

const HEAD_END = '\r\n\r\n';

/** Takes the responses to requests apart that were sent one after another: RFC 9112, as much of it as servers use. */
export class AnswerParser {
  #input: Buffer = Buffer.alloc(0);

  feed(bytes: Buffer): void {
    this.#input = Buffer.concat([this.#input, bytes]);
  }

  get isEmpty(): boolean {
    return this.#input.length === 0;
  }

  /**
   * The next answer, as far as it has come; undefined before the end of its head. One that is whole is taken out.
   * `ended`: nothing more will come.
   */
  next(method: string, ended: boolean): RawAnswer | undefined {
    const headEnd = this.#input.indexOf(HEAD_END);
    if (headEnd === -1) return undefined;
    const [first = '', ...lines] = this.#input.toString('latin1', 0, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1]);
    if (Number.isNaN(status)) throw new Error(`No status line: ${first.slice(0, 100)}`);
    const start = headEnd + HEAD_END.length;
    if (status < 200) {
      this.#input = this.#input.subarray(start);
      return this.next(method, ended);
    }
    const headers = parseHeaders(lines);
    const { body, end } = this.#body(start, method, status, headers, ended);
    if (end === undefined) return { status, headers, body, isWhole: false };
    this.#input = this.#input.subarray(end);
    return { status, headers, body, isWhole: true };
  }

  #body(
    start: number,
    method: string,
    status: number,
    headers: ReadonlyMap<string, string>,
    ended: boolean,
  ): { readonly body: Buffer; readonly end: number | undefined } {
    if (method === 'HEAD' || status === 204 || status === 304) return { body: Buffer.alloc(0), end: start };
    if (headers.get('transfer-encoding') === 'chunked') return this.#chunks(start);
    const length = headers.get('content-length');
    if (length === undefined) {
      return { body: this.#input.subarray(start), end: ended ? this.#input.length : undefined };
    }
    const end = start + Number(length);
    return { body: this.#input.subarray(start, end), end: this.#input.length < end ? undefined : end };
  }

  #chunks(start: number): { readonly body: Buffer; readonly end: number | undefined } {
    const parts: Buffer[] = [];
    for (let at = start; ;) {
      const lineEnd = this.#input.indexOf('\r\n', at);
      if (lineEnd === -1) return { body: Buffer.concat(parts), end: undefined };
      const line = this.#input.toString('latin1', at, lineEnd);
      if (!/^[0-9a-f]+$/i.test(line))
        throw new Error(`No size of a chunk: ${JSON.stringify(line.slice(0, 50))}`);
      const size = Number.parseInt(line, 16);
      const end = lineEnd + 2 + size;
      if (this.#input.length < end + 2) return { body: Buffer.concat(parts), end: undefined };
      if (size === 0) return { body: Buffer.concat(parts), end: end + 2 };
      parts.push(this.#input.subarray(lineEnd + 2, end));
      at = end + 2;
    }
  }
}

function parseHeaders(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}
