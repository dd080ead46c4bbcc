import { randomUUID } from 'node:crypto';
import { mkdirSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createLogError, extendLineage, TidingsError } from '../../log/index.ts';
import type { Durability } from './durability.ts';
import { type Owner, bootId, isOwn, isRunning, ownProcess } from './owner.ts';
import { readState } from './log-state.ts';
import { FORMAT, type Store, lineageOf, openTables } from './store.ts';
import { assertFormat, assertRoom, assertWhole, identityOf } from './data-file.ts';

export interface OpenOptions {
  readonly path: string;
  readonly durability: Durability;
  /** Whether others may have the log open at the same time. */
  readonly shared: boolean;
  /** The settings that all processes have to agree on, as text. */
  readonly settings: string;
  /** Whether the folder was put back from a backup, or is a copy. */
  readonly restored: boolean;
}

/** A log that this process has open. */
interface Opened {
  readonly format: number;
  readonly path: string;
  readonly store: Store;
  readonly shared: boolean;
  readonly settings: string;
  users: number;
}

/**
 * By the folder's real path. LMDB's locks are the process', and a transaction that waits for another one of the same
 * thread waits for good: so a log that is opened a second time is given the same store, even by another copy of this
 * package, as bundlers and hot reload make them.
 */
const openedHere: Map<string, Opened> = ((globalThis as Record<symbol, unknown>)[
  Symbol.for('tidings.lmdb.opened')
] ??= new Map<string, Opened>()) as Map<string, Opened>;

/** Paths of logs that this process has closed, but could not take its claim off. */
const unreleased = new Set<string>();

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
      openedHere.set(folder, { format: FORMAT, path, store, shared, settings, users: 1 });
      return store;
    }
    if (opened.format !== FORMAT || options.restored || !shared || !opened.shared || opened.users === 0)
      throw inUse(process.pid, path);
    if (settings !== opened.settings) throw disagreeing(process.pid, path);
    opened.users += 1;
    return opened.store;
  } catch (cause) {
    if (cause instanceof TidingsError) throw cause;
    throw unavailable(path, cause);
  }
}

export function unavailable(path: string, cause: unknown): TidingsError {
  const message = `The log in ${path} can't be opened: is the folder there, writable, and is there room on its disk?`;
  return createLogError('log/unavailable', message, { details: { path }, cause });
}

function openFolder(lmdb: typeof import('lmdb'), options: OpenOptions): Store {
  const { path, durability } = options;
  assertFormat(path);
  assertRoom(path);
  // With overlapping sync a transaction is there for readers before it is on the disk.
  // The log gathers what belongs into one transaction by itself; and the promises that LMDB would make for an event
  // turn's batch reject unheard when the disk is full.
  const root = lmdb.open({
    path,
    // Else a folder with a dot in its name would be taken for a file.
    noSubdir: false,
    maxDbs: 24,
    overlappingSync: durability === 'relaxed',
    eventTurnBatching: false,
  });
  try {
    assertWhole(root, path);
    const store = openTables(root);
    root.transactionSync(() => {
      const others = claim(store, options);
      identify(store, options, others);
    });
    return store;
  } catch (error) {
    void root.close();
    throw error;
  }
}

/** Closes in order, with everything on the disk, which lets a relaxed log keep its epoch. */
export async function closeStore(store: Store, durability: Durability): Promise<void> {
  const { root } = store;
  const entry = [...openedHere].find(([, opened]) => opened.store === store);
  if (entry === undefined) return;
  const [folder, opened] = entry;
  opened.users -= 1;
  if (opened.users > 0) return;
  const released = await Promise.race([
    release(store, durability),
    new Promise<false>((resolve) => setTimeout(() => resolve(false), RELEASE_TIMEOUT).unref()),
  ]);
  if (!released) unreleased.add(opened.path);
  await root.close();
  openedHere.delete(folder);
}

/** Not at once: another process may be writing, or stopped while it does. */
async function release(store: Store, durability: Durability): Promise<boolean> {
  const { root, meta } = store;
  try {
    if (durability === 'relaxed') await root.flushed;
    await root.childTransaction(() => {
      if (durability === 'relaxed') meta.removeSync('relaxed-boot');
      meta.putSync('owners', ownersBut(store, isOwn));
    });
    return true;
  } catch {
    // A full disk, say. The claim ends with this process all the same, and a relaxed log begins a new epoch.
    return false;
  }
}

/**
 * One process at a time, unless all of them say that they share it. A claim of this process means that a copy of this
 * package has the log open that shares not even globals with this one.
 *
 * @returns how many others have it open.
 */
function claim(store: Store, { path, shared, settings, restored }: OpenOptions): number {
  // A copy has the claims of the time when it was made.
  const isStale = (owner: Owner): boolean => isOwn(owner) && (restored || unreleased.has(path));
  const owners = isCopy(store, path) ? [] : ownersBut(store, (owner) => !isRunning(owner) || isStale(owner));
  if (owners.some(isOwn)) throw inUse(process.pid, path);
  const [first] = owners;
  if (restored && first !== undefined) throw inUse(first.pid, path);
  const other = owners.find((owner) => !shared || !owner.shared);
  if (other !== undefined) throw inUse(other.pid, path);
  const disagrees = owners.find((owner) => owner.settings !== settings);
  if (disagrees !== undefined) throw disagreeing(disagrees.pid, path);
  store.meta.putSync('owners', [...owners, ownProcess(shared, settings)]);
  unreleased.delete(path);
  return owners.length;
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

/** With rules of its own, each process would trim and supersede events that others should keep. */
function disagreeing(pid: number, path: string): TidingsError {
  const message = `Process ${pid} has the log open with other \`retention\` or \`topics\`. Stop all that share it first.`;
  return createLogError('log/in-use', message, { details: { pid, path } });
}

/**
 * The log begins a new epoch where it may not have all that it gave out: a power failure may take the newest events of a
 * relaxed log, and a copy lacks all events after it was made. Their seqs would be given to other events, so cursors
 * beyond this log's end must not count as known.
 */
function identify(store: Store, { path, durability, restored }: OpenOptions, others: number): void {
  const { meta } = store;
  const format = meta.get('format') as number | undefined;
  if (format !== undefined && format !== FORMAT) {
    const message = `The log has format ${format}; this version reads format ${FORMAT}.`;
    throw createLogError('log/unavailable', message, { details: { format } });
  }
  const relaxedBoot = meta.get('relaxed-boot');
  const file = identityOf(path);
  const lostPower = relaxedBoot !== undefined && relaxedBoot !== bootId();
  const isOther = others === 0 && isCopy(store, path);
  if (format === undefined) meta.putSync('format', FORMAT);
  if (format === undefined || restored || lostPower || isOther) beginEpoch(store);
  if (others === 0) meta.putSync('file', file);
  if (durability === 'relaxed') meta.putSync('relaxed-boot', bootId());
  else if (relaxedBoot !== undefined) meta.removeSync('relaxed-boot');
}

/** Whether this is another file than the one that the log was in. */
function isCopy({ meta }: Store, path: string): boolean {
  return meta.get('file') !== identityOf(path);
}

function beginEpoch(store: Store): void {
  const { meta } = store;
  const before = meta.get('epoch') as string | undefined;
  if (before !== undefined)
    meta.putSync('lineage', extendLineage(lineageOf(store), before, readState(store).head));
  meta.putSync('epoch', randomUUID().replaceAll('-', '').slice(0, 16));
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
