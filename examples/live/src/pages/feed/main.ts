import { ROUTES, TOPICS } from '../../shared/api.ts';
import type { ViewersSnapshot } from '../../shared/api.ts';
import { plural } from '../lib/format.ts';
import { applyViewers, viewersOf } from '../lib/viewers.ts';
import { ApiError, ask, untilAnswered, words } from '../lib/http.ts';
import { createPage } from '../shell/page.ts';
import { keyedList, need, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';
import { showToast } from '../ui/toast.ts';
import { createComposer } from './composer.ts';
import { confirmDelete } from './delete-dialog.ts';
import { fetchPost, fetchPosts, fetchPostsDownTo } from './fetch-posts.ts';
import { createLikes } from './likes.ts';
import { createNews } from './news.ts';
import { createPostView, updatePostView } from './post-view.ts';
import {
  applyLike,
  confirmLike,
  forgetReader,
  removePost,
  rollBackLike,
  shownLike,
  upsertPost,
  upsertPosts,
  wantLike,
} from './posts.ts';
import type { FeedPost } from './posts.ts';

const page = createPage();
const { account, signIn, stream } = page;
const container = need(document, '[data-posts]', HTMLElement);
const empty = need(document, '[data-posts-empty]', HTMLElement);
const older = need(document, '[data-older]', HTMLButtonElement);
const invitation = need(document, '[data-invitation]', HTMLElement);
const viewersNote = need(document, '[data-viewers]', HTMLElement);

let posts: readonly FeedPost[] = [];
let next: number | null = null;
/** The oldest post of the list as far as it is complete; a post that was linked to may stand alone below it. */
let oldest: number | undefined;
let scrolledTo: number | undefined;
let viewers: ViewersSnapshot | undefined;
let loaded = false;

const list = keyedList<FeedPost, HTMLElement>(
  container,
  (post) => post.id,
  (post) => createPostView(post, { like: toggleLike, remove: (id) => void remove(id) }),
  (item, post) => updatePostView(item, post, account.user(), Date.now()),
);
const news = createNews(container);
const composer = createComposer({
  posted: (post) => show(upsertPost(posts, post)),
  signedOut: () => askToSignIn('Your session has ended. Sign in to post; your text is kept.'),
});
const likes = createLikes({
  session: account.session,
  confirmed: (state) => show(confirmLike(posts, state)),
  failed(id, error) {
    show(rollBackLike(posts, id));
    tell(error, 'Your session has ended. Sign in to like posts.');
  },
});

function show(changed: readonly FeedPost[]): void {
  posts = changed;
  list.show(posts);
  empty.hidden = !loaded || posts.length > 0;
  older.hidden = next === null;
}

function askToSignIn(why: string): void {
  // The server no longer knows the session; the page has to notice before the dialog can start a new one.
  account.refresh().catch((error: unknown) => showToast(words(error), { tone: 'bad' }));
  signIn.open(why);
}

function tell(error: unknown, ifSignedOut: string): void {
  if (error instanceof ApiError && error.status === 401) askToSignIn(ifSignedOut);
  else showToast(words(error), { tone: 'bad' });
}

function toggleLike(id: number): void {
  const post = posts.find((other) => other.id === id);
  if (post === undefined) return;
  if (account.user() === null) return signIn.open('Likes need a name.');
  const wanted = !shownLike(post).liked;
  show(wantLike(posts, id, wanted));
  likes.send(id, wanted);
}

async function remove(id: number): Promise<void> {
  const post = posts.find((other) => other.id === id);
  if (post === undefined || !(await confirmDelete(post.text))) return;
  try {
    await ask('DELETE', `${ROUTES.posts}/${id}`);
  } catch (error) {
    // Somebody else's tab was faster: it is gone, as it should be.
    if (!(error instanceof ApiError && error.status === 404))
      return tell(error, 'Sign in to delete your post.');
  }
  show(removePost(posts, id));
  showToast('Post deleted.');
}

async function load(): Promise<string> {
  const answer = await fetchPostsDownTo(account.session(), oldest);
  ({ next } = answer);
  oldest = answer.posts.at(-1)?.id;
  loaded = true;
  show(upsertPosts([], answer.posts));
  container.setAttribute('aria-busy', 'false');
  void showLinked();
  return answer.cursor;
}

async function loadOlder(): Promise<void> {
  const before = next;
  if (before === null) return;
  const session = account.session();
  older.disabled = true;
  try {
    const answer = await untilAnswered(() => fetchPosts(session, before));
    ({ next } = answer);
    oldest = answer.posts.at(-1)?.id ?? oldest;
    show(upsertPosts(posts, answer.posts));
  } catch (error) {
    if (!session.aborted) showToast(words(error), { tone: 'bad' });
  } finally {
    older.disabled = false;
  }
}

/** The post that the address names, as links from notifications do, even if it is older than the list goes. */
async function showLinked(): Promise<void> {
  const id = Number(/^#post-(\d+)$/.exec(location.hash)?.[1] ?? NaN);
  if (Number.isNaN(id)) return;
  const session = account.session();
  try {
    if (!posts.some((post) => post.id === id)) show(upsertPost(posts, await fetchPost(session, id)));
  } catch (error) {
    if (session.aborted) return;
    const gone = error instanceof ApiError && error.status === 404;
    showToast(gone ? 'That post was deleted.' : words(error), { tone: 'bad' });
    return;
  }
  for (const item of container.children) item.toggleAttribute('data-linked', item.id === `post-${id}`);
  // Only once: fetching the list again must not move the reader away from where they are.
  if (scrolledTo !== id) document.querySelector(`#post-${id}`)?.scrollIntoView({ block: 'center' });
  scrolledTo = id;
}

function showViewers(told: ViewersSnapshot | undefined): void {
  viewers = told;
  const here = viewersOf(viewers, location.pathname);
  viewersNote.hidden = here === 0;
  setText(viewersNote, `${plural(here, 'person', 'people')} reading`);
}

stream.on('post', (post) => {
  const isNew = !posts.some((other) => other.id === post.id);
  show(upsertPost(posts, post));
  if (!isNew) return;
  document.querySelector(`#post-${post.id}`)?.setAttribute('data-new', '');
  if (post.author.id !== account.user()?.id) news.count();
});
stream.on('post:liked', (event) => show(applyLike(posts, event, account.user()?.id)));
stream.on('post:deleted', (event) => show(removePost(posts, event.id)));
stream.on('viewers:snapshot', showViewers);
stream.on('viewers:delta', (delta) => showViewers(applyViewers(viewers, delta)));

account.onChange(() => show(forgetReader(posts)));
older.addEventListener('click', () => void loadOlder());
addEventListener('hashchange', () => {
  scrolledTo = undefined;
  void showLinked();
});
need(invitation, '[data-join]', HTMLButtonElement).addEventListener('click', () => signIn.open());
every(20_000, () => show(posts));

page.start({
  topics: [TOPICS.posts, TOPICS.viewers],
  load,
  userChanged() {
    composer.show(account.user());
    invitation.hidden = account.user() !== null;
    show(posts);
  },
});
