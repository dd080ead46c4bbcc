import { createSecretKey, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { makeApiKey } from '../auth/api-keys.ts';
import type { GrantMatcher } from '../auth/grants.ts';
import { type SigningKey, mintToken, readSigningKey, signingSecret } from '../auth/mint.ts';
import { audience, claim, issuer, jwtSecret } from '../auth/settings.ts';
import { type Command, type Given, type Terminal, UsageError, listOf, textOf } from '../cli/command.ts';
import { flagsOf } from '../config/flags.ts';
import { duration } from '../config/kinds.ts';
import { whyUnreadable } from '../config/unreadable.ts';
import { loadSettings, settingsOrThrow } from '../config/load.ts';
import type { Settings } from '../config/setting.ts';
import { developmentOf } from '../server/development.ts';
import { SETTINGS } from '../server/table.ts';
import { logAt } from '../server/settings.ts';

const lifetime = duration(1000, 3660 * 86_400_000);

/** `tidings token`, `tidings token api-key NAME` */
export const token: Command = {
  summary: 'Makes a token, or an API key.',
  positionals: '[api-key NAME]',
  about:
    'A token is signed with the key that serve checks tokens with: auth.jwt.secret, or in development mode the key that\n' +
    'serve has made. With --key-file it is signed with a private key instead (PEM or JWK).\n' +
    'Topics with * or :name are patterns; {sub} stands for a claim of the token.\n\n' +
    'tidings token api-key NAME prints a key for a publisher, and on the standard error its entry for auth.api-keys.',
  flags: {
    subject: {
      type: 'string',
      short: 's',
      value: 'SUBJECT',
      help: 'the user that the token is for: its claim `sub`',
    },
    publish: {
      type: 'string',
      multiple: true,
      value: 'TOPIC',
      help: 'a topic to publish on; may be repeated',
    },
    subscribe: { type: 'string', multiple: true, value: 'TOPIC', help: 'a topic to subscribe to' },
    private: {
      type: 'string',
      multiple: true,
      value: 'TOPIC',
      help: 'a topic with private events, if not all of --subscribe',
    },
    expires: { type: 'string', value: 'DURATION', help: 'how long it is valid (1h); an API key: for ever' },
    'key-file': { type: 'string', value: 'FILE', help: 'a private key to sign with' },
    ...flagsOf([jwtSecret, claim, issuer, audience, logAt]),
  },
  async run(given, terminal) {
    const [kind, name, ...more] = given.positionals;
    if (kind === undefined) return printToken(given, terminal);
    if (kind !== 'api-key' || name === undefined || more.length > 0) {
      throw new UsageError(
        `Expected nothing or "api-key NAME", got ${JSON.stringify(given.positionals.join(' '))}.`,
      );
    }
    return printApiKey(name, given, terminal);
  },
};

async function printToken(given: Given, terminal: Terminal): Promise<number> {
  const settings = settingsOrThrow(loadSettings(SETTINGS, given, process.env));
  const [firstAudience] = settings.get(audience);
  const [subject, by] = [textOf(given, 'subject'), settings.get(issuer)];
  const text = await mintToken({
    key: keyOf(given, settings),
    claim: settings.get(claim),
    grant: grantOf(given, asClaim),
    id: randomUUID(),
    lifetime: Math.floor((expiryOf(given) ?? 3_600_000) / 1000),
    now: Date.now(),
    ...(subject !== undefined && { subject }),
    ...(by !== undefined && { issuer: by }),
    ...(firstAudience !== undefined && { audience: firstAudience }),
  });
  terminal.out(`${text}\n`);
  return 0;
}

function printApiKey(name: string, given: Given, terminal: Terminal): number {
  const { key, hash } = makeApiKey();
  const expires = expiryOf(given);
  const entry = {
    name,
    hash,
    ...grantOf(given, (text) => text),
    ...(expires !== undefined && { expires: new Date(Date.now() + expires).toISOString() }),
  };
  terminal.err(`Add this to auth.api-keys; the key itself is shown only now:\n${JSON.stringify(entry)}\n`);
  terminal.out(`${key}\n`);
  return 0;
}

/** @throws {UsageError} if there is nothing to sign with. */
function keyOf(given: Given, settings: Settings): SigningKey {
  const path = textOf(given, 'key-file');
  if (path !== undefined) return readSigningKey(readKey(path), '--key-file');
  const secret = settings.get(jwtSecret);
  if (secret !== undefined) return signingSecret(secret, jwtSecret.name);
  const development = developmentOf(settings, process.env);
  if (development === undefined)
    throw new UsageError(`Expected a key to sign with: set ${jwtSecret.name}, or give --key-file.`);
  return { key: createSecretKey(development.key), algorithms: ['HS256'], kid: undefined };
}

function readKey(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new UsageError(`The file of --key-file, ${path}, can’t be read: ${whyUnreadable(cause)}.`, {
      cause,
    });
  }
}

/** @throws {UsageError} if it grants nothing: such a token is a slip. */
function grantOf<T>(given: Given, form: (text: string) => T): { readonly [name: string]: readonly T[] } {
  const lists = ['publish', 'subscribe', 'private'].map(
    (name) => [name, listOf(given, name).map(form)] as const,
  );
  const grant = Object.fromEntries(lists.filter(([, topics]) => topics.length > 0));
  if (Object.keys(grant).length === 0)
    throw new UsageError(
      'Expected --publish, --subscribe or --private, got none: such a token could do nothing.',
    );
  return grant;
}

/** A token tells topics, patterns and templates apart, since a topic may have any character. */
function asClaim(text: string): GrantMatcher {
  if (/\{[^}]*\}/.test(text)) return { template: text };
  return /\*|(?:^|\/):[A-Za-z_$]/.test(text) ? { pattern: text } : text;
}

function expiryOf(given: Given): number | undefined {
  const text = textOf(given, 'expires');
  if (text === undefined) return undefined;
  const value = lifetime.fromText(text);
  if (value === undefined)
    throw new UsageError(`Expected --expires to be ${lifetime.expected}, got ${JSON.stringify(text)}.`);
  return value;
}
