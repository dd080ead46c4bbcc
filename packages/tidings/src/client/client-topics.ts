import type { TidingsError } from '../protocol/tidings-error.ts';
import type { ChangeHooks, ChangingTopics } from './changing-topics.ts';
import type { Settings } from './settings.ts';
import { createFixedTopics, fitsIntoUrl, type Request, type Topics } from './fixed-topics.ts';
import { loadPart } from './load-part.ts';
import type { Wish } from './topic-progress.ts';

/** The client's topics: fixed until the app first changes them. */
export interface ClientTopics {
  readonly current: Omit<Topics, 'request'>;
  request(cursor: string | undefined, whole: boolean): Request | Promise<Request>;
  /** `started` is called when the change is under way. */
  change(wish: Wish, started: () => void): Promise<string>;
  renew(): Promise<TidingsError | undefined>;
  finish(error: TidingsError): void;
}

export function createClientTopics(settings: Settings, hooks: ChangeHooks): ClientTopics {
  const fixed = createFixedTopics(settings.topics);
  let current: Topics = fixed;
  let changing: Promise<ChangingTopics> | undefined;
  let end: TidingsError | undefined;

  async function load(): Promise<ChangingTopics> {
    const { takeOver } = await loadPart(settings.timers, import('./changing-topics.ts')).catch(
      (error: unknown) => {
        changing = undefined;
        throw error;
      },
    );
    const taken = takeOver(settings, fixed.known, hooks);
    current = taken;
    if (end !== undefined) taken.finish(end);
    return taken;
  }

  const changeable = (): Promise<ChangingTopics> => (changing ??= load());

  return {
    get current() {
      return current;
    },
    request(cursor, whole) {
      const ask = (): Request => current.request(cursor, whole);
      const changes = changing !== undefined || !fitsIntoUrl(settings.topics);
      // If that part can't be loaded, a URL that is too long is better than none.
      return changes && current === fixed ? changeable().then(ask, ask) : ask();
    },
    async change(wish, started) {
      if (end !== undefined) throw end;
      return (await changeable()).change(wish, started);
    },
    renew: () =>
      changeable().then(
        (topics) => topics.renew(),
        (cause: unknown) => cause as TidingsError,
      ),
    finish(error) {
      end = error;
      current.finish(error);
    },
  };
}
