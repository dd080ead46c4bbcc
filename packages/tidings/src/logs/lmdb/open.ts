import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createLogError, TidingsError } from '../../log/index.ts';
import type { Durability } from './durability.ts';
import { type Owner, bootId, isOwn, isRunning, ownProcess } from './owner.ts';
import { FORMAT, type Store, openTables } from './store.ts';

export interface OpenOptions {
  readonly path: string;
  readonly durability: Durability;
  /** Whether others may have the log open at the same time. */
  readonly shared: boolean;
  /** What they then have to agree on, as text. */
  readonly settings: string;
}

/** A log that this process has open. */
interface Opened {
  readonly store: Store;
  readonly shared: boolean;
  readonly settings: string;
  users: number;
}

/**
 * By the folder's real path. LMDB's locks are the process', and a transaction that waits for another one of the same
 * thread waits for good: so who opens a log a second time is given the same store.
 */
const openedHere = new Map<string, Opened>();

/** How long closing waits to have its claim removed, in milliseconds. The claim ends with the process all the same. */
const RELEASE_TIMEOUT = 2000;

/** @throws {TidingsError} `package/missing`, `log/unavailable`, `log/in-use`. */
export function openStore(options: OpenOptions): Store {
  const { path, shared, settings } = options;
  const lmdb = loadLmdb();
  try {
    mkdirSync(path, { recursive: true });
    const folder = realpathSync(path);
    const opened = openedHere.get(folder);
    if (opened === undefined) {
      const store = openFolder(lmdb, options);
      openedHere.set(folder, { store, shared, settings, users: 1 });
      return store;
    }
    if (!shared || !opened.shared || opened.users === 0) throw inUse(process.pid, path);
    if (settings !== opened.settings) throw disagreeing(process.pid, path);
    opened.users += 1;
    return opened.store;
  } catch (cause) {
    if (cause instanceof TidingsError) throw cause;
    throw unavailable(path, cause);
  }
}

export function unavailable(path: string, cause: unknown): TidingsError {
  const message = `The log in ${path} can't be opened: is the folder there, and writable?`;
  return createLogError('log/unavailable', message, { details: { path }, cause });
}

function openFolder(lmdb: typeof import('lmdb'), options: OpenOptions): Store {
  const { path, durability } = options;
  // With overlapping sync a transaction is there for readers before it is on the disk.
  // The log gathers what belongs into one transaction by itself; and the promises that LMDB would make for an event
  // turn's batch reject unheard when the disk is full.
  const root = lmdb.open({
    path,
    maxDbs: 24,
    overlappingSync: durability === 'relaxed',
    eventTurnBatching: false,
  });
  const store = openTables(root);
  try {
    root.transactionSync(() => {
      claim(store, options);
      identify(store, durability);
    });
  } catch (error) {
    void root.close();
    throw error;
  }
  return store;
}

/** Closes in order, which lets a relaxed log keep its epoch: what it has written is on the disk then. */
export async function closeStore(store: Store, durability: Durability): Promise<void> {
  const { root } = store;
  const entry = [...openedHere].find(([, opened]) => opened.store === store);
  if (entry === undefined) return;
  const [folder, opened] = entry;
  opened.users -= 1;
  if (opened.users > 0) return;
  await Promise.race([
    release(store, durability),
    new Promise((resolve) => setTimeout(resolve, RELEASE_TIMEOUT).unref()),
  ]);
  await root.close();
  openedHere.delete(folder);
}

/** Not at once: another process may be writing, or stopped while it does. */
async function release(store: Store, durability: Durability): Promise<void> {
  const { root, meta } = store;
  try {
    if (durability === 'relaxed') await root.flushed;
    await root.childTransaction(() => {
      if (durability === 'relaxed') meta.removeSync('relaxed-boot');
      meta.putSync('owners', ownersBut(store, isOwn));
    });
  } catch {
    // A full disk, say. The claim ends with this process all the same, and a relaxed log begins a new epoch.
  }
}

/** One process at a time, unless all of them say that they share it. */
function claim(store: Store, { path, shared, settings }: OpenOptions): void {
  const owners = ownersBut(store, (owner) => !isRunning(owner) || isOwn(owner));
  const other = owners.find((owner) => !shared || !owner.shared);
  if (other !== undefined) throw inUse(other.pid, path);
  const disagrees = owners.find((owner) => owner.settings !== settings);
  if (disagrees !== undefined) throw disagreeing(disagrees.pid, path);
  store.meta.putSync('owners', [...owners, ownProcess(shared, settings)]);
}

function ownersBut({ meta }: Store, isLeftOut: (owner: Owner) => boolean): readonly Owner[] {
  const owners = (meta.get('owners') ?? []) as readonly Owner[];
  return owners.filter((owner) => !isLeftOut(owner));
}

function inUse(pid: number, path: string): TidingsError {
  const who = pid === process.pid ? 'This process' : `Process ${pid}`;
  const first = pid === process.pid ? 'Close it there' : 'Stop it';
  const message = `${who} has the log open. ${first} first, or open it with \`shared: true\` everywhere.`;
  return createLogError('log/in-use', message, { details: { pid, path } });
}

/** Each would trim and supersede by rules of its own, also what the others are to keep. */
function disagreeing(pid: number, path: string): TidingsError {
  const message = `Process ${pid} has the log open with other \`retention\` or \`topics\`. Stop all that share it first.`;
  return createLogError('log/in-use', message, { details: { pid, path } });
}

/**
 * A power failure may take the newest events of a relaxed log, and their seqs would be given to others. Cursors from
 * before then must not count as known, so the log begins a new epoch.
 */
function identify({ meta }: Store, durability: Durability): void {
  const format = meta.get('format') as number | undefined;
  if (format !== undefined && format !== FORMAT) {
    const message = `The log has format ${format}; this version reads format ${FORMAT}.`;
    throw createLogError('log/unavailable', message, { details: { format } });
  }
  const relaxedBoot = meta.get('relaxed-boot');
  const mayHaveLost = relaxedBoot !== undefined && relaxedBoot !== bootId();
  if (format === undefined || mayHaveLost)
    meta.putSync('epoch', randomUUID().replaceAll('-', '').slice(0, 16));
  if (format === undefined) meta.putSync('format', FORMAT);
  if (durability === 'relaxed') meta.putSync('relaxed-boot', bootId());
  else if (relaxedBoot !== undefined) meta.removeSync('relaxed-boot');
}

function loadLmdb(): typeof import('lmdb') {
  try {
    return createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  } catch (cause) {
    throw createLogError('package/missing', 'The LMDB log needs the package "lmdb": npm install lmdb', {
      details: { package: 'lmdb' },
      cause,
    });
  }
}
