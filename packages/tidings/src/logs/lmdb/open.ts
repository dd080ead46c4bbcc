import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { TidingsError } from '../../protocol/errors.ts';
import type { Durability } from './durability.ts';
import { type Owner, bootId, isRunning, ownProcess } from './owner.ts';
import { FORMAT, type Store, openTables } from './store.ts';

/** @throws {TidingsError} `package/missing`, `log/unavailable`, `log/in-use`. */
export function openStore(path: string, durability: Durability): Store {
  const { open } = loadLmdb();
  try {
    mkdirSync(path, { recursive: true });
    // With overlapping sync a transaction is there for readers before it is on the disk.
    // The log gathers what belongs into one transaction by itself; and the promises that LMDB would make for an event
    // turn's batch reject unheard when the disk is full.
    const root = open({
      path,
      maxDbs: 12,
      overlappingSync: durability === 'relaxed',
      eventTurnBatching: false,
    });
    const store = openTables(root);
    try {
      root.transactionSync(() => {
        claim(store, path);
        identify(store, durability);
      });
    } catch (error) {
      void root.close();
      throw error;
    }
    return store;
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

/** Closes in order, which lets a relaxed log keep its epoch: what it has written is on the disk then. */
export async function closeStore(store: Store, durability: Durability): Promise<void> {
  const { root, meta } = store;
  if (durability === 'relaxed') {
    await root.flushed;
    root.transactionSync(() => meta.removeSync('relaxed-boot'));
  }
  try {
    root.transactionSync(() => meta.removeSync('owner'));
  } catch {
    // A full disk, say. The claim ends with this process all the same.
  }
  await root.close();
}

/** One process at a time: seqs, presence and what is live are known to one hub only. */
function claim({ meta }: Store, path: string): void {
  const owner = meta.get('owner') as Owner | undefined;
  if (owner !== undefined && isRunning(owner)) {
    throw new TidingsError('log/in-use', `Process ${owner.pid} has the log open; stop it first.`, {
      status: 503,
      details: { pid: owner.pid, path },
    });
  }
  meta.putSync('owner', ownProcess());
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
