import type { CursorStorage } from './environment.ts';

/** The place to resume from, kept in the browser's session storage over a reload if there is a key for it. */
export interface CursorKeeper {
  readonly cursor: string | undefined;
  /** An empty id takes the cursor away, as the HTML standard has it. */
  move(cursor: string): void;
  /** Writes the last move to the storage: once for many moves, because storage is slow. */
  save(): void;
}

/** What is stored under `key` is where the page was, so it wins over `initial`, where a new visit begins. */
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
