import type { Events, LikeState, Post, PublicPost } from '../../shared/api.ts';

/** A post as the page knows it. `wanted`: the reader pressed the heart, and the server hasn't confirmed it yet. */
export interface FeedPost extends Post {
  readonly wanted?: boolean;
}

/** Newest first, each post once: a known post is replaced, but keeps the data that only the page has. */
export function upsertPost(posts: readonly FeedPost[], post: PublicPost | Post): FeedPost[] {
  const known = posts.find((other) => other.id === post.id);
  const merged: FeedPost = { liked: false, ...known, ...post };
  if (known !== undefined) return posts.map((other) => (other === known ? merged : other));
  const place = posts.findIndex((other) => other.id < post.id);
  return place === -1 ? [...posts, merged] : posts.toSpliced(place, 0, merged);
}

export function upsertPosts(posts: readonly FeedPost[], more: readonly Post[]): FeedPost[] {
  return more.reduce<FeedPost[]>(upsertPost, [...posts]);
}

export function removePost(posts: readonly FeedPost[], id: number): FeedPost[] {
  return posts.filter((post) => post.id !== id);
}

/** A like, from an event. `reader`: the id of the reader, whose own likes fill the heart. */
export function applyLike(
  posts: readonly FeedPost[],
  event: Events['post:liked'],
  reader: number | undefined,
): FeedPost[] {
  return change(posts, event.id, (post) => ({
    ...post,
    likes: event.likes,
    liked: event.userId === reader ? event.liked : post.liked,
  }));
}

/** The reader pressed the heart: shown at once, before the server answers. */
export function wantLike(posts: readonly FeedPost[], id: number, wanted: boolean): FeedPost[] {
  return change(posts, id, (post) => ({ ...post, wanted }));
}

/** The server's answer to it. */
export function confirmLike(posts: readonly FeedPost[], state: LikeState): FeedPost[] {
  return change(posts, state.id, ({ wanted: _, ...post }) => ({ ...post, ...state }));
}

/** The server refused it: back to its last figures. */
export function rollBackLike(posts: readonly FeedPost[], id: number): FeedPost[] {
  return change(posts, id, ({ wanted: _, ...post }) => post);
}

/** Another reader, or none: none of the hearts is theirs until the posts are loaded again. */
export function forgetReader(posts: readonly FeedPost[]): FeedPost[] {
  return posts.map(({ wanted: _, ...post }) => ({ ...post, liked: false }));
}

/** The heart's display: the server's figures, with the unconfirmed press counted in. */
export function shownLike(post: FeedPost): { likes: number; liked: boolean } {
  const { likes, liked, wanted } = post;
  if (wanted === undefined || wanted === liked) return { likes, liked };
  return { likes: Math.max(0, likes + (wanted ? 1 : -1)), liked: wanted };
}

function change(posts: readonly FeedPost[], id: number, update: (post: FeedPost) => FeedPost): FeedPost[] {
  return posts.map((post) => (post.id === id ? update(post) : post));
}
