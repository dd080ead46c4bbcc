import { randomUUID } from 'node:crypto';
import { closeSync, linkSync, openSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { createLogError } from '../../log/index.ts';

/** The one file that LMDB keeps everything in. */
const FILE = 'data.mdb';

/** Identifies a log's file, as different from a copy of it; undefined if there is no file. */
export function identityOf(folder: string, name: string = FILE): string | undefined {
  const stat = statSync(join(folder, name), { throwIfNoEntry: false, bigint: true });
  return stat === undefined ? undefined : `${stat.ino}-${stat.birthtimeNs}`;
}

const LOCK_FILE = 'lock.mdb';

/** Identifies what an open log stands on. Processes with different lock files would write at the same time. */
export function footingOf(folder: string, shared: boolean): string {
  const file = identityOf(folder);
  return shared ? `${file} ${identityOf(folder, LOCK_FILE)}` : `${file}`;
}

/** Bytes. LMDB makes of it as many places for readers as fit: twice its default. */
const LOCK_SIZE = 16_384;

/**
 * Makes the lock file of a new log, with all of its bytes. LMDB's own has holes, and is written to as memory: where the
 * disk has no room for a page of it, that ends the process, without a word.
 *
 * @throws if the disk is full.
 */
export function assertRoom(path: string): void {
  const file = join(path, LOCK_FILE);
  const found = statSync(file, { throwIfNoEntry: false });
  if (found !== undefined && found.blocks * 512 >= found.size) return;
  const draft = `${file}.${randomUUID()}`;
  try {
    writeFileSync(draft, Buffer.alloc(LOCK_SIZE), { mode: 0o664 });
    // As a whole or not at all, since another process may be opening the log, too.
    if (found === undefined) linkSync(draft, file);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    // It is there by now, or the file system has no links: then there is room at least for the moment.
    if (!['EEXIST', 'EPERM', 'ENOTSUP', 'ENOSYS'].includes(code)) throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Where LMDB's magic number stands in the first two pages, of whatever size these are. */
const MAGIC = { at: 24, number: 0xbeefc0de };
const PAGE_SIZES = [4096, 8192, 16_384, 32_768, 65_536];

/**
 * LMDB ends the process when it opens a file that only looks like one of its own.
 *
 * @throws {TidingsError} `log/unavailable`.
 */
export function assertFormat(path: string): void {
  const file = join(path, FILE);
  // LMDB makes a file that isn't there, and goes on with an empty one.
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return;
  const bytes = Buffer.alloc(65_536 + MAGIC.at + 4);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, bytes, 0, bytes.length, 0);
  } finally {
    closeSync(descriptor);
  }
  const isMeta = (page: number): boolean =>
    bytes.readUInt32LE(page + MAGIC.at) === MAGIC.number ||
    bytes.readUInt32BE(page + MAGIC.at) === MAGIC.number;
  if (isMeta(0) && PAGE_SIZES.some(isMeta)) return;
  const message = `The log in ${path} is damaged: its file doesn't begin as one of LMDB. Put it back from a backup.`;
  throw createLogError('log/unavailable', message, { details: { path } });
}

/**
 * LMDB maps its file into memory: reading beyond the end of a truncated file ends the process.
 *
 * @throws {TidingsError} `log/unavailable`.
 */
export function assertWhole(root: RootDatabase, path: string): void {
  const { lastPageNumber, root: main } = root.getStats() as {
    lastPageNumber: number;
    root: { pageSize: number };
  };
  const needed = (lastPageNumber + 1) * main.pageSize;
  // Read last: another process may be writing, and LMDB writes pages before it counts them.
  const { size } = statSync(join(path, FILE));
  if (size >= needed) return;
  const message = `The log in ${path} is damaged: its file has ${size} of ${needed} bytes. Put it back from a backup.`;
  throw createLogError('log/unavailable', message, { details: { path, size, needed } });
}
