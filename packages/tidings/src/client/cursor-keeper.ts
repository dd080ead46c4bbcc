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
  let cursor = use((items, name) => items.getItem(name)) ?? initial;
  let saved = cursor;

  function use<T>(does: (items: CursorStorage, name: string) => T): T | undefined {
    try {
      return key === undefined ? undefined : storage && does(storage, key);
    } catch {
      // Full or forbidden: this page keeps its cursor in memory, and a reload starts as a new visit would.
      return undefined;
    }
  }

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
      use((items, name) => (cursor === undefined ? items.removeItem(name) : items.setItem(name, cursor)));
    },
  };
}
