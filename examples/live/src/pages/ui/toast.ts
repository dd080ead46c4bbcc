import { element, fromTemplate, need } from './dom.ts';

export interface ToastOptions {
  readonly tone?: 'good' | 'bad';
  readonly action?: { readonly label: string; readonly run: () => void };
  /** Stays until it is used or dismissed, for news that is shown nowhere else. */
  readonly stay?: boolean;
}

const SHOWN = 8_000;
const AT_MOST = 4;

/** A short message in the corner, read out by screen readers when idle. @returns a function that removes it */
export function showToast(text: string, options: ToastOptions = {}): () => void {
  const toast = element('div', 'toast');
  toast.dataset['tone'] = options.tone ?? 'good';
  const body = element('div', 'toast-body');
  body.append(element('p', '', text));
  const { action } = options;
  if (action !== undefined) {
    const button = element('button', 'link-button', action.label);
    button.type = 'button';
    button.addEventListener('click', () => {
      toast.remove();
      action.run();
    });
    body.append(button);
  }
  toast.append(
    body,
    createDismissal(() => toast.remove()),
  );
  if (options.stay !== true) setTimeout(() => toast.remove(), SHOWN);
  const toasts = need(document, '.toasts', HTMLElement);
  if (toasts.childElementCount >= AT_MOST) toasts.firstElementChild?.remove();
  toasts.append(toast);
  return () => toast.remove();
}

function createDismissal(dismiss: () => void): HTMLElement {
  const button = fromTemplate('dismiss-template', HTMLButtonElement);
  button.addEventListener('click', dismiss);
  return button;
}
