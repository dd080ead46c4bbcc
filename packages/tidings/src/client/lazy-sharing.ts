import { TidingsError } from '../protocol/tidings-error.ts';
import type { MachineDriver } from './machine-driver.ts';
import type { ClientOptions, Settings } from './options.ts';
import type { Init } from './shared/index.ts';
import type { Sharing } from './sharing.ts';
import type { Status } from './machine.ts';
import type { Wish } from './topic-progress.ts';

export type Changer = Pick<MachineDriver, 'change'>;

export interface LazySharing {
  readonly settings: Pick<Settings, 'fetch'>;
  /** Changes topics, as far as nobody else in the page is subscribed to them. */
  change(wish: Wish, driver: Changer): Promise<string>;
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
        throw new TidingsError('client/network', 'The client could not load `sharing.js`.', { cause });
      },
    ));
  return {
    settings: { fetch: async (url, init: Init) => ((await load()).stream ?? settings).fetch(url, init) },
    change: async (wish, driver) => (await load()).change(wish, driver),
    heed(status) {
      if (/paused|closed|failed/.test(status)) void loading?.then(({ stream }) => stream?.leave());
    },
  };
}
