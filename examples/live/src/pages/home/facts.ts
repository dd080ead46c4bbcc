import { ROUTES, TOPICS } from '../../shared/api.ts';
import { plural } from '../lib/format.ts';
import type { Stream } from '../live/stream.ts';
import { need, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';

/** The page's place in the log, and a command to follow it elsewhere. */
export function startFacts(stream: Stream): void {
  const cursor = need(document, '[data-cursor]', HTMLElement);
  const reconnects = need(document, '[data-reconnects]', HTMLElement);
  // Viewers show at once that something comes, also on a new server without posts.
  const url = `${location.origin}${ROUTES.events}?topic=${TOPICS.viewers}&topic=${TOPICS.posts}`;
  setText(need(document, '[data-command]', HTMLElement), `curl -N '${url}'`);

  function draw(): void {
    const state = stream.state();
    setText(cursor, state.cursor ?? 'none yet');
    setText(reconnects, plural(state.reconnects, 'time'));
  }

  stream.onReceipt(draw);
  stream.onState(draw);
  every(1000, draw);
}
