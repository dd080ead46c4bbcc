import { TidingsError } from '../protocol/tidings-error.ts';
import type { Life } from './life.ts';
import type { ClientOptions, Settings } from './options.ts';
import type { Init } from './shared/index.ts';
import type { Sharing } from './sharing.ts';
import type { Status } from './machine.ts';
import type { Wish } from './topics.ts';
import type { Fetch } from './web.ts';

export interface LazySharing {
  readonly fetch: Fetch;
  /** Changes topics, as far as nobody else in the page is subscribed to them. */
  change(wish: Wish, life: Life): Promise<string>;
  /** The client has another status. */
  heed(status: Status): void;
}

/** The part of the client that shares a stream is loaded with the first request. */
export function shareLater(settings: Settings, options: ClientOptions): LazySharing {
  let loading: Promise<Sharing> | undefined;
  const load = (): Promise<Sharing> =>
    (loading ??= import('./sharing.ts').then(
      ({ share }) => share(settings, options),
      (cause: unknown) => {
        loading = undefined;
        const message = 'The part of the client that shares a stream could not be loaded.';
        throw new TidingsError('client/network', message, { cause });
      },
    ));
  return {
    async fetch(url, init: Init) {
      const { stream = settings } = await load();
      return stream.fetch(url, init);
    },
    change: async (wish, life) => (await load()).change(wish, life),
    heed(status) {
      if (status !== 'paused' && status !== 'closed' && status !== 'failed') return;
      void loading?.then(({ stream }) => stream?.leave());
    },
  };
}
