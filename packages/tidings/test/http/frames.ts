import { within } from './deadline.ts';

/** A block of the stream, with the bytes as they came. Deliberately not read by the library's own decoder. */
export interface Frame {
  /** Without the empty line that ends it. */
  readonly text: string;
  readonly retry: number | undefined;
  readonly id: string | undefined;
  readonly type: string;
  /** undefined for a block that dispatches nothing, such as a heartbeat. */
  readonly data: string | undefined;
}

/** The body of a response, as it comes in. */
export class Frames {
  /** All of it so far. */
  text = '';
  readonly all: Frame[] = [];
  over = false;
  error: Error | undefined;
  readonly #decoder = new TextDecoder();
  #rest = '';
  #taken = 0;
  #waiting = new Set<() => void>();

  feed(bytes: Uint8Array): void {
    const text = this.#decoder.decode(bytes, { stream: true });
    this.text += text;
    const blocks = (this.#rest + text).split('\n\n');
    this.#rest = blocks.pop() ?? '';
    for (const block of blocks) this.all.push(parse(block));
    this.#wake();
  }

  finish(error?: Error): void {
    if (this.over) return;
    this.over = true;
    this.error = error;
    this.#wake();
  }

  /** Bytes of an incomplete frame. */
  get rest(): string {
    return this.#rest;
  }

  get events(): readonly Frame[] {
    return this.all.filter(({ data, type }) => data !== undefined && !type.startsWith('tidings:'));
  }

  /** The frame after the one this gave before. */
  async next(): Promise<Frame> {
    await this.until('further frame', () => this.#taken < this.all.length || this.over);
    const frame = this.all[this.#taken];
    if (frame === undefined) throw new Error(`The stream is over: ${this.error?.message ?? 'ended'}.`);
    this.#taken += 1;
    return frame;
  }

  /** Like `next`, passing over heartbeats. */
  async nextEvent(): Promise<Frame & { readonly data: string }> {
    for (;;) {
      const frame = await this.next();
      const { data } = frame;
      if (data !== undefined) return { ...frame, data };
    }
  }

  async end(): Promise<void> {
    await this.until('end of the stream', () => this.over);
  }

  async until(what: string, condition: () => boolean): Promise<void> {
    let notice: () => void = () => {};
    const met = new Promise<void>((resolve) => {
      notice = () => {
        if (condition()) resolve();
      };
      this.#waiting.add(notice);
      notice();
    });
    try {
      await within(what, met);
    } finally {
      this.#waiting.delete(notice);
    }
  }

  #wake(): void {
    for (const notice of this.#waiting) notice();
  }
}

function parse(text: string): Frame {
  const fields = text.split('\n').map((line): readonly [string, string] => {
    const colon = line.indexOf(': ');
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  const last = (name: string): string | undefined => fields.findLast(([field]) => field === name)?.[1];
  const data = fields.filter(([field]) => field === 'data').map(([, value]) => value);
  const retry = last('retry');
  return {
    text,
    retry: retry === undefined ? undefined : Number(retry),
    id: last('id'),
    type: last('event') ?? 'message',
    data: data.length === 0 ? undefined : data.join('\n'),
  };
}
