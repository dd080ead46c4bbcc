// The same app rendered to text, as a server sends it.
import { renderToString } from 'react-dom/server';
import { App } from './app.tsx';

export const html = (names: readonly string[]): string => renderToString(<App names={names} />);
