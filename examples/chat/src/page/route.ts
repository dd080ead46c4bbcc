import { useCallback, useSyncExternalStore } from 'react';

const CHAT_PATH = /^\/c\/([0-9a-f-]{36})$/;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  addEventListener('popstate', listener);
  return () => {
    listeners.delete(listener);
    removeEventListener('popstate', listener);
  };
}

export const pathOf = (chat: string): string => `/c/${chat}`;

/** The chat in the address bar; undefined at the start page. */
export function useRoute(): { readonly chat: string | undefined; go(path: string): void } {
  const path = useSyncExternalStore(subscribe, () => location.pathname);
  const go = useCallback((to: string) => {
    if (to !== location.pathname) history.pushState(null, '', to);
    for (const listener of listeners) listener();
  }, []);
  return { chat: CHAT_PATH.exec(path)?.[1], go };
}
