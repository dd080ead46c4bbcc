// What a server sends: the same app, as text.
import { renderToString } from 'react-dom/server';
import { App } from './app.tsx';

export const html = (names: readonly string[]): string => renderToString(<App names={names} />);
