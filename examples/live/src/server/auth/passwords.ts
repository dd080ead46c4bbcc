import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { createQueue } from '../lib/queue.ts';

/** Cost of one hash: scrypt's N, r and p. */
export interface PasswordCost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/**
 * One of the settings that OWASP's password storage cheat sheet rates as equal: 32 MiB and about 0.2 s a hash. It comes
 * from Node's own OpenSSL, so there is no dependency to keep up; each hash names its cost, so raising it later
 * leaves old ones valid.
 */
export const defaultCost: PasswordCost = { N: 2 ** 15, r: 8, p: 3 };

export interface Passwords {
  hash(password: string): Promise<string>;
  /** Takes just as long if there is no such user (`stored` undefined): the time must not reveal who exists. */
  verify(password: string, stored: string | undefined): Promise<boolean>;
}

const KEY_LENGTH = 32;
const MAX_WAITING = 100;

export function createPasswords(cost: PasswordCost = defaultCost): Passwords {
  // Two at a time: hashes run on the thread pool that also reads files, and each needs its memory.
  const queue = createQueue({ width: 2, maxWaiting: MAX_WAITING });
  const nobody = encode(cost, randomBytes(16), randomBytes(KEY_LENGTH));

  function derive(password: string, salt: Buffer, { N, r, p }: PasswordCost): Promise<Buffer> {
    // Normalized: the same characters typed on another device must give the same bytes.
    const text = password.normalize('NFKC');
    // By default, Node refuses more than 32 MiB; this is twice what RFC 7914 needs.
    const options = { N, r, p, maxmem: 256 * r * (N + p + 2) };
    return queue.run(
      () =>
        new Promise((resolve, reject) => {
          scrypt(text, salt, KEY_LENGTH, options, (error, key) =>
            error === null ? resolve(key) : reject(error),
          );
        }),
    );
  }

  return {
    async hash(password) {
      const salt = randomBytes(16);
      return encode(cost, salt, await derive(password, salt, cost));
    },
    async verify(password, stored) {
      const { cost: storedCost, salt, key } = decode(stored ?? nobody);
      const matches = timingSafeEqual(await derive(password, salt, storedCost), key);
      return matches && stored !== undefined;
    },
  };
}

function encode({ N, r, p }: PasswordCost, salt: Buffer, key: Buffer): string {
  return `scrypt:${N}:${r}:${p}:${salt.toString('base64')}:${key.toString('base64')}`;
}

function decode(stored: string): { cost: PasswordCost; salt: Buffer; key: Buffer } {
  const [scheme, N, r, p, salt, key] = stored.split(':');
  if (scheme !== 'scrypt' || salt === undefined || key === undefined) {
    throw new Error('A stored password is not of the form scrypt:N:r:p:salt:key.');
  }
  return {
    cost: { N: Number(N), r: Number(r), p: Number(p) },
    salt: Buffer.from(salt, 'base64'),
    key: Buffer.from(key, 'base64'),
  };
}
