import type { User } from '../../shared/api.ts';
import { plural } from '../lib/format.ts';
import { splitMentions } from '../lib/text.ts';
import { fullTime, timeAgo } from '../lib/time.ts';
import { setAvatar } from '../ui/avatar.ts';
import { element, fromTemplate, need, setAttribute, setIcon, setText } from '../ui/dom.ts';
import { shownLike } from './posts.ts';
import type { FeedPost } from './posts.ts';

export interface PostActions {
  readonly like: (id: number) => void;
  readonly remove: (id: number) => void;
}

/** A post's list item, with all that never changes about it. Its text is only ever text. */
export function createPostView(post: FeedPost, actions: PostActions): HTMLElement {
  const item = fromTemplate('post-template', HTMLElement);
  item.id = `post-${post.id}`;
  item.dataset['postId'] = String(post.id);
  setAvatar(need(item, '.avatar', HTMLElement), post.author.name);
  setText(need(item, '.post-author', HTMLElement), post.author.name);
  const link = need(item, '.post-link', HTMLAnchorElement);
  link.href = `#post-${post.id}`;
  const time = need(link, 'time', HTMLTimeElement);
  time.dateTime = new Date(post.createdAt).toISOString();
  time.title = fullTime(post.createdAt);
  need(item, '.post-text', HTMLElement).append(
    ...splitMentions(post.text, post.mentions ?? []).map((part) =>
      part.kind === 'mention' ? element('span', 'mention', part.text) : part.text,
    ),
  );
  const remove = need(item, '.post-delete', HTMLButtonElement);
  setAttribute(remove, 'aria-label', `Delete your post of ${fullTime(post.createdAt)}`);
  remove.addEventListener('click', () => actions.remove(post.id));
  need(item, '.like', HTMLButtonElement).addEventListener('click', () => actions.like(post.id));
  return item;
}

/** Updates the parts that may change: likes, the age, and the reader. */
export function updatePostView(item: HTMLElement, post: FeedPost, reader: User | null, now: number): void {
  const { likes, liked } = shownLike(post);
  const like = need(item, '.like', HTMLButtonElement);
  setText(need(like, '[data-testid=like-count]', HTMLElement), String(likes));
  setAttribute(like, 'aria-pressed', String(liked));
  setAttribute(like, 'aria-label', `Like the post of ${post.author.name}, ${plural(likes, 'like')}`);
  setIcon(need(like, '.icon', SVGElement), liked ? 'heart-full' : 'heart');
  setText(need(item, 'time', HTMLTimeElement), timeAgo(post.createdAt, now));
  need(item, '.post-delete', HTMLButtonElement).hidden = reader?.id !== post.author.id;
}
