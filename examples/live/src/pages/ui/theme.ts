import { createSignal } from '../lib/signal.ts';
import { need, setAttribute, setIcon } from './dom.ts';

type Theme = 'system' | 'light' | 'dark';

// `theme.js` reads the same key before the first paint.
const KEY = 'tidings:theme';
const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' };
const changes = createSignal<[]>();

/** Called when the colours changed, by the button or by the system. */
export const onThemeChange: (listener: () => void) => void = changes.add;

/** The button in the top bar: the system's colours, light, dark. */
export function startThemeButton(): void {
  const button = need(document, '[data-theme-button]', HTMLButtonElement);
  const system = matchMedia('(prefers-color-scheme: dark)');
  show(button);
  button.addEventListener('click', () => {
    remember(NEXT[current()]);
    show(button);
    changes.tell();
  });
  system.addEventListener('change', () => changes.tell());
}

function current(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  return chosen === 'light' || chosen === 'dark' ? chosen : 'system';
}

function remember(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // Storage is forbidden here: the choice lasts as long as the page.
  }
}

function show(button: HTMLButtonElement): void {
  const theme = current();
  const words = { system: 'as the system', light: 'light', dark: 'dark' }[theme];
  setAttribute(button, 'aria-label', `Theme: ${words}. Switch to ${NEXT[theme]}.`);
  setAttribute(button, 'title', `Theme: ${words}`);
  setIcon(button, `theme-${theme}`);
}
