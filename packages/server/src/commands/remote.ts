import { readFileSync } from 'node:fs';
import { type Flag, type Given, UsageError, textOf } from '../cli/command.ts';
import type { Environment } from '../config/load.ts';
import { describeUrl } from '../config/shown-url.ts';
import { whyUnreadable } from '../config/unreadable.ts';

/** The server that a command talks to, and the credential for it. */
export interface Remote {
  /** Without a slash at its end. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

export const REMOTE_FLAGS: Readonly<Record<string, Flag>> = {
  url: { type: 'string', value: 'URL', help: 'the server (http://127.0.0.1:3333); also TIDINGS_URL' },
  token: {
    type: 'string',
    value: 'TOKEN',
    help: 'a token or an API key; also TIDINGS_TOKEN, which others on the machine can’t see',
  },
  'token-file': { type: 'string', value: 'FILE', help: 'a file that holds it' },
};

/** @throws {UsageError} */
export function remoteOf(given: Given, environment: Environment): Remote {
  const text = textOf(given, 'url') ?? (environment['TIDINGS_URL'] || 'http://127.0.0.1:3333');
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (
    parsed === undefined ||
    !/^https?:$/.test(parsed.protocol) ||
    parsed.username + parsed.password !== ''
  ) {
    throw new UsageError(
      `Expected --url to be a URL with http: or https: and no user name, got ${describeUrl(text)}.`,
    );
  }
  const token = tokenOf(given, environment);
  return {
    url: `${parsed.origin}${parsed.pathname}`.replace(/\/+$/, ''),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  };
}

function tokenOf(given: Given, environment: Environment): string | undefined {
  const direct = textOf(given, 'token');
  const path = textOf(given, 'token-file');
  if (direct !== undefined && path !== undefined)
    throw new UsageError('Expected either --token or --token-file, got both.');
  const token = path === undefined ? (direct ?? environment['TIDINGS_TOKEN']) : readToken(path);
  if (token === undefined || token === '') return undefined;
  if (!/^[\x21-\x7e]+$/.test(token)) throw new UsageError('Expected the token to be text without spaces.');
  return token;
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new UsageError(`The file of --token-file, ${path}, can’t be read: ${whyUnreadable(cause)}.`, {
      cause,
    });
  }
}

/** Advice about a 401 for a command that had no credential to send. Empty if it had one. */
export function adviceOnMissingToken({ headers }: Remote): string {
  return headers['authorization'] === undefined
    ? ' This command sent none: give it --token-file or TIDINGS_TOKEN. `tidings token` makes one.'
    : '';
}

/** A refusal in one line: the problem's detail and code if there is one. */
export function describeRefusal(status: number, body: string): string {
  try {
    const { detail, code } = JSON.parse(body) as { readonly detail?: unknown; readonly code?: unknown };
    if (typeof detail === 'string' && typeof code === 'string') return `${detail} (${code}, ${status})`;
  } catch {
    // No problem details: the status has to do.
  }
  return `The server answered ${status}.`;
}
