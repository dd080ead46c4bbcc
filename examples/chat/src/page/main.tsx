// First: it has to be there before anything makes a check.
import './no-eval.ts';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { TidingsProvider } from 'tidings/react';
import type { Me } from '../shared/api.ts';
import { App } from './app.tsx';
import './styles/site.css';

/** All tabs of the browser share one stream for the list of chats: HTTP/1.1 has no more than six connections. */
const STREAM = { shared: true };

async function start(): Promise<void> {
  const response = await fetch('/api/me');
  const me = (await response.json()) as Me;
  const root = createRoot(document.querySelector('#root') as Element);
  root.render(
    <StrictMode>
      <TidingsProvider url="/events" options={STREAM}>
        <App me={me} />
      </TidingsProvider>
    </StrictMode>,
  );
}

void start();
