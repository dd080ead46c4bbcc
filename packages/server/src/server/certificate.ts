import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import { tlsCert, tlsKey } from './settings.ts';

/** A certificate with its chain, and its key; both PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface WatchOptions {
  /** Milliseconds between two looks at the files. */
  readonly every?: number;
  readonly read?: (path: string) => Promise<string>;
  readonly onChange: (certificate: Certificate) => void;
  /** Learns once of each state of the files that can't be used. */
  readonly onFailure: (error: unknown) => void;
}

/** The certificate of the settings, followed as its files change. */
export interface WatchedCertificate {
  readonly current: Certificate;
  /**
   * Reads the files that the settings name, and returns a function that takes the certificate.
   *
   * @throws {TidingsError} `config/invalid`, `config/unreadable`.
   */
  prepare(settings: Settings): Promise<() => void>;
  close(): void;
}

/** Renewed certificates are valid for weeks before the old ones end. */
const EVERY = 10_000;

const readText = (path: string): Promise<string> => readFile(path, 'utf8');

/**
 * Reads the files and looks at them every few seconds. A watcher of the file system would miss how Kubernetes and certbot
 * replace files: by a link to another folder.
 *
 * @returns undefined if the settings name none.
 * @throws {TidingsError} `config/invalid`, `config/unreadable`.
 */
export async function watchCertificate(
  settings: Settings,
  { every = EVERY, read = readText, onChange, onFailure }: WatchOptions,
): Promise<WatchedCertificate | undefined> {
  let paths = pathsOf(settings);
  if (paths === undefined) return undefined;
  let current = await readCertificate(paths, read);
  let lastFailure = '';

  function take(next: Certificate): void {
    if (next.cert === current.cert && next.key === current.key) return;
    current = next;
    onChange(next);
  }

  async function look(): Promise<void> {
    if (paths === undefined) return;
    try {
      take(await readCertificate(paths, read));
      lastFailure = '';
    } catch (error) {
      const failure = String(error);
      if (failure !== lastFailure) onFailure(error);
      lastFailure = failure;
    }
  }

  const timer = setInterval(() => void look(), every);
  timer.unref();
  return {
    get current() {
      return current;
    },
    async prepare(next) {
      const named = pathsOf(next);
      if (named === undefined) throw invalid('TLS can’t be switched off while the server runs.');
      const certificate = await readCertificate(named, read);
      return () => {
        paths = named;
        take(certificate);
      };
    },
    close: () => clearInterval(timer),
  };
}

interface Paths {
  readonly cert: string;
  readonly key: string;
}

function pathsOf(settings: Settings): Paths | undefined {
  const cert = settings.get(tlsCert);
  const key = settings.get(tlsKey);
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  throw invalid(`Expected \`${tlsCert.name}\` and \`${tlsKey.name}\`, got only one of them.`);
}

async function readCertificate(paths: Paths, read: (path: string) => Promise<string>): Promise<Certificate> {
  const [cert, key] = await Promise.all([readFrom(paths.cert, read), readFrom(paths.key, read)]);
  try {
    // Also notices a key of another certificate: perhaps only one of the files has been replaced yet.
    createSecureContext({ cert, key });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`${paths.cert} and ${paths.key} are no certificate and its key in PEM: ${reason}.`, cause);
  }
  return { cert, key };
}

async function readFrom(path: string, read: (path: string) => Promise<string>): Promise<string> {
  try {
    return await read(path);
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw createError('config/unreadable', `The file ${path} can’t be read (${code}).`, {
      details: { setting: 'tls', path },
      cause,
    });
  }
}

function invalid(message: string, cause?: unknown): Error {
  return createError('config/invalid', message, { details: { setting: tlsCert.name }, cause });
}
