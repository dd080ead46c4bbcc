import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TidingsError } from '../../protocol/errors.ts';
import type { Durability } from './durability.ts';
import { type Owner, bootId, isOwn, isRunning, ownProcess } from './owner.ts';
import { FORMAT, type Store, openTables } from './store.ts';

export interface OpenOptions {
  readonly path: string;
  readonly durability: Durability;
  /** Whether others may have the log open at the same time. */
  readonly shared: boolean;
}

/** A log that this process has open. */
interface Opened {
  readonly store: Store;
  readonly shared: boolean;
  users: number;
}

/**
 * By the folder's real path. LMDB's locks are the process', and a transaction that waits for another one of the same
 * thread waits for good: so who opens a log a second time is given the same store.
 */
const openedHere = new Map<string, Opened>();

/** @throws {TidingsError} `package/missing`, `log/unavailable`, `log/in-use`. */
export function openStore(options: OpenOptions): Store {
  const { path, shared } = options;
  const lmdb = loadLmdb();
  try {
    mkdirSync(path, { recursive: true });
    const folder = realpathSync(path);
    const opened = openedHere.get(folder);
    if (opened === undefined) {
      const store = openFolder(lmdb, options);
      openedHere.set(folder, { store, shared, users: 1 });
      return store;
    }
    if (!shared || !opened.shared || opened.users === 0) throw inUse(process.pid, path);
    opened.users += 1;
    return opened.store;
  } catch (cause) {
    if (cause instanceof TidingsError) throw cause;
    throw new TidingsError(
      'log/unavailable',
      `The log in ${path} can't be opened: is the folder there, and writable?`,
      {
        status: 503,
        details: { path },
        cause,
      },
    );
  }
}

function openFolder(lmdb: typeof import('lmdb'), { path, durability, shared }: OpenOptions): Store {
  // With overlapping sync a transaction is there for readers before it is on the disk.
  // The log gathers what belongs into one transaction by itself; and the promises that LMDB would make for an event
  // turn's batch reject unheard when the disk is full.
  const root = lmdb.open({
    path,
    maxDbs: 12,
    overlappingSync: durability === 'relaxed',
    eventTurnBatching: false,
  });
  const store = openTables(root);
  try {
    root.transactionSync(() => {
      claim(store, path, shared);
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
  const { root, meta } = store;
  const entry = [...openedHere].find(([, opened]) => opened.store === store);
  if (entry === undefined) return;
  const [folder, opened] = entry;
  opened.users -= 1;
  if (opened.users > 0) return;
  try {
    if (durability === 'relaxed') {
      await root.flushed;
      root.transactionSync(() => meta.removeSync('relaxed-boot'));
    }
    root.transactionSync(() => meta.putSync('owners', ownersBut(store, isOwn)));
  } catch {
    // A full disk, say. The claim ends with this process all the same, and a relaxed log begins a new epoch.
  }
  await root.close();
  openedHere.delete(folder);
}

/** One process at a time, unless all of them say that they share it. */
function claim(store: Store, path: string, shared: boolean): void {
  const owners = ownersBut(store, (owner) => !isRunning(owner) || isOwn(owner));
  const other = owners.find((owner) => !shared || !owner.shared);
  if (other !== undefined) throw inUse(other.pid, path);
  store.meta.putSync('owners', [...owners, ownProcess(shared)]);
}

function ownersBut({ meta }: Store, isLeftOut: (owner: Owner) => boolean): readonly Owner[] {
  const owners = (meta.get('owners') ?? []) as readonly Owner[];
  return owners.filter((owner) => !isLeftOut(owner));
}

function inUse(pid: number, path: string): TidingsError {
  const message = `Process ${pid} has the log open. Stop it first, or let all processes open it with \`shared: true\`.`;
  return new TidingsError('log/in-use', message, { status: 503, details: { pid, path } });
}

/**
 * A power failure may take the newest events of a relaxed log, and their seqs would be given to others. Cursors from
 * before then must not count as known, so the log begins a new epoch.
 */
function identify({ meta }: Store, durability: Durability): void {
  const format = meta.get('format') as number | undefined;
  if (format !== undefined && format !== FORMAT) {
    const message = `The log has format ${format}; this version reads format ${FORMAT}.`;
    throw new TidingsError('log/unavailable', message, { details: { format } });
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
    throw new TidingsError('package/missing', 'The LMDB log needs the package "lmdb": npm install lmdb', {
      details: { package: 'lmdb' },
      cause,
    });
  }
}
