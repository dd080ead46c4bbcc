import type { CursorStorage } from './environment.ts';

/** The cursor to resume from. With a key, it survives reloads in the browser's session storage. */
export interface CursorKeeper {
  readonly cursor: string | undefined;
  /** An empty id clears the cursor, as in the HTML standard. */
  move(cursor: string): void;
  /** Writes the last move to the storage: once for many moves, because storage is slow. */
  save(): void;
}

/** The cursor stored under `key` is where the page was, so it wins over `initial`, where a new visit begins. */
export function createCursorKeeper(
  initial: string | undefined,
  key: string | undefined,
  storage?: CursorStorage,
): CursorKeeper {
  let cursor = read(storage, key) ?? initial;
  let saved = cursor;
  return {
    get cursor() {
      return cursor;
    },
    move(to) {
      cursor = to === '' ? undefined : to;
    },
    save() {
      if (cursor === saved) return;
      saved = cursor;
      write(storage, key, cursor);
    },
  };
}

function read(storage: CursorStorage | undefined, key: string | undefined): string | undefined {
  if (storage === undefined || key === undefined) return undefined;
  try {
    return storage.getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(
  storage: CursorStorage | undefined,
  key: string | undefined,
  cursor: string | undefined,
): void {
  if (storage === undefined || key === undefined) return;
  try {
    if (cursor === undefined) storage.removeItem(key);
    else storage.setItem(key, cursor);
  } catch {
    // Full or forbidden: this page keeps its cursor in memory, and a reload starts as a new visit would.
  }
}
