// The page of react.test.ts: components that come and go as the test says, under React 18 and 19.
import { type ReactNode, StrictMode, useState } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { connect } from 'tidings/client';
import {
  TidingsProvider,
  useConnection,
  useEvent,
  useEventReducer,
  useLatest,
  useList,
  usePresence,
  useStates,
} from 'tidings/react';

interface Item {
  readonly id: number;
}

function Latest({ type = 'cpu' }: { readonly type?: string }): ReactNode {
  return <>{useLatest<number>(type, { topics: 'load', initial: -1 })}</>;
}

function States(): ReactNode {
  const states = useStates<number>(['cpu', 'mem'], { topics: 'load' });
  return <>{JSON.stringify({ cpu: states.get('cpu'), mem: states.get('mem') })}</>;
}

function List(): ReactNode {
  const { items, loading, error } = useList<Item>('item', {
    topics: 'items',
    limit: 50,
    load: async ({ signal }) => (await fetch('/items', { signal, cache: 'no-store' })).json(),
  });
  return (
    <>
      {error instanceof Error
        ? error.message
        : `${loading ? 'loading ' : ''}${items.map(({ id }) => id).join()}`}
    </>
  );
}

function Sum(): ReactNode {
  const { state } = useEventReducer('item', (sum: number, event) => sum + event.json<Item>().id, {
    topics: 'items',
    initial: 0,
  });
  return <>{state}</>;
}

function Presence(): ReactNode {
  const presence = usePresence('room/1');
  return <>{presence?.count ?? 'nobody knows'}</>;
}

function Secret(): ReactNode {
  return <>{useLatest<string>('secret', { topics: 'secret', initial: 'hidden' })}</>;
}

function Connection(): ReactNode {
  const { status, error } = useConnection();
  return <>{`${status}${error === undefined ? '' : ` ${error.code}`}`}</>;
}

function Toasts(): ReactNode {
  const [toasts, setToasts] = useState<readonly number[]>([]);
  useEvent('item', (event) => setToasts((before) => [...before, event.json<Item>().id]), { topics: 'items' });
  return <>{toasts.join()}</>;
}

const parts: Readonly<Record<string, () => ReactNode>> = {
  latest: () => <Latest />,
  memory: () => <Latest type="mem" />,
  states: () => <States />,
  list: () => <List />,
  sum: () => <Sum />,
  presence: () => <Presence />,
  secret: () => <Secret />,
  toasts: () => <Toasts />,
};

declare global {
  /** The test's handle on the page: it sets which components there are, by unique names such as `latest-2`. */
  var show: (names: readonly string[]) => void;
  /** Whether there is a provider. */
  var provide: (there: boolean) => void;
  var client: ReturnType<typeof connect> | undefined;
}

function Page({ names: first }: { readonly names: readonly string[] }): ReactNode {
  const [names, setNames] = useState(first);
  globalThis.show = setNames;
  return (
    <>
      <p id="connection">
        <Connection />
      </p>
      {names.map((name) => (
        <p key={name} id={name} className={name.replace(/-.*/, '')}>
          {parts[name.replace(/-.*/, '')]?.()}
        </p>
      ))}
    </>
  );
}

export function App({
  names,
  own = false,
  shared = false,
}: {
  readonly names: readonly string[];
  readonly own?: boolean;
  readonly shared?: boolean;
}): ReactNode {
  const [there, setThere] = useState(true);
  globalThis.provide = setThere;
  if (own) globalThis.client ??= connect('/events?topic=mine');
  const page = <Page names={names} />;
  return (
    <StrictMode>
      {there && globalThis.client !== undefined && (
        <TidingsProvider client={globalThis.client}>{page}</TidingsProvider>
      )}
      {there && globalThis.client === undefined && (
        <TidingsProvider url="/events#a-fragment-is-not-sent" options={{ shared }} onError={() => undefined}>
          {page}
        </TidingsProvider>
      )}
    </StrictMode>
  );
}

if (typeof document !== 'undefined') {
  const query = new URLSearchParams(location.search);
  const app = <App names={query.getAll('show')} own={query.has('own')} shared={query.has('shared')} />;
  const root = document.querySelector('#root');
  if (root?.hasChildNodes() === true) hydrateRoot(root, app);
  else if (root) createRoot(root).render(app);
}
