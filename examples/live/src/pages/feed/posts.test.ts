import { describe, expect, test } from 'vitest';
import type { Post } from '../../shared/api.ts';
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

const READER = 7;

function post(id: number, more: Partial<Post> = {}): Post {
  return {
    id,
    author: { id: 1, name: 'ada' },
    text: `post ${id}`,
    createdAt: id,
    likes: 0,
    liked: false,
    ...more,
  };
}

function ids(posts: readonly FeedPost[]): number[] {
  return posts.map(({ id }) => id);
}

function shown(posts: readonly FeedPost[], id: number): { likes: number; liked: boolean } | undefined {
  const found = posts.find((other) => other.id === id);
  return found && shownLike(found);
}

describe('the list of posts', () => {
  test('is newest first, in any order of arrival', () => {
    expect(ids(upsertPosts([], [post(2), post(9), post(4)]))).toEqual([9, 4, 2]);
  });

  test('shows a repeated post once', () => {
    expect(ids(upsertPost([post(3)], post(3)))).toEqual([3]);
  });

  test('keeps data from the reader’s own answer when the public event follows', () => {
    const { liked: _, ...told } = post(3, { likes: 4 });
    expect(upsertPost([post(3, { likes: 1, liked: true })], told)).toEqual([
      post(3, { likes: 4, liked: true }),
    ]);
  });

  test('a post removed is gone, and removing it again does nothing', () => {
    expect(ids(removePost(removePost([post(3), post(2)], 3), 3))).toEqual([2]);
  });
});

describe('likes', () => {
  test('show the reader’s wish at once', () => {
    const list = wantLike([post(1, { likes: 2 })], 1, true);
    expect(shown(list, 1)).toEqual({ likes: 3, liked: true });
  });

  test('go back to the server’s last figures when it refuses', () => {
    let list: readonly FeedPost[] = wantLike([post(1, { likes: 2 })], 1, true);
    list = applyLike(list, { id: 1, likes: 5, userId: 9, liked: true }, READER);
    expect(shown(list, 1)).toEqual({ likes: 6, liked: true });
    expect(shown(rollBackLike(list, 1), 1)).toEqual({ likes: 5, liked: false });
  });

  test('are not counted twice when the event comes before the answer', () => {
    let list: readonly FeedPost[] = wantLike([post(1, { likes: 2 })], 1, true);
    list = applyLike(list, { id: 1, likes: 3, userId: READER, liked: true }, READER);
    expect(shown(list, 1)).toEqual({ likes: 3, liked: true });
    list = confirmLike(list, { id: 1, likes: 3, liked: true });
    expect(shown(list, 1)).toEqual({ likes: 3, liked: true });
    expect(list[0]).not.toHaveProperty('wanted');
  });

  test('of a reader who has left are nobody’s', () => {
    const list = forgetReader(wantLike([post(1, { likes: 2, liked: true }), post(2)], 2, true));
    expect([shown(list, 1), shown(list, 2)]).toEqual([
      { likes: 2, liked: false },
      { likes: 0, liked: false },
    ]);
  });

  test('of another user change the count, not the reader’s heart', () => {
    const list = applyLike([post(1)], { id: 1, likes: 1, userId: 9, liked: true }, READER);
    expect(shown(list, 1)).toEqual({ likes: 1, liked: false });
  });

  test('of the reader in another tab fill the heart here', () => {
    const list = applyLike([post(1)], { id: 1, likes: 1, userId: READER, liked: true }, READER);
    expect(shown(list, 1)).toEqual({ likes: 1, liked: true });
  });
});
