import { ApiError, keepToken, tokenOf } from './api.ts';
import { connections } from './connections.ts';
import { need, setText, setTone } from './dom.ts';
import { nodes, webhooks } from './nodes.ts';
import { overview, refreshServer } from './overview.ts';
import { publish } from './publish.ts';
import { tail } from './tail.ts';
import { topics } from './topics.ts';
import type { View } from './view.ts';

/** Milliseconds between two looks at the server. */
const EVERY = 2000;

const first = overview();
const views: Readonly<Record<string, View>> = {
  overview: first,
  connections: connections(() => void refresh()),
  topics: topics(() => void refresh()),
  tail: tail(),
  publish: publish(),
  nodes: nodes(),
  webhooks: webhooks(),
};
const links = need('#views', HTMLElement);
const main = need('#main', HTMLElement);
const notice = need('#notice', HTMLElement);
const signInError = need('#sign-in-error', HTMLElement);

let current: string | undefined;
let refreshing = false;
let again = false;

/** Asks anew for the visible view: one question at a time, and once more if something changed meanwhile. */
async function refresh(): Promise<void> {
  if (current === undefined || document.hidden) return;
  again = refreshing;
  if (refreshing) return;
  refreshing = true;
  try {
    first.show(await refreshServer());
    await views[current]?.refresh?.();
    setText(notice, '');
  } catch (error) {
    fail(error);
  } finally {
    refreshing = false;
    if (again) void refresh();
  }
}

function fail(error: unknown): void {
  if (!(error instanceof ApiError)) throw error;
  if (error.status === 401 || error.status === 403) return signOut(error.message);
  setText(notice, `${error.message} Trying again; what you see may be old.`);
  const health = need('#health', HTMLElement);
  setText(health, error.status === 0 ? 'No answer' : `Answer ${error.status}`);
  setTone(health, 'bad');
}

function open(name: string): void {
  if (current === name) return;
  if (current !== undefined) views[current]?.leave?.();
  current = name;
  for (const id of Object.keys(views)) need(`section#${id}`, HTMLElement).hidden = id !== name;
  for (const link of links.querySelectorAll('a')) {
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = `${name[0]?.toUpperCase()}${name.slice(1)} – Tidings console`;
  scrollTo(0, 0);
  views[name]?.open?.();
  void refresh();
}

function openFromUrl(): void {
  const name = location.hash.slice(1);
  open(Object.hasOwn(views, name) ? name : 'overview');
}

function showSignedIn(isSignedIn: boolean): void {
  need('#sign-in', HTMLElement).hidden = isSignedIn;
  need('#sign-out', HTMLElement).hidden = !isSignedIn;
  links.hidden = !isSignedIn;
}

function signIn(): void {
  setText(signInError, '');
  showSignedIn(true);
  openFromUrl();
}

function signOut(reason = ''): void {
  if (current !== undefined) views[current]?.leave?.();
  current = undefined;
  keepToken('');
  for (const id of Object.keys(views)) need(`section#${id}`, HTMLElement).hidden = true;
  showSignedIn(false);
  setText(notice, '');
  setText(signInError, reason);
  setText(need('#health', HTMLElement), 'Signed out');
  setTone(need('#health', HTMLElement), '');
  setText(need('#server', HTMLElement), '');
  need('#token', HTMLInputElement).focus();
}

need('#sign-in-form', HTMLFormElement).addEventListener('submit', (event) => {
  event.preventDefault();
  const input = need('#token', HTMLInputElement);
  keepToken(input.value.trim());
  input.value = '';
  signIn();
});
need('#sign-out', HTMLButtonElement).addEventListener('click', () => signOut());
need('.skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener('hashchange', () => {
  if (current !== undefined) openFromUrl();
});
document.addEventListener('visibilitychange', () => void refresh());
setInterval(() => void refresh(), EVERY);

if (tokenOf() === '') signOut();
else signIn();
