import { randomUUID } from 'node:crypto';
import {
  type Command,
  type Given,
  type Terminal,
  UsageError,
  listOf,
  numberOf,
  textOf,
} from '../cli/command.ts';
import { duration } from '../config/kinds.ts';
import { REMOTE_FLAGS, type Remote, remoteOf } from './remote.ts';
import { send } from './send.ts';

/** The most lines of one request. */
const BATCH = 500;

/** `tidings publish TOPIC [DATA]` */
export const publish: Command = {
  summary: 'Publishes an event, or a stream of them.',
  positionals: 'TOPIC [DATA]',
  about:
    'Without DATA, the standard input is the data. With --lines there is no TOPIC: each line of the input is an event as\n' +
    'JSON, such as {"topics": "news", "data": 1}. Prints the cursor of each event.\n' +
    'The exit status is 0 if all are published, 1 if not, 2 if the command line makes no sense.',
  flags: {
    ...REMOTE_FLAGS,
    topic: { type: 'string', multiple: true, value: 'TOPIC', help: 'a further topic of the event' },
    type: { type: 'string', value: 'TYPE', help: 'the event’s type' },
    json: { type: 'boolean', help: 'the data is JSON rather than text' },
    id: { type: 'string', value: 'ID', help: 'its id: an event is published only once' },
    key: { type: 'string', value: 'KEY', help: 'the key that it is the newest value of' },
    ttl: { type: 'string', value: 'DURATION', help: 'how long the key lives' },
    'if-seq': { type: 'string', value: 'SEQ', help: 'publish only if this is the seq of the key’s value' },
    'if-absent': { type: 'boolean', help: 'publish only if the key has no value' },
    tombstone: { type: 'boolean', help: 'delete the key' },
    private: { type: 'boolean', help: 'only for subscribers who were granted a topic of it' },
    lines: { type: 'boolean', help: 'read events from the standard input, one a line' },
    retries: { type: 'string', value: 'NUMBER', help: 'how often to try again (5)' },
    quiet: { type: 'boolean', short: 'q', help: 'print nothing but errors' },
  },
  run(given, terminal) {
    const job = {
      remote: remoteOf(given, process.env),
      retries: numberOf(given, 'retries', 0, 1000) ?? 5,
      given,
      terminal,
    };
    return given.flags['lines'] === true ? publishLines(job) : publishOne(job);
  },
};

interface Job {
  readonly remote: Remote;
  readonly retries: number;
  readonly given: Given;
  readonly terminal: Terminal;
}

async function publishOne(job: Job): Promise<number> {
  const { given } = job;
  const [topic, text, ...more] = given.positionals;
  if (topic === undefined) throw new UsageError('Expected a topic, got nothing.');
  if (more.length > 0)
    throw new UsageError(
      `Expected a topic and data, got ${given.positionals.length} arguments. In a shell, quote the data.`,
    );
  const tombstone = given.flags['tombstone'] === true;
  const data = text ?? (tombstone ? undefined : await readInput());
  const topics = [topic, ...listOf(given, 'topic')];
  const event = { topics, ...(data !== undefined && { data: dataOf(given, data) }), ...optionsOf(given) };
  return (await post(job, JSON.stringify(event), 'application/json')) ? 0 : 1;
}

function dataOf(given: Given, text: string): unknown {
  if (given.flags['json'] !== true) return text;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new UsageError('Expected the data to be JSON, since --json is given.', { cause });
  }
}

function optionsOf(given: Given): Readonly<Record<string, unknown>> {
  const options: Record<string, unknown> = {};
  for (const name of ['type', 'id', 'key']) {
    const value = textOf(given, name);
    if (value !== undefined) options[name] = value;
  }
  for (const name of ['private', 'tombstone']) if (given.flags[name] === true) options[name] = true;
  if (given.flags['if-absent'] === true) options['ifAbsent'] = true;
  const seq = numberOf(given, 'if-seq', 1, Number.MAX_SAFE_INTEGER);
  if (seq !== undefined) options['ifSeq'] = seq;
  const ttl = textOf(given, 'ttl');
  if (ttl === undefined) return options;
  const kind = duration(1);
  const milliseconds = kind.fromText(ttl);
  if (milliseconds === undefined)
    throw new UsageError(`Expected --ttl to be ${kind.expected}, got ${JSON.stringify(ttl)}.`);
  return { ...options, ttl: milliseconds };
}

async function publishLines(job: Job): Promise<number> {
  const stray = [
    ...job.given.positionals,
    ...Object.keys(optionsOf(job.given)),
    ...listOf(job.given, 'topic'),
  ];
  if (stray.length > 0 || job.given.flags['json'] === true) {
    throw new UsageError(
      'With --lines, each line says everything about its event: give no topic and no options of events.',
    );
  }
  for await (const lines of batches(process.stdin))
    if (!(await post(job, lines.join('\n'), 'application/x-ndjson'))) return 1;
  return 0;
}

/** Lines go out as they come. While a request is on its way, further input waits in the pipe. */
async function* batches(input: AsyncIterable<unknown>): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk as Uint8Array, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    yield* inBatches(lines);
  }
  yield* inBatches([rest + decoder.decode()]);
}

function* inBatches(all: readonly string[]): Generator<readonly string[]> {
  const lines = all.filter((line) => line.trim() !== '');
  for (let at = 0; at < lines.length; at += BATCH) yield lines.slice(at, at + BATCH);
}

/** @returns whether the server took it. */
async function post(
  { remote, retries, given, terminal }: Job,
  body: string,
  contentType: string,
): Promise<boolean> {
  const sent = await send({
    remote,
    body,
    contentType,
    idempotencyKey: randomUUID(),
    retries,
    onRetry: (reason, wait) => terminal.err(`${reason} Trying again in ${wait / 1000} s.\n`),
  });
  if (!sent.ok) {
    terminal.err(`${sent.reason}\n`);
    return false;
  }
  if (given.flags['quiet'] === true) return true;
  const published = Array.isArray(sent.answer) ? (sent.answer as readonly unknown[]) : [sent.answer];
  for (const each of published) terminal.out(`${String((each as { readonly cursor?: unknown }).cursor)}\n`);
  return true;
}

async function readInput(): Promise<string> {
  if (process.stdin.isTTY) throw new UsageError('Expected data after the topic, or on the standard input.');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
}
