import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { UsageError } from '../cli/command.ts';

/** At most this often, in milliseconds: a cursor that is a little old costs some events that come twice. */
const EVERY = 250;

/** A cursor that outlives the process. */
export class CursorFile {
  readonly cursor: string | undefined;
  readonly #path: string;
  #newest: string | undefined;
  #written: string | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @throws {UsageError} if the file is there but can't be read. */
  constructor(path: string) {
    this.#path = path;
    this.cursor = read(path);
    this.#written = this.cursor;
  }

  keep(cursor: string): void {
    this.#newest = cursor;
    this.#timer ??= setTimeout(() => this.write(), EVERY);
  }

  /** Writes another file first: a crash leaves the old cursor or the new one. */
  write(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#newest === undefined || this.#newest === this.#written) return;
    const next = `${this.#path}.next`;
    writeFileSync(next, `${this.#newest}\n`);
    renameSync(next, this.#path);
    this.#written = this.#newest;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`The file of --cursor-file can't be read: ${reason}`, { cause });
  }
}
