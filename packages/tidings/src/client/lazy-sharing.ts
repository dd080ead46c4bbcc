import { TidingsError } from '../protocol/tidings-error.ts';
import type { ClientOptions, Settings } from './options.ts';
import type { SharedStream } from './shared/index.ts';
import type { Status } from './machine.ts';
import type { Fetch } from './web.ts';

export interface LazySharing {
  readonly fetch: Fetch;
  /** The client has another status. */
  heed(status: Status): void;
}

/** The part of the client that shares a stream is loaded with the first request. */
export function shareLater(settings: Settings, options: ClientOptions): LazySharing {
  let loading: Promise<SharedStream | undefined> | undefined;
  const load = (): Promise<SharedStream | undefined> =>
    (loading ??= import('./sharing.ts').then(
      ({ share }) => share(settings, options),
      (cause: unknown) => {
        loading = undefined;
        const message = 'The part of the client that shares a stream could not be loaded.';
        throw new TidingsError('client/network', message, { cause });
      },
    ));
  return {
    fetch: async (url, init) => (await load())?.fetch(url, init) ?? settings.fetch(url, init),
    heed(status) {
      if (status !== 'paused' && status !== 'closed' && status !== 'failed') return;
      void loading?.then((stream) => stream?.leave());
    },
  };
}
