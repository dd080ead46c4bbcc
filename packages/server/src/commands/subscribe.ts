import { type EventClient, type Matcher, type ReceivedEvent, TidingsError, connect } from 'tidings/client';
import {
  type Command,
  type Given,
  type Terminal,
  UsageError,
  listOf,
  numberOf,
  textOf,
} from '../cli/command.ts';
import { CursorFile } from './cursor-file.ts';
import { REMOTE_FLAGS, type Remote, adviceOnMissingToken, remoteOf } from './remote.ts';

/** `tidings subscribe TOPIC…` */
export const subscribe: Command = {
  summary: 'Prints events as they come, and reconnects without losing any.',
  positionals: '[TOPIC…]',
  about:
    'Prints the data of each event on the standard output (text, or JSON), and everything about the stream on the\n' +
    'standard error. With --cursor-file it goes on after a restart where it was: an event whose printing was cut off\n' +
    'comes again.\n' +
    'The exit status is 0 if it was interrupted or --count is reached, 1 if the server refuses or, with --strict,\n' +
    'if events are missing, 2 if the command line makes no sense.',
  flags: {
    ...REMOTE_FLAGS,
    pattern: {
      type: 'string',
      multiple: true,
      value: 'PATTERN',
      help: 'topics by a pattern, such as news/*',
    },
    from: {
      type: 'string',
      value: 'CURSOR',
      help: 'begin after this cursor, or with "earliest"; by default with the next event',
    },
    'cursor-file': {
      type: 'string',
      value: 'FILE',
      help: 'keep the cursor in this file, and begin with the one in it',
    },
    count: { type: 'string', value: 'NUMBER', help: 'end after so many events' },
    json: { type: 'boolean', help: 'print each event as a line of JSON: cursor, type, data' },
    strict: { type: 'boolean', help: 'end if events are missing' },
    quiet: {
      type: 'boolean',
      short: 'q',
      help: 'print nothing on the standard error but the reason for an early end',
    },
  },
  async run(given, terminal) {
    const remote = remoteOf(given, process.env);
    const topics = [...given.positionals, ...listOf(given, 'pattern').map((pattern) => ({ pattern }))];
    if (topics.length === 0) throw new UsageError('Expected a topic or a --pattern, got nothing.');
    const count = numberOf(given, 'count', 1, Number.MAX_SAFE_INTEGER) ?? Infinity;
    const path = textOf(given, 'cursor-file');
    const file = path === undefined ? undefined : new CursorFile(path);
    const cursor = file?.cursor ?? textOf(given, 'from');
    const client = connect(`${remote.url}/v1/events`, {
      topics,
      headers: remote.headers,
      ...(cursor !== undefined && { cursor }),
    });
    return follow(client, { given, remote, terminal, count, file });
  },
};

interface Following {
  readonly given: Given;
  readonly remote: Remote;
  readonly terminal: Terminal;
  readonly count: number;
  readonly file: CursorFile | undefined;
}

async function follow(
  client: EventClient,
  { given, remote, terminal, count, file }: Following,
): Promise<number> {
  const say = (text: string): void => {
    if (given.flags['quiet'] !== true) terminal.err(`${text}\n`);
  };
  let missing = false;
  client.onOpen(({ resumed }) => say(resumed ? 'connected: nothing is missing' : 'connected'));
  client.onError((error, { retryIn }) => {
    if (retryIn !== undefined) say(`${error.message} Trying again in ${(retryIn / 1000).toFixed(1)} s.`);
  });
  client.onGap((gaps) => {
    for (const { topics, reason } of gaps)
      terminal.err(`events are missing on ${namesOf(topics)}: ${reason}
`);
    missing ||= given.flags['strict'] === true;
    if (missing) client.close();
  });
  const end = (): void => client.close();
  // Also when a reader such as `head` leaves, which ends the process.
  process.once('exit', () => file?.write());
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  let received = 0;
  try {
    for await (const event of client) {
      terminal.out(given.flags['json'] === true ? toLine(event) : toText(event));
      await terminal.drained();
      if (event.cursor !== '') file?.keep(event.cursor);
      received += 1;
      if (received >= count) break;
    }
    return missing ? 1 : 0;
  } catch (error) {
    if (!(error instanceof TidingsError)) throw error;
    const advice = error.code === 'auth/unauthorized' ? adviceOnMissingToken(remote) : '';
    terminal.err(`${error.message} (${error.code})${advice}\n`);
    return 1;
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, end);
    file?.write();
  }
}

function namesOf(topics: readonly Matcher[]): string {
  return topics.map((topic) => (typeof topic === 'string' ? topic : topic.pattern)).join(', ');
}

/** Plain text travels as a JSON string; anything else is JSON already. */
function toText({ data }: ReceivedEvent): string {
  const value = valueOf(data);
  return `${typeof value === 'string' ? value : data}\n`;
}

function toLine({ cursor, type, data }: ReceivedEvent): string {
  return `${JSON.stringify({ cursor, type, data: valueOf(data) })}\n`;
}

function valueOf(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    // Data that was published `raw`.
    return data;
  }
}
