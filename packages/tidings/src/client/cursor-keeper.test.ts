import { describe, expect, it, vi } from 'vitest';
import { createCursorKeeper } from './cursor-keeper.ts';
import type { CursorStorage } from './environment.ts';

function createStorage(): CursorStorage & { readonly items: Map<string, string> } {
  const items = new Map<string, string>();
  return {
    items,
    getItem: (key) => items.get(key) ?? null,
    setItem: vi.fn((key: string, value: string) => void items.set(key, value)),
    removeItem: (key) => void items.delete(key),
  };
}

describe('a cursor', () => {
  it('begins where the app says, and moves', () => {
    const keeper = createCursorKeeper('a.1', undefined);
    expect(keeper.cursor).toBe('a.1');
    keeper.move('a.2');
    expect(keeper.cursor).toBe('a.2');
    keeper.move('');
    expect(keeper.cursor).toBeUndefined();
  });

  it('survives a reload under its key, and then wins over the cursor of a new visit', () => {
    const storage = createStorage();
    const before = createCursorKeeper('earliest', 'feed', storage);
    before.move('a.7');
    before.save();
    expect(createCursorKeeper('earliest', 'feed', storage).cursor).toBe('a.7');
    expect(createCursorKeeper('earliest', 'other', storage).cursor).toBe('earliest');
  });

  it('is written only when it has moved, and removed once it is cleared', () => {
    const storage = createStorage();
    const keeper = createCursorKeeper(undefined, 'feed', storage);
    keeper.save();
    for (const cursor of ['a.1', 'a.2', 'a.3']) keeper.move(cursor);
    keeper.save();
    keeper.save();
    expect(storage.setItem).toHaveBeenCalledExactlyOnceWith('feed', 'a.3');
    keeper.move('');
    keeper.save();
    expect(storage.items.size).toBe(0);
  });

  it('stays in memory if the storage refuses to work', () => {
    const refuse = (): never => {
      throw new Error('QuotaExceededError');
    };
    const keeper = createCursorKeeper('a.1', 'feed', {
      getItem: refuse,
      setItem: refuse,
      removeItem: refuse,
    });
    keeper.move('a.2');
    keeper.save();
    expect(keeper.cursor).toBe('a.2');
  });

  it('stays in memory if even access to the storage throws', () => {
    vi.stubGlobal('sessionStorage', undefined);
    Object.defineProperty(globalThis, 'sessionStorage', {
      configurable: true,
      get: () => {
        throw new Error('SecurityError');
      },
    });
    const keeper = createCursorKeeper('a.1', 'feed');
    vi.unstubAllGlobals();
    keeper.move('a.2');
    keeper.save();
    expect(keeper.cursor).toBe('a.2');
  });
});
