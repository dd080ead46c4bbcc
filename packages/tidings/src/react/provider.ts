import {
  createContext,
  createElement,
  type ReactElement,
  type ReactNode,
  useContext,
  useEffect,
  useMemo,
  useRef,
} from 'react';
import { connect as connectAlone } from '../client/client.ts';
import type { EventClient } from '../client/event-client.ts';
import type { ClientOptions } from '../client/options.ts';
import { systemTimers } from '../client/timers.ts';
import { streamUrl } from '../client/url.ts';
import type { Matcher } from '../protocol/matcher.ts';
import {
  aFunction,
  anObjectWith,
  type Checks,
  checkOptions,
  either,
  type OptionError,
} from '../protocol/options.ts';
import { TidingsError } from '../protocol/tidings-error.ts';
import type { Opener } from './connection.ts';
import { createStore, type Store } from './store.ts';

export interface TidingsProviderProps {
  /** Where the stream is. Another URL begins anew. */
  readonly url?: string | URL | undefined;
  /**
   * The options of `connect`, except topics, which come from the hooks. They are read when a connection opens; so a new object
   * with every render does no harm, and changes nothing.
   */
  readonly options?: Omit<ClientOptions, 'topics'> | undefined;
  /** Opens the connection. Default: `connect` of `tidings/client`. */
  readonly connect?: ((url: string | URL, options: ClientOptions) => EventClient) | undefined;
  /**
   * A client of your own, instead of a URL: it stays open when the provider goes. Hooks add topics to it and drop those they
   * added: don't let them use topics that your client has to keep.
   */
  readonly client?: EventClient | undefined;
  /** Gets what fails for good: a connection with wrong options, topics that the server refuses. Default: `console.error`. */
  readonly onError?: ((error: TidingsError) => void) | undefined;
  readonly children?: ReactNode;
}

const invalid: OptionError = (option, message, value) =>
  new TidingsError('client/invalid-option', message, { details: { option, value } });

export const PROVIDER_PROPS: Checks<Omit<TidingsProviderProps, 'children'>> = {
  url: either(
    { expected: 'a URL', accepts: (value) => typeof value === 'string' },
    anObjectWith('a URL', 'href'),
  ),
  options: {
    expected: 'options of connect',
    accepts: (value) => typeof value === 'object' && value !== null,
  },
  connect: aFunction,
  client: anObjectWith('a client', 'on', 'subscribe'),
  onError: aFunction,
};

const Context = createContext<Store | undefined>(undefined);

/**
 * One connection for all components below: it opens when the first of them wants something, asks for the topics they
 * want together, and closes when none wants any.
 */
export function TidingsProvider(props: TidingsProviderProps): ReactElement {
  const { children, ...given } = props;
  checkOptions(given, PROVIDER_PROPS, '', invalid);
  const { client } = given;
  const url = given.url === undefined ? undefined : String(given.url);
  if ((url === undefined) === (client === undefined)) {
    throw invalid('url', 'A TidingsProvider takes either a `url` or a `client`.');
  }
  const latest = useRef<TidingsProviderProps>(given);
  useEffect(() => {
    latest.current = given;
  });
  const store = useMemo(
    () => createStore(client === undefined ? opens(url ?? '', latest) : lends(client, latest), systemTimers),
    [client, url],
  );
  useEffect(() => store.connection.start(), [store]);
  return createElement(Context.Provider, { value: store }, children);
}

type Latest = { readonly current: TidingsProviderProps };

function opens(url: string, latest: Latest): Opener {
  /** The page was rendered with it, so it is for the first connection alone. */
  let used = false;
  return {
    owned: true,
    open(topics: readonly Matcher[], cursor) {
      const { options = {}, connect = connectAlone } = latest.current;
      const begin = cursor ?? (used ? undefined : options.cursor);
      used = true;
      return connect(url, { ...options, topics, cursor: begin });
    },
    openOnce(topics) {
      const { headers, credentials, fetch, environment, cursorIn } = latest.current.options ?? {};
      return connectAlone(streamUrl(url, [['wait', '0']]), {
        topics,
        headers,
        credentials,
        fetch,
        environment,
        cursorIn,
        longPoll: 'never',
        retry: { attempts: 5 },
      });
    },
    onError: (error) => report(error, latest),
  };
}

function lends(client: EventClient, latest: Latest): Opener {
  return { owned: false, open: () => client, onError: (error) => report(error, latest) };
}

function report(error: TidingsError, { current }: Latest): void {
  (current.onError ?? console.error)(error);
}

/** @throws {TidingsError} `client/invalid-option` outside of a provider. */
export function useStore(): Store {
  const store = useContext(Context);
  if (store !== undefined) return store;
  throw invalid('provider', 'This hook works inside a <TidingsProvider>.');
}
