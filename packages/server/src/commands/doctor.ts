import { type Command, type Given, UsageError, listOf, numberOf, textOf } from '../cli/command.ts';
import { describeUrl } from '../config/shown-url.ts';
import { diagnose } from '../doctor/index.ts';
import { reportOf } from '../doctor/report.ts';

/** `tidings doctor URL` */
export const doctor: Command = {
  summary: 'Connects to a stream through whatever is in between, and says what breaks streaming.',
  positionals: 'URL',
  about:
    'The URL is the one a browser opens, with its topics. The exit status is 0 if events get through, 1 if there is a\n' +
    'problem (with --strict, also a warning), 2 if the command line makes no sense.',
  flags: {
    header: {
      type: 'string',
      multiple: true,
      short: 'H',
      value: '"NAME: VALUE"',
      help: 'send this header with each request; may be repeated',
    },
    token: { type: 'string', value: 'TOKEN', help: 'send Authorization: Bearer TOKEN' },
    origin: { type: 'string', value: 'ORIGIN', help: 'check that a page of this origin may read the stream' },
    for: {
      type: 'string',
      value: 'SECONDS',
      help: 'watch the stream this long; by default two and a half heartbeats',
    },
    patience: { type: 'string', value: 'SECONDS', help: 'how long a first byte may take; 5 by default' },
    strict: { type: 'boolean', help: 'let warnings count as problems in the exit status' },
    json: { type: 'boolean', help: 'print the findings as JSON' },
  },
  async run(given, terminal) {
    const diagnosis = await diagnose({
      url: urlOf(given),
      headers: headersOf(given),
      origin: originOf(given),
      patience: (numberOf(given, 'patience', 0.1, 600) ?? 5) * 1000,
      watch: secondsOf(given),
      signal: new AbortController().signal,
    });
    terminal.out(
      given.flags['json'] === true ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : reportOf(diagnosis),
    );
    const bad = given.flags['strict'] === true ? ['problem', 'warning'] : ['problem'];
    return diagnosis.findings.some(({ verdict }) => bad.includes(verdict)) ? 1 : 0;
  },
};

function urlOf({ positionals }: Given): URL {
  const [text, ...more] = positionals;
  if (text === undefined) throw new UsageError('Expected the URL of a stream, got nothing.');
  if (more.length > 0)
    throw new UsageError(
      `Expected one URL, got ${positionals.length}. In a shell, quote it: & ends a command.`,
    );
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UsageError(`Expected a URL that begins with http:// or https://, got ${describeUrl(text)}.`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new UsageError(
      'Expected a URL without a user name and password. Give credentials by --token or --header.',
    );
  }
  url.hash = '';
  return url;
}

function headersOf(given: Given): Readonly<Record<string, string>> {
  const token = textOf(given, 'token');
  const pairs = listOf(given, 'header').map((text) => {
    const [, name, value] =
      /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)$/.exec(text) ?? [];
    if (name === undefined || value === undefined) {
      // Not the text itself: it may be a credential.
      throw new UsageError('Expected --header to be "Name: value", got text of another form.');
    }
    return [name.toLowerCase(), value.trimEnd()] as const;
  });
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token))
    throw new UsageError('Expected --token to be text without spaces.');
  return { ...Object.fromEntries(pairs), ...(token !== undefined && { authorization: `Bearer ${token}` }) };
}

function originOf(given: Given): string | undefined {
  const text = textOf(given, 'origin');
  if (text === undefined) return undefined;
  if (!URL.canParse(text) || new URL(text).origin !== text) {
    throw new UsageError(
      `Expected --origin to be an origin, such as https://app.example, got ${JSON.stringify(text)}.`,
    );
  }
  return text;
}

function secondsOf(given: Given): number | undefined {
  const seconds = numberOf(given, 'for', 1, 86_400);
  return seconds === undefined ? undefined : seconds * 1000;
}
