import { TidingsError } from '../protocol/tidings-error.ts';
import type { CountedChange } from './counts.ts';
import type { ClientOptions } from './options.ts';
import type { Settings } from './settings.ts';
import type { Init, SharedStream } from './shared/index.ts';
import type { Status } from './machine.ts';

export interface LazySharing {
  readonly settings: Pick<Settings, 'fetch'>;
  readonly change: CountedChange;
  /** The client has another status. */
  heed(status: Status): void;
}

/**
 * The part of the client that shares a stream is loaded with the first request. If it can't be, as when a deployment has
 * removed it, the client has a stream of its own: browsers don't ask for such a file again.
 */
export function shareLater(settings: Settings, options: ClientOptions): LazySharing {
  let loading: Promise<SharedStream | undefined> | undefined;
  let counting: Promise<CountedChange> | undefined;
  const load = (): Promise<SharedStream | undefined> =>
    (loading ??= import('./sharing.ts')
      .then(({ openStream }) => openStream(settings, options))
      .catch(() => undefined));
  const count = (): Promise<CountedChange> =>
    (counting ??= import('./counts.ts').then(
      ({ countedChanges }) => countedChanges(settings),
      (cause: unknown) => {
        counting = undefined;
        throw new TidingsError('client/network', 'The client could not load `counts.js`.', { cause });
      },
    ));
  return {
    settings: { fetch: async (url, init: Init) => ((await load()) ?? settings).fetch(url, init) },
    change: async (wish, driver) => (await count())(wish, driver),
    heed(status) {
      if (/paused|closed|failed/.test(status)) void loading?.then((stream) => stream?.leave());
    },
  };
}
