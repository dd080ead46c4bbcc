import { type Command, type Given, type Terminal, UsageError, textOf } from '../cli/command.ts';
import { flagsOf } from '../config/flags.ts';
import { duration } from '../config/kinds.ts';
import { adminToken } from '../operation/settings.ts';
import { internalHost, internalPort } from '../server/settings.ts';
import { INTERNAL_FLAG, internalOf } from './internal.ts';
import { describeRefusal } from './remote.ts';
import { reasonOf } from './send.ts';

const TIMEOUT = 10_000;

/** `tidings revoke SUBJECT` */
export const revoke: Command = {
  summary: 'Ends the streams of a subject or a token on all servers, and refuses its credentials.',
  positionals: '[SUBJECT]',
  about:
    'It asks the internal port of a server, which it finds by the configuration that serve has, with internal.token.\n' +
    'Tokens that a subject gets later count again. A revocation holds for a day, or for as long as --for says: longer than\n' +
    'the tokens it is about. With --for 0 it is taken back.',
  flags: {
    'token-id': { type: 'string', value: 'ID', help: 'one token, by its claim `jti`, instead of a subject' },
    before: {
      type: 'string',
      value: 'TIME',
      help: 'tokens issued before this time, such as 2030-01-31T12:00Z; of the subject, or all',
    },
    for: { type: 'string', value: 'DURATION', help: 'how long the revocation holds (1d)' },
    ...INTERNAL_FLAG,
    ...flagsOf([internalHost, internalPort, adminToken]),
  },
  async run(given, terminal) {
    const target = targetOf(given);
    const { url, settings } = internalOf(given);
    const token = settings.get(adminToken);
    if (token === undefined)
      throw new UsageError(
        `Expected \`${adminToken.name}\` to be set: the internal port takes orders only with it.`,
      );
    return order(`${url}/admin/v1/revoke`, token, target, terminal);
  },
};

function targetOf(given: Given): Readonly<Record<string, unknown>> {
  const [subject, ...more] = given.positionals;
  if (more.length > 0) throw new UsageError(`Expected one subject, got ${given.positionals.length}.`);
  const tokenId = textOf(given, 'token-id');
  const before = timeOf(given);
  if (subject === undefined && tokenId === undefined && before === undefined)
    throw new UsageError('Expected a subject, --token-id or --before, got nothing.');
  if (tokenId !== undefined && (subject !== undefined || before !== undefined))
    throw new UsageError('Expected --token-id alone: it names one token.');
  const stands = standsFor(given);
  return {
    ...(subject !== undefined && { subject }),
    ...(tokenId !== undefined && { tokenId }),
    ...(before !== undefined && { tokensIssuedBefore: before }),
    ...(stands !== undefined && { for: stands }),
  };
}

function timeOf(given: Given): number | undefined {
  const text = textOf(given, 'before');
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new UsageError(
      `Expected --before to be a time, such as 2030-01-31T12:00Z, got ${JSON.stringify(text)}.`,
    );
  return time;
}

function standsFor(given: Given): number | undefined {
  const text = textOf(given, 'for');
  if (text === undefined) return undefined;
  const kind = duration(0, 3660 * 86_400_000);
  const value = kind.fromText(text);
  if (value === undefined)
    throw new UsageError(`Expected --for to be ${kind.expected}, got ${JSON.stringify(text)}.`);
  return value;
}

async function order(url: string, token: string, body: object, terminal: Terminal): Promise<number> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.ok) return 0;
    terminal.err(`${describeRefusal(response.status, await response.text())}\n`);
  } catch (error) {
    terminal.err(`${url} can't be reached: ${reasonOf(error)}\n`);
  }
  return 1;
}
