import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SignJWT } from 'jose';
import { createError } from 'tidings/transport';
import { hasKeys } from '../auth/settings.ts';
import type { Environment } from '../config/load.ts';
import { whyUnreadable } from '../config/unreadable.ts';
import type { Settings } from '../config/setting.ts';
import { engineOf, folderOf } from './log-url.ts';
import { isLoopback } from './addresses.ts';
import { host, logAt } from './settings.ts';

/** The server runs on somebody's laptop, with nothing configured. */
export interface Development {
  readonly key: Uint8Array;
}

const KEY_FILE = 'development.key';

/**
 * Development mode is for a machine whose server nobody else can reach and that has no keys. Its key stays the same as
 * long as its events do: a page that reconnects after a restart has a token that still counts.
 *
 * @returns undefined where there are keys, or where there had better be.
 */
export function developmentOf(settings: Settings, environment: Environment): Development | undefined {
  if (!isDevelopment(settings, environment)) return undefined;
  const url = settings.get(logAt);
  return { key: engineOf(url) === 'lmdb' ? keyIn(dirname(resolve(folderOf(url)))) : randomBytes(32) };
}

export function isDevelopment(settings: Settings, environment: Environment): boolean {
  const isLaptop = isLoopback(settings.get(host)) && environment['NODE_ENV'] !== 'production';
  return isLaptop && !hasKeys(settings);
}

/** @throws {TidingsError} `config/invalid` if there can be no key. */
function keyIn(folder: string): Uint8Array {
  try {
    mkdirSync(folder, { recursive: true });
    return sharedKey(join(folder, KEY_FILE));
  } catch (cause) {
    const message = `Expected \`${logAt.name}\` to name a folder that this user may write to, got ${folder}: ${whyUnreadable(cause)}.`;
    throw createError('config/invalid', message, { details: { setting: logAt.name }, cause });
  }
}

function sharedKey(path: string): Uint8Array {
  try {
    // Fails if it is there: of two servers that start at once, both use the key of the first.
    writeFileSync(path, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return Buffer.from(readFileSync(path, 'utf8'), 'base64url');
}

/** A token for trying things out: it may do everything, for a month. */
export function developmentToken({ key }: Development): Promise<string> {
  return new SignJWT({ tidings: { publish: [{ pattern: '*' }], subscribe: [{ pattern: '*' }] } })
    .setProtectedHeader({ alg: 'HS256' })
    .setSubject('developer')
    .setIssuedAt()
    .setExpirationTime('30d')
    .sign(key);
}
