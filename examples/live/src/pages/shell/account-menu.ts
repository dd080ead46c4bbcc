import { words } from '../lib/http.ts';
import { setAvatar } from '../ui/avatar.ts';
import { need, setText } from '../ui/dom.ts';
import { showToast } from '../ui/toast.ts';
import type { Account } from '../account/account.ts';
import type { SignIn } from '../account/sign-in.ts';

export interface AccountMenu {
  show(): void;
}

/** The right end of the top bar: the sign-in button, or the user's menu. */
export function createAccountMenu(account: Account, signIn: SignIn): AccountMenu {
  const enter = need(document, '[data-sign-in]', HTMLButtonElement);
  const button = need(document, '.account', HTMLButtonElement);
  const panel = need(document, '#account-panel', HTMLElement);

  enter.addEventListener('click', () => signIn.open());
  need(panel, '[data-sign-out]', HTMLButtonElement).addEventListener('click', () => {
    panel.hidePopover();
    account.signOut().catch((error: unknown) => showToast(words(error), { tone: 'bad' }));
  });

  // A dialog gives the focus back to the button that opened it, which is gone once somebody has signed in.
  need(document, '#sign-in-dialog', HTMLDialogElement).addEventListener('close', () => {
    if (document.activeElement === document.body && !button.hidden) button.focus();
  });

  return {
    show() {
      const user = account.user();
      // Signing out hides the focused button.
      const left = user === null && document.activeElement === button;
      enter.hidden = user !== null;
      button.hidden = user === null;
      if (left) enter.focus();
      if (user === null) return;
      setAvatar(need(button, '.avatar', HTMLElement), user.name);
      setText(need(button, '.account-name', HTMLElement), user.name);
      setText(need(panel, '[data-account-name]', HTMLElement), user.name);
    },
  };
}
