import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { createError } from 'tidings/transport';
import type { Settings } from '../config/setting.ts';
import { whyUnreadable } from '../config/unreadable.ts';
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

/**
 * Reads the certificate as a start would, and refuses one that clients would refuse by its time.
 *
 * @throws {TidingsError} `config/invalid`, `config/unreadable`.
 */
export async function checkCertificate(settings: Settings, now: number): Promise<void> {
  const paths = pathsOf(settings);
  if (paths === undefined) return;
  const { validFrom, validTo } = new X509Certificate((await readCertificate(paths, readText)).cert);
  if (now > Date.parse(validTo))
    throw invalid(`The certificate in ${paths.cert} has expired: it was valid until ${validTo}.`);
  if (now < Date.parse(validFrom))
    throw invalid(`The certificate in ${paths.cert} is not valid before ${validFrom}.`);
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
  assertPem(cert, paths.cert, 'CERTIFICATE', 'a certificate');
  assertPem(key, paths.key, 'PRIVATE KEY', 'a private key');
  const certificate = attempt(() => new X509Certificate(cert), `The certificate in ${paths.cert} is damaged`);
  const privateKey = attempt(() => createPrivateKey(key), `The private key in ${paths.key} is damaged`);
  // Perhaps only one of the files has been replaced yet.
  if (!certificate.checkPrivateKey(privateKey))
    throw invalid(`The key in ${paths.key} is not the one of the certificate in ${paths.cert}.`);
  attempt(() => createSecureContext({ cert, key }), `${paths.cert} and ${paths.key} can’t be used`);
  return { cert, key };
}

/** Names the kind of content that a file has instead, and never quotes it. */
function assertPem(text: string, path: string, label: string, what: string): void {
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(text))
    throw invalid(
      `The private key in ${path} is encrypted, and the server has nobody to ask for its passphrase.`,
    );
  const labels = [...text.matchAll(/-----BEGIN ([A-Z0-9 ]+)-----/g)].map(([, found = '']) => found);
  if (labels.some((found) => found === label || found.endsWith(` ${label}`))) return;
  const got =
    text.trim() === ''
      ? 'an empty file'
      : labels.length > 0
        ? labels.join(', ')
        : 'no PEM at all; is it DER?';
  throw invalid(`Expected ${path} to have ${what} in PEM (-----BEGIN ${label}-----), got ${got}.`);
}

function attempt<T>(work: () => T, failure: string): T {
  try {
    return work();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw invalid(`${failure}: ${reason}.`, cause);
  }
}

async function readFrom(path: string, read: (path: string) => Promise<string>): Promise<string> {
  try {
    return await read(path);
  } catch (cause) {
    throw createError('config/unreadable', `${path} can’t be read: ${whyUnreadable(cause)}.`, {
      details: { setting: 'tls', path },
      cause,
    });
  }
}

function invalid(message: string, cause?: unknown): Error {
  return createError('config/invalid', message, { details: { setting: tlsCert.name }, cause });
}
