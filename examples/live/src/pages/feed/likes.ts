import { ROUTES } from '../../shared/api.ts';
import type { LikeState } from '../../shared/api.ts';
import { ask } from '../lib/http.ts';

export interface Likes {
  /** Sends the reader's wish to the server; a change of mind is sent after the answer. */
  send(id: number, wanted: boolean): void;
}

export interface LikesOptions {
  /** As in `Account`. */
  readonly session: () => AbortSignal;
  /** The server's answer, once it agrees with the reader's wish. */
  readonly confirmed: (state: LikeState) => void;
  readonly failed: (id: number, error: unknown) => void;
}

/** One request per post at a time: the last of several quick presses decides. */
export function createLikes(options: LikesOptions): Likes {
  let session = options.session();
  let wishes = new Map<number, boolean>();

  async function fulfil(id: number): Promise<void> {
    const [signal, pressed] = [session, wishes];
    try {
      for (;;) {
        const wanted = pressed.get(id) ?? false;
        const state = await ask<LikeState>(wanted ? 'PUT' : 'DELETE', `${ROUTES.posts}/${id}/like`);
        if (signal.aborted) return;
        if (pressed.get(id) === wanted) return options.confirmed(state);
      }
    } catch (error) {
      if (!signal.aborted) options.failed(id, error);
    } finally {
      pressed.delete(id);
    }
  }

  return {
    send(id, wanted) {
      if (session.aborted) {
        session = options.session();
        wishes = new Map();
      }
      const running = wishes.has(id);
      wishes.set(id, wanted);
      if (!running) void fulfil(id);
    },
  };
}
