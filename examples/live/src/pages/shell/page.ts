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

  startThemeButton();
  startIndicator(stream);

  /** @param early the page's own data, if they are on their way already */
  function open(plan: PagePlan, early?: Promise<string>): void {
    const { topics } = plan;
    const load = async (): Promise<string> => {
      // A second call is for a gap: it needs newer data.
      const first = early;
      early = undefined;
      const ofPage = await (first ?? plan.load?.());
      // The page's answer came first, so its cursor is the older of the two: nothing of either list is missed.
      const ofBell = await bell.load();
      const cursor = ofPage ?? ofBell;
      if (cursor === undefined) throw new Error('Nothing that has a cursor was loaded.');
      return cursor;
    };
    const loads = plan.load !== undefined || account.user() !== null;
    if (!loads) void bell.load();
    stream.open({ topics: [...topics, ...bell.topics()], load: loads ? load : undefined });
  }

  function userChanged(plan: PagePlan, why: AccountChange): void {
    menu.show();
    plan.userChanged?.();
    open(plan);
    if (why !== 'ended') return;
    showToast('Your session has ended.', {
      stay: true,
      action: { label: 'Sign in', run: () => signIn.open() },
    });
  }

  async function begin(plan: PagePlan): Promise<void> {
    const early = plan.load?.();
    // Its failure is dealt with where it is awaited.
    early?.catch(() => undefined);
    await account.refresh();
    menu.show();
    plan.userChanged?.();
    open(plan, early);
  }

  return {
    stream,
    account,
    signIn,
    start(plan) {
      account.onChange((why) => userChanged(plan, why));
      // The session is over, or belongs to somebody else now; if not, the refusal stands.
      stream.onRefused(() => {
        account.refresh().catch((error: unknown) => showToast(words(error), { tone: 'bad' }));
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
