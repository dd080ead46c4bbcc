import { createAccount } from '../account/account.ts';
import type { Account, AccountChange } from '../account/account.ts';
import { createBell } from '../account/bell.ts';
import { createAccountMenu } from './account-menu.ts';
import { createSignIn } from '../account/sign-in.ts';
import type { SignIn } from '../account/sign-in.ts';
import { startThemeButton } from '../ui/theme.ts';
import { showToast } from '../ui/toast.ts';
import { words } from '../lib/http.ts';
import { startIndicator } from './indicator.ts';
import { createStream } from '../live/stream.ts';
import type { Stream } from '../live/stream.ts';

/** The parts that every page has: its stream, the signed-in user, and the top bar that shows both. */
export interface Page {
  readonly stream: Stream;
  readonly account: Account;
  readonly signIn: SignIn;
  /** Starts it, once the handlers of the page's events are in place. */
  start(plan: PagePlan): void;
}

export interface PagePlan {
  readonly topics: readonly string[];
  /**
   * Fetches the data that the page shows in addition to its events; resolves to their cursor. Called at the start,
   * after a gap, and when another user signed in; events wait until it is done.
   */
  readonly load?: () => Promise<string>;
  /** Another user, or none, is signed in now. Called before `load`. */
  readonly userChanged?: () => void;
}

export function createPage(): Page {
  const stream = createStream(location.pathname);
  const account = createAccount();
  const signIn = createSignIn(account);
  const menu = createAccountMenu(account, signIn);
  const bell = createBell(account, stream);
  let loads = 0;

  startThemeButton();
  startIndicator(stream);

  async function reload(plan: PagePlan): Promise<void> {
    loads += 1;
    const mine = loads;
    const release = stream.hold();
    try {
      await Promise.all([plan.load?.(), bell.load()]);
      if (mine === loads) stream.caughtUp();
    } catch (error) {
      showToast(words(error), {
        tone: 'bad',
        stay: true,
        action: { label: 'Try again', run: () => void reload(plan) },
      });
    } finally {
      release();
    }
  }

  function userChanged(plan: PagePlan, why: AccountChange): void {
    menu.show();
    plan.userChanged?.();
    void reload(plan);
    stream.open([...plan.topics, ...bell.topics()]);
    if (why !== 'ended') return;
    showToast('Your session has ended.', {
      stay: true,
      action: { label: 'Sign in', run: () => signIn.open() },
    });
  }

  async function begin(plan: PagePlan): Promise<void> {
    const [ofPage] = await Promise.all([plan.load?.(), account.refresh()]);
    menu.show();
    plan.userChanged?.();
    const ofBell = await bell.load();
    // The page's answer came first, so its cursor is the older of the two: nothing of either list is missed.
    stream.open([...plan.topics, ...bell.topics()], ofPage ?? ofBell);
  }

  return {
    stream,
    account,
    signIn,
    start(plan) {
      account.onChange((why) => userChanged(plan, why));
      stream.onGap(() => void reload(plan));
      stream.onRefused((status) => {
        // The session is over, or belongs to somebody else now; if not, the refusal stands.
        if (status === 401 || status === 403) {
          account.refresh().catch((error: unknown) => showToast(words(error), { tone: 'bad' }));
        }
      });
      begin(plan).catch((error: unknown) => {
        showToast(words(error), {
          tone: 'bad',
          stay: true,
          action: { label: 'Reload', run: () => location.reload() },
        });
      });
    },
  };
}
