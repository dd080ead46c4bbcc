import { ROUTES } from '../../shared/api.ts';
import type { Credentials, SessionInfo, User } from '../../shared/api.ts';
import { createSignal } from '../lib/signal.ts';
import { ask, untilAnswered } from '../lib/http.ts';

/** Why the page's user has changed. `ended`: the session ran out, or ended in another tab. */
export type AccountChange = 'signed-in' | 'signed-out' | 'ended';

/** The user signed in on this page. */
export interface Account {
  user(): User | null;
  /** Asks the server for the signed-in user. */
  refresh(): Promise<void>;
  signIn(credentials: Credentials): Promise<void>;
  signUp(credentials: Credentials): Promise<void>;
  signOut(): Promise<void>;
  /** Aborts when another user, or none, is signed in: answers for the former user must not be shown. */
  session(): AbortSignal;
  /** Not called for the result of the first `refresh`. */
  onChange(listener: (why: AccountChange) => void): void;
}

export function createAccount(): Account {
  const changes = createSignal<[AccountChange]>();
  // Other tabs of this browser share the session's cookie.
  const tabs = new BroadcastChannel('tidings:session');
  let user: User | null | undefined;
  let leaving = false;
  let session = new AbortController();

  function set(next: User | null): void {
    const before = user;
    user = next;
    if (before === undefined || before?.id === next?.id) return;
    const why: AccountChange = next !== null ? 'signed-in' : leaving ? 'signed-out' : 'ended';
    session.abort();
    session = new AbortController();
    changes.tell(why);
  }

  async function refresh(): Promise<void> {
    const info = await untilAnswered(() => ask<SessionInfo>('GET', ROUTES.session));
    set(info.user);
  }

  async function enter(path: string, credentials: Credentials): Promise<void> {
    const info = await ask<SessionInfo>('POST', path, credentials);
    set(info.user);
    tabs.postMessage('changed');
  }

  // An unexpected answer changes nothing; the next request will tell the user.
  tabs.addEventListener('message', () => void refresh());

  return {
    user: () => user ?? null,
    refresh,
    session: () => session.signal,
    signIn: (credentials) => enter(ROUTES.session, credentials),
    signUp: (credentials) => enter(ROUTES.users, credentials),
    async signOut() {
      // The server ends the session's streams while it answers, which may be noticed before the answer is.
      leaving = true;
      try {
        await ask('DELETE', ROUTES.session);
        set(null);
        tabs.postMessage('changed');
      } finally {
        leaving = false;
      }
    },
    onChange: changes.add,
  };
}
