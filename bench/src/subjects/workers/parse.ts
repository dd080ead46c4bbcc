import { createParser } from 'eventsource-parser';
import { createDecoder } from 'tidings/testing';
import { answerCommands } from '../../harness/commands.ts';

export interface ParseCase {
  readonly subject: keyof typeof decoders;
  /** Bytes of data in an event, and bytes of the stream to feed at a time. */
  readonly size: number;
  readonly chunk: number;
  readonly megabytes: number;
}

const MEGABYTE = 1e6;

/** As each one's own client uses it: ours takes bytes, the other text. */
const decoders = {
  tidings(onData: (data: string) => void) {
    const decoder = createDecoder({ onEvent: ({ data }) => onData(data) });
    return (bytes: Uint8Array) => decoder.feed(bytes);
  },
  'eventsource-parser'(onData: (data: string) => void) {
    const text = new TextDecoder();
    const parser = createParser({ onEvent: ({ data }) => onData(data) });
    return (bytes: Uint8Array) => parser.feed(text.decode(bytes, { stream: true }));
  },
};

/** @returns megabytes a second. */
function parse({ subject, size, chunk, megabytes }: ParseCase): number {
  const event = `id: 0123456789abcdef-1234567\ndata: ${'{"n":1234567,"text":"Lorem ipsum"}'.repeat(1000).slice(0, size)}\n\n`;
  const inStream = Math.ceil(MEGABYTE / event.length);
  const stream = Buffer.from(event.repeat(inStream));
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length; at += chunk) chunks.push(stream.subarray(at, at + chunk));
  let events = 0;
  let length = 0;
  const feed = decoders[subject]((data) => {
    events += 1;
    length += data.length;
  });
  const rounds = Math.max(1, Math.round((megabytes * MEGABYTE) / stream.length));
  // A tenth more, which comes first and only warms up.
  const warmUp = Math.ceil(rounds / 10);
  let start = 0n;
  for (let round = 0; round < warmUp + rounds; round += 1) {
    if (round === warmUp) start = process.hrtime.bigint();
    for (const piece of chunks) feed(piece);
  }
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const expected = (warmUp + rounds) * inStream;
  if (events !== expected || length !== expected * size) throw new Error(`${events} of ${expected} events`);
  return (rounds * stream.length) / MEGABYTE / seconds;
}

answerCommands({ parse });
