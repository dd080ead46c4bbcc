import { ROUTES } from '../../shared/api.ts';
import type { LikeState } from '../../shared/api.ts';
import { ask } from '../lib/http.ts';

export interface Likes {
  /** Sends the reader's wish to the server; a change of mind is sent after the answer. */
  send(id: number, wanted: boolean): void;
}

export interface LikesOptions {
  /** The server's answer, once it agrees with the reader's wish. */
  readonly confirmed: (state: LikeState) => void;
  readonly failed: (id: number, error: unknown) => void;
}

/** One request per post at a time: the last of several quick presses decides. */
export function createLikes(options: LikesOptions): Likes {
  const wishes = new Map<number, boolean>();

  async function fulfil(id: number): Promise<void> {
    try {
      for (;;) {
        const wanted = wishes.get(id) ?? false;
        const state = await ask<LikeState>(wanted ? 'PUT' : 'DELETE', `${ROUTES.posts}/${id}/like`);
        if (wishes.get(id) === wanted) return options.confirmed(state);
      }
    } catch (error) {
      options.failed(id, error);
    } finally {
      wishes.delete(id);
    }
  }

  return {
    send(id, wanted) {
      const running = wishes.has(id);
      wishes.set(id, wanted);
      if (!running) void fulfil(id);
    },
  };
}
