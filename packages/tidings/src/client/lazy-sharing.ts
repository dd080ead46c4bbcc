import { loadPart } from './load-part.ts';
import type { ClientOptions } from './options.ts';
import type { Settings } from './settings.ts';
import type { Init, SharedStream } from './shared/index.ts';
import type { Status } from './machine.ts';

export interface LazySharing extends Pick<Settings, 'fetch'> {
  /** The client has another status. */
  heed(status: Status): void;
}

/**
 * The part of the client that shares a stream is loaded with the first request. If it can't be, as when a deployment has
 * removed it, the client has a stream of its own: browsers don't ask for such a file again.
 */
export function shareLater(settings: Settings, options: ClientOptions): LazySharing {
  let loading: Promise<SharedStream | undefined> | undefined;
  const load = (): Promise<SharedStream | undefined> =>
    (loading ??= loadPart(settings.timers, import('./sharing.ts'))
      .then(({ openStream }) => openStream(settings, options))
      .catch(() => undefined));
  return {
    fetch: async (url, init: Init) => ((await load()) ?? settings).fetch(url, init),
    heed(status) {
      if (/paused|closed|failed/.test(status)) void loading?.then((stream) => stream?.leave());
    },
  };
}
