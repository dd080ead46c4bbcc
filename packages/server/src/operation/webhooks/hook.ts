import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Check,
  type Checks,
  type OptionError,
  aNumber,
  aString,
  assertOptions,
  createError,
} from 'tidings/transport';
import { duration, structure } from '../../config/kinds.ts';
import type { Setting } from '../../config/setting.ts';
import { shownOrigin } from '../../config/shown-url.ts';
import { whyUnreadable } from '../../config/unreadable.ts';

/** The events that a hook may be about. */
export const HOOK_EVENTS = ['connect', 'disconnect', 'presence', 'topic-occupied', 'topic-empty'] as const;
export type HookEvent = (typeof HOOK_EVENTS)[number];

/** One receiver, as the configuration has it. Durations in milliseconds. */
export interface Hook {
  /** Names it in the log for good: a hook of another name begins anew. */
  readonly name: string;
  readonly url: string;
  readonly events: readonly HookEvent[];
  /** Patterns of the topics that it is about. Default: all. */
  readonly topics: readonly string[];
  /** All of them sign. */
  readonly secrets: readonly string[];
  /** A file with further ones, one a line, read at the start and at each reload. */
  readonly secretFile: string | undefined;
  readonly timeout: number;
  /** Infinity: never give up. */
  readonly attempts: number;
}

interface HookText {
  readonly name: string;
  readonly url: string;
  readonly events: readonly HookEvent[];
  readonly topics?: readonly string[];
  readonly secrets?: readonly string[];
  readonly 'secret-file'?: string;
  readonly timeout?: string;
  readonly attempts?: number;
}

const timeout = duration(100, 120_000);

function listOfTexts(expected: string, accepts: (text: string) => boolean = (text) => text !== ''): Check {
  return {
    expected,
    accepts: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((text) => typeof text === 'string' && accepts(text)),
  };
}

const HOOK: Checks<HookText> = {
  name: { expected: 'up to 100 letters, digits, - or _', accepts: isName },
  url: { expected: 'a URL that begins with http:// or https://, without a user name', accepts: isUrl },
  events: listOfTexts(`a list of ${HOOK_EVENTS.join(', ')}`, (text) =>
    (HOOK_EVENTS as readonly string[]).includes(text),
  ),
  topics: listOfTexts('a list of patterns'),
  secrets: listOfTexts('a list of secrets with 24 bytes or more', (text) => text.length >= 24),
  'secret-file': aString,
  timeout: { expected: timeout.expected, accepts: (value) => timeout.fromFile(value) !== undefined },
  attempts: aNumber({ min: 1, integer: true }),
};

const invalid: OptionError = (option, message) =>
  createError('config/invalid', message, { details: { setting: `webhooks.${option}` } });

/** Its messages don't quote the values that may be secrets. */
const invalidOption: OptionError = (option, message, value) => {
  const name = option.slice(option.lastIndexOf('.') + 1);
  if (value === undefined || (name !== 'url' && name !== 'secrets')) return invalid(option, message);
  return invalid(option, `Expected \`${option}\` to be ${HOOK[name].expected}, got something else.`);
};

export const webhooks: Setting<readonly Hook[]> = {
  name: 'webhooks',
  kind: {
    ...structure(
      'a list of webhooks, such as {"name": "app", "url": "https://…", "events": ["connect"], "secret-file": "…"}',
      (value) => checked(value),
      (hooks) => hooks.map(toText),
    ),
    inFolder: (hooks, folder) =>
      hooks.map((hook) => ({
        ...hook,
        secretFile: hook.secretFile === undefined ? undefined : resolve(folder, hook.secretFile),
      })),
  },
  default: [],
  help: 'receivers of what happens at the server, which get it signed, in order, at least once',
  reloadable: true,
};

function checked(value: unknown): readonly Hook[] {
  if (!Array.isArray(value)) throw invalid('', 'Expected `webhooks` to be a list.');
  const hooks = (value as readonly HookText[]).map((hook, i) => {
    assertOptions(hook, HOOK, `webhooks[${i}].`, invalidOption);
    for (const name of ['name', 'url', 'events'] as const)
      if (hook[name] === undefined) throw invalid(name, `\`webhooks[${i}]\` needs \`${name}\`.`);
    if (hook.secrets === undefined && hook['secret-file'] === undefined)
      throw invalid(
        'secrets',
        `\`webhooks[${i}]\` needs \`secrets\` or a \`secret-file\`: receivers check the signature.`,
      );
    return {
      name: hook.name,
      url: hook.url,
      events: hook.events,
      topics: hook.topics ?? [],
      secrets: hook.secrets ?? [],
      secretFile: hook['secret-file'],
      timeout: (hook.timeout === undefined ? undefined : timeout.fromText(hook.timeout)) ?? 10_000,
      attempts: hook.attempts ?? Infinity,
    };
  });
  const names = hooks.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw invalid('name', `Two webhooks have the name "${twice}".`);
  return hooks;
}

/** Without secrets, since a configuration is printed with it. */
function toText(hook: Hook): object {
  return {
    name: hook.name,
    url: shownOrigin(hook.url),
    events: hook.events,
    ...(hook.topics.length > 0 && { topics: hook.topics }),
    ...(hook.secrets.length > 0 && { secrets: hook.secrets.map(() => '(hidden)') }),
    ...(hook.secretFile !== undefined && { 'secret-file': hook.secretFile }),
    timeout: timeout.toText(hook.timeout),
    ...(hook.attempts < Infinity && { attempts: hook.attempts }),
  };
}

/** @throws {TidingsError} `config/invalid` if the file can't be read, or has a secret that is too short. */
export function secretsOf({ name, secrets, secretFile }: Hook): readonly string[] {
  if (secretFile === undefined) return secrets;
  let lines: readonly string[];
  try {
    lines = readFileSync(secretFile, 'utf8').split('\n');
  } catch (cause) {
    const message = `The secrets of the webhook "${name}", ${secretFile}, can’t be read: ${whyUnreadable(cause)}.`;
    throw createError('config/invalid', message, { details: { setting: webhooks.name }, cause });
  }
  const all = [...secrets, ...lines.map((line) => line.trim()).filter((line) => line !== '')];
  if (all.length > 0 && all.every((secret) => secret.length >= 24)) return all;
  throw createError(
    'config/invalid',
    `Expected ${secretFile}, of the webhook "${name}", to have one secret a line, each of 24 bytes or more; got ${
      all.length === 0 ? 'none' : `one of ${Math.min(...all.map((secret) => secret.length))}`
    }.`,
  );
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && /^[\w-]{1,100}$/.test(value);
}

/** `fetch` refuses URLs with a user name or a password. */
function isUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !/^https?:\/\//.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}
