import type { MouseEvent, ReactElement } from 'react';
import { useConnection } from 'tidings/react';
import type { ChatSummary } from '../shared/api.ts';
import { Icon, Mark } from './icons.tsx';
import { pathOf } from './route.ts';
import { useTheme } from './theme.ts';

interface Props {
  readonly chats: readonly ChatSummary[];
  readonly current: string | undefined;
  open(path: string): void;
}

export function Sidebar({ chats, current, open }: Props): ReactElement {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    // Another tab is what somebody asks for with these.
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    open(event.currentTarget.pathname);
  };
  const running = chats.filter(({ status }) => status === 'running').length;
  return (
    <div className="sidebar">
      <div className="brand">
        <Mark />
        <span>Tidings Chat</span>
      </div>
      <a className="button button-block" href="/" onClick={follow}>
        <Icon name="plus" />
        New chat
      </a>
      <nav className="chats" aria-label="Your chats">
        {chats.length === 0 ? (
          <p className="hint">Your chats are listed here, and you see in each which one is being answered.</p>
        ) : (
          <ul>
            {chats.map(({ id, title, status, updatedAt }) => (
              <li key={id}>
                <a
                  className="chat-link"
                  href={pathOf(id)}
                  aria-current={id === current ? 'page' : undefined}
                  onClick={follow}
                >
                  <span className="chat-title">{title}</span>
                  <ChatState status={status} updatedAt={updatedAt} />
                </a>
              </li>
            ))}
          </ul>
        )}
      </nav>
      <footer className="side-foot">
        <Connection running={running} />
        <ThemeButton />
      </footer>
    </div>
  );
}

function ChatState({ status, updatedAt }: Pick<ChatSummary, 'status' | 'updatedAt'>): ReactElement {
  if (status === 'running') {
    return (
      <span className="chat-state is-running">
        <Waves />
        answering
      </span>
    );
  }
  const ended = {
    done: '',
    stopped: 'stopped',
    failed: 'failed',
    abandoned: 'nobody watched',
    lost: 'cut off',
  }[status];
  const time = new Date(updatedAt);
  return (
    <span className={`chat-state${ended === '' ? '' : ' is-cut'}`}>
      {ended !== '' && `${ended} · `}
      <time dateTime={time.toISOString()}>{format(time)}</time>
    </span>
  );
}

export function Waves(): ReactElement {
  return (
    <span className="waves" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}

function format(time: Date): string {
  const isToday = time.toDateString() === new Date().toDateString();
  return isToday
    ? time.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : time.toLocaleDateString([], { day: 'numeric', month: 'short' });
}

function Connection({ running }: { readonly running: number }): ReactElement {
  const { status, reconnect } = useConnection();
  if (status === 'failed') {
    return (
      <button className="link-button" onClick={reconnect}>
        Offline. Reconnect
      </button>
    );
  }
  const isLive = status === 'open';
  const words = running === 0 ? 'Live' : running === 1 ? '1 answer running' : `${running} answers running`;
  return (
    <span className="connection" data-live={isLive} role="status">
      <i aria-hidden="true" />
      {isLive ? words : 'Reconnecting…'}
    </span>
  );
}

function ThemeButton(): ReactElement {
  const { theme, next, change } = useTheme();
  const words = { system: 'as the system', light: 'light', dark: 'dark' };
  return (
    <button
      className="icon-button"
      aria-label={`Theme: ${words[theme]}. Switch to ${words[next]}.`}
      title={`Theme: ${words[theme]}`}
      onClick={change}
    >
      <Icon name={theme} />
    </button>
  );
}
