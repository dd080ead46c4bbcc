import { resolve } from 'node:path';
import type { Kind } from '../config/setting.ts';
import { describeUrl, shownUrl } from '../config/shown-url.ts';

export type Engine = 'memory' | 'lmdb' | 'redis' | 'postgres';

const ENGINES: Readonly<Record<string, Engine>> = {
  'memory:': 'memory',
  'lmdb:': 'lmdb',
  'redis:': 'redis',
  'rediss:': 'redis',
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
};

/** `lmdb:./data` and `lmdb:/var/lib/tidings` are folders; `memory:` has nothing more to say. */
export const logUrl: Kind<string> = {
  expected: 'memory:, lmdb:FOLDER, redis://HOST, rediss://HOST or postgres://HOST/DATABASE',
  placeholder: 'URL',
  fromText: (value) => (isLogUrl(value) ? value : undefined),
  fromFile: (value) => (typeof value === 'string' && isLogUrl(value) ? value : undefined),
  toText: shownUrl,
  describe: describeUrl,
  inFolder: (value, folder) =>
    engineOf(value) === 'lmdb' ? `lmdb:${resolve(folder, folderOf(value))}` : value,
};

export function engineOf(url: string): Engine | undefined {
  const [protocol = ''] = /^[a-z]+:/.exec(url) ?? [];
  return Object.hasOwn(ENGINES, protocol) ? ENGINES[protocol] : undefined;
}

/** The folder of an LMDB log. */
export function folderOf(url: string): string {
  return url.slice('lmdb:'.length);
}

function isLogUrl(url: string): boolean {
  switch (engineOf(url)) {
    case undefined:
      return false;
    case 'memory':
      return url === 'memory:';
    case 'lmdb':
      // `lmdb://data` would be a folder at the root of the disk, which is hardly meant.
      return folderOf(url) !== '' && !folderOf(url).startsWith('//');
    case 'redis':
    case 'postgres':
      return URL.canParse(url) && /^[a-z]+:\/\//.test(url);
  }
}
