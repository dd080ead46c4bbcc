import { type ReactElement, useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { useStates } from 'tidings/react';
import { CHAT, type ChatSummary, type Me } from '../shared/api.ts';
import { Chat } from './chat.tsx';
import { Icon } from './icons.tsx';
import { pathOf, useRoute } from './route.ts';
import { Sidebar } from './sidebar.tsx';
import { uuid } from './uuid.ts';

export function App({ me }: { readonly me: Me }): ReactElement {
  const { chat, go } = useRoute();
  const states = useStates<ChatSummary>(CHAT, { topics: me.topic, key: 'id' });
  const chats = useMemo(() => [...states.values()].toSorted((a, b) => b.updatedAt - a.updatedAt), [states]);
  // The start page is a chat that nobody has asked anything in: it gets its name now, and its address with the first question.
  const [blank, setBlank] = useState(() => uuid());
  const id = chat ?? blank;
  const drawer = useRef<HTMLDialogElement>(null);
  const [model, setModel] = useState(me.models[0] ?? '');

  const open = useCallback(
    (path: string) => {
      drawer.current?.close();
      if (path === '/') setBlank(uuid());
      go(path);
    },
    [go],
  );
  const title = states.get(id)?.title ?? 'New chat';
  useEffect(() => {
    document.title = chat === undefined ? 'Tidings Chat' : `${title} · Tidings Chat`;
  }, [chat, title]);

  const sidebar = <Sidebar chats={chats} current={chat} open={open} />;
  return (
    <>
      <a className="skip-link" href="#question">
        Skip to your question
      </a>
      <div className="frame">
        <aside className="side">{sidebar}</aside>
        <dialog
          className="drawer"
          ref={drawer}
          aria-label="Chats"
          onClick={(event) => event.target === drawer.current && drawer.current.close()}
        >
          <button
            className="icon-button drawer-close"
            aria-label="Close"
            onClick={() => drawer.current?.close()}
          >
            <Icon name="close" />
          </button>
          {sidebar}
        </dialog>
        <main className="main">
          <header className="bar">
            <button
              className="icon-button only-phone"
              aria-label="Chats"
              onClick={() => drawer.current?.showModal()}
            >
              <Icon name="menu" />
            </button>
            <h1 className="bar-title">{title}</h1>
            {/* Browsers have a clipboard on HTTPS and localhost only. */}
            {chat !== undefined && 'clipboard' in navigator && <CopyLink />}
          </header>
          <Chat
            key={id}
            id={id}
            isNew={chat === undefined}
            summary={states.get(id)}
            models={me.models}
            model={model}
            setModel={setModel}
            onFirst={() => go(pathOf(id))}
          />
        </main>
      </div>
    </>
  );
}

/** The link alone opens the chat: that is how it gets to another device. */
function CopyLink(): ReactElement {
  const [isCopied, setCopied] = useState(false);
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(location.href);
    setCopied(true);
  };
  return (
    <button
      className="button button-small"
      title="Whoever has the link may read and ask"
      onClick={() => void copy()}
    >
      <Icon name="link" />
      <span aria-live="polite">{isCopied ? 'Copied' : 'Copy link'}</span>
    </button>
  );
}
