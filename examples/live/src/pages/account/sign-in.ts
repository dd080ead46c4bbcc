import { LIMITS } from '../../shared/api.ts';
import { ApiError, words } from '../lib/http.ts';
import { need, setText } from '../ui/dom.ts';
import type { Account } from './account.ts';

export interface SignIn {
  /** @param note why the dialog opened, if the user did not ask for it */
  open(note?: string): void;
}

/** The dialog for signing in and signing up. */
export function createSignIn(account: Account): SignIn {
  const dialog = need(document, '#sign-in-dialog', HTMLDialogElement);
  const form = need(dialog, 'form', HTMLFormElement);
  const title = need(dialog, '#sign-in-title', HTMLElement);
  const note = need(dialog, '[data-note]', HTMLElement);
  const name = need(form, '[name=name]', HTMLInputElement);
  const password = need(form, '[name=password]', HTMLInputElement);
  const submit = need(form, '[type=submit]', HTMLButtonElement);
  const switcher = need(form, '[data-switch]', HTMLButtonElement);
  const switchText = need(form, '[data-switch-text]', HTMLElement);
  const errors = [...form.querySelectorAll<HTMLElement>('[data-error]')];
  let creating = false;

  function showMode(): void {
    const action = creating ? 'Create account' : 'Sign in';
    setText(title, creating ? 'Create an account' : 'Sign in');
    setText(submit, action);
    setText(switchText, creating ? 'Have an account?' : 'New here?');
    setText(switcher, creating ? 'Sign in instead' : 'Create an account');
    password.autocomplete = creating ? 'new-password' : 'current-password';
    for (const hint of form.querySelectorAll<HTMLElement>('[data-new-only]')) hint.hidden = !creating;
    showErrors([]);
  }

  function showErrors(found: readonly { field: string; message: string }[]): void {
    for (const place of errors) {
      const field = place.dataset['error'] ?? '';
      const known = errors.some((other) => other.dataset['error'] !== '' && other.dataset['error'] === field);
      const mine = found.filter((error) =>
        known ? error.field === field : !['name', 'password'].includes(error.field),
      );
      setText(place, mine.map((error) => error.message).join(' '));
    }
    const wrong = (input: HTMLInputElement): boolean => found.some((error) => error.field === input.name);
    for (const input of [name, password]) input.setAttribute('aria-invalid', String(wrong(input)));
    [name, password].find(wrong)?.focus();
  }

  async function send(): Promise<void> {
    const credentials = { name: name.value.trim(), password: password.value };
    const problems = check(credentials, creating);
    showErrors(problems);
    if (problems.length > 0) return;
    submit.disabled = true;
    try {
      await (creating ? account.signUp(credentials) : account.signIn(credentials));
      dialog.close();
    } catch (error) {
      const found = error instanceof ApiError && error.fields.length > 0 ? error.fields : [fromError(error)];
      showErrors(found);
    } finally {
      submit.disabled = false;
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void send();
  });
  switcher.addEventListener('click', () => {
    creating = !creating;
    showMode();
    name.focus();
  });
  need(dialog, '[data-close]', HTMLButtonElement).addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => {
    password.value = '';
    showErrors([]);
  });

  return {
    open(why) {
      if (dialog.open) return;
      setText(note, why ?? '');
      note.hidden = why === undefined;
      creating = false;
      showMode();
      dialog.showModal();
      name.focus();
    },
  };
}

function check(
  credentials: { name: string; password: string },
  creating: boolean,
): { field: string; message: string }[] {
  const { name, password } = credentials;
  const found: { field: string; message: string }[] = [];
  if (name === '') found.push({ field: 'name', message: 'Enter a name.' });
  else if (creating && (name.length < LIMITS.nameMin || name.length > LIMITS.nameMax)) {
    found.push({ field: 'name', message: `A name has ${LIMITS.nameMin} to ${LIMITS.nameMax} characters.` });
  }
  if (password === '') found.push({ field: 'password', message: 'Enter a password.' });
  else if (creating && password.length < LIMITS.passwordMin) {
    found.push({ field: 'password', message: `A password has at least ${LIMITS.passwordMin} characters.` });
  }
  return found;
}

function fromError(error: unknown): { field: string; message: string } {
  const taken = error instanceof ApiError && error.code === 'user/name-taken';
  if (error instanceof ApiError && error.status === 429 && error.retryAfter !== undefined) {
    return { field: '', message: `Too many attempts. Try again in ${error.retryAfter} s.` };
  }
  return { field: taken ? 'name' : '', message: words(error) };
}
