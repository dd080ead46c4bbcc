import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { Post, PostList } from '../../shared/api.ts';
import { ask } from '../lib/http.ts';

/** @param session see `Account`: whether a reader likes a post depends on who they are */
export function fetchPosts(session: AbortSignal, before?: number, limit?: number): Promise<PostList> {
  const query = new URLSearchParams();
  if (before !== undefined) query.set('before', String(before));
  if (limit !== undefined) query.set('limit', String(limit));
  return ask<PostList>('GET', `${ROUTES.posts}?${query.toString()}`, undefined, session);
}

export function fetchPost(session: AbortSignal, id: number): Promise<Post> {
  return ask<Post>('GET', `${ROUTES.posts}/${id}`, undefined, session);
}

/**
 * The newest posts, down to `oldest` if given: everything a page has fetched so far, fetched again. The cursor is the
 * first answer's, which covers events between two answers.
 */
export async function fetchPostsDownTo(session: AbortSignal, oldest: number | undefined): Promise<PostList> {
  const first = await fetchPosts(session, undefined, oldest === undefined ? undefined : LIMITS.pageSizeMax);
  const posts = [...first.posts];
  let { next } = first;
  while (oldest !== undefined && next !== null && next > oldest) {
    const more = await fetchPosts(session, next, LIMITS.pageSizeMax);
    posts.push(...more.posts);
    next = more.next;
  }
  return { cursor: first.cursor, posts, next };
}
