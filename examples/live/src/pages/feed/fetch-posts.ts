import { LIMITS, ROUTES } from '../../shared/api.ts';
import type { Post, PostList } from '../../shared/api.ts';
import { ask } from '../lib/http.ts';

export function fetchPosts(before?: number, limit?: number): Promise<PostList> {
  const query = new URLSearchParams();
  if (before !== undefined) query.set('before', String(before));
  if (limit !== undefined) query.set('limit', String(limit));
  return ask<PostList>('GET', `${ROUTES.posts}?${query.toString()}`);
}

export function fetchPost(id: number): Promise<Post> {
  return ask<Post>('GET', `${ROUTES.posts}/${id}`);
}

/**
 * The newest posts, down to `oldest` if given: everything a page has fetched so far, fetched again. The cursor is the
 * first answer's, which covers events between two answers.
 */
export async function fetchPostsDownTo(oldest: number | undefined): Promise<PostList> {
  const first = await fetchPosts(undefined, oldest === undefined ? undefined : LIMITS.pageSizeMax);
  const posts = [...first.posts];
  let { next } = first;
  while (oldest !== undefined && next !== null && next > oldest) {
    const more = await fetchPosts(next, LIMITS.pageSizeMax);
    posts.push(...more.posts);
    next = more.next;
  }
  return { cursor: first.cursor, posts, next };
}
