import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { NewPost, Post, User } from '../../shared/api.ts';
import { secondsUntil } from '../lib/time.ts';
import { uuid } from '../lib/uuid.ts';
import { ApiError, ask, words } from '../lib/http.ts';
import { setAvatar } from '../ui/avatar.ts';
import { need, setAttribute, setText } from '../ui/dom.ts';

export interface Composer {
  /** Shows the form to a user, and hides it from everybody else. */
  show(user: User | null): void;
}

export interface ComposerOptions {
  readonly posted: (post: Post) => void;
  /** The session was over when the post arrived. The text is kept. */
  readonly signedOut: () => void;
}

/** With this few characters left, the counter changes its colour. */
const LOW = 50;
// A text half written survives a reload of the tab, and a session that ended.
const DRAFT = 'tidings:draft';

/** The form that writes a post. */
export function createComposer(options: ComposerOptions): Composer {
  const form = need(document, '[data-composer]', HTMLFormElement);
  const text = need(form, 'textarea', HTMLTextAreaElement);
  const count = need(form, '#composer-count', HTMLElement);
  const error = need(form, '[data-composer-error]', HTMLElement);
  const submit = need(form, '[type=submit]', HTMLButtonElement);
  let sending = false;
  let blockedUntil = 0;
  let countdown: ReturnType<typeof setTimeout> | undefined;
  let key = uuid();

  function draw(): void {
    const length = text.value.trim().length;
    const left = LIMITS.postLength - length;
    const wait = secondsUntil(blockedUntil, Date.now());
    setText(count, left < 0 ? `${-left} too many` : `${left} left`);
    setAttribute(count, 'data-tone', left < 0 ? 'over' : left <= LOW ? 'low' : null);
    submit.disabled = sending || length === 0 || left < 0 || wait > 0;
    setText(submit, wait > 0 ? `Post in ${wait} s` : 'Post');
    clearTimeout(countdown);
    if (wait > 0) countdown = setTimeout(draw, 1000);
    else if (blockedUntil !== 0) {
      blockedUntil = 0;
      setText(error, '');
    }
  }

  async function send(): Promise<void> {
    if (submit.disabled) return;
    const body: NewPost = { text: text.value.trim(), key };
    sending = true;
    setText(error, '');
    draw();
    try {
      const post = await ask<Post>('POST', ROUTES.posts, body);
      text.value = '';
      key = uuid();
      keepDraft('');
      options.posted(post);
    } catch (thrown) {
      fail(thrown);
    } finally {
      sending = false;
      draw();
    }
  }

  function fail(thrown: unknown): void {
    if (thrown instanceof ApiError && thrown.status === 401) return options.signedOut();
    if (thrown instanceof ApiError && thrown.status === 429 && thrown.retryAfter !== undefined) {
      blockedUntil = Date.now() + thrown.retryAfter * 1000;
      setText(
        error,
        `That was a lot of posts. You can post again in ${thrown.retryAfter} s; your text stays here.`,
      );
      return;
    }
    const detail = thrown instanceof ApiError ? thrown.fields.map((field) => field.message).join(' ') : '';
    setText(error, detail === '' ? words(thrown) : detail);
  }

  text.addEventListener('input', () => {
    keepDraft(text.value);
    if (blockedUntil === 0) setText(error, '');
    draw();
  });
  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    void send();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    void send();
  });
  text.value = draft();
  draw();

  return {
    show(user) {
      form.hidden = user === null;
      if (user !== null) setAvatar(need(form, '.avatar', HTMLElement), user.name);
    },
  };
}

function draft(): string {
  try {
    return sessionStorage.getItem(DRAFT) ?? '';
  } catch {
    return ''; // Storage is forbidden here: drafts are not kept.
  }
}

function keepDraft(value: string): void {
  try {
    sessionStorage.setItem(DRAFT, value);
  } catch {
    // As above.
  }
}
