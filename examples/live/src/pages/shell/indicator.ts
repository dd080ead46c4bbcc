import { element, need, setAttribute, setText } from '../ui/dom.ts';
import { every } from '../ui/every.ts';
import { announce, describeStatus, statusFacts } from '../live/status.ts';
import type { Announcement } from '../live/status.ts';
import type { Stream } from '../live/stream.ts';

/** The stream's state in the top bar, with the details behind it. */
export function startIndicator(stream: Stream): void {
  const button = need(document, '.status', HTMLButtonElement);
  const label = need(button, '.status-label', HTMLElement);
  const panel = need(document, '#status-panel', HTMLElement);
  const detail = need(panel, '[data-status-detail]', HTMLElement);
  const facts = need(panel, '[data-status-facts]', HTMLElement);
  const retry = need(panel, '[data-status-retry]', HTMLButtonElement);
  const announcement = need(document, '[data-status-announcement]', HTMLElement);
  let announced: Announcement = { words: '' };

  function draw(): void {
    const now = Date.now();
    const state = stream.state();
    const text = describeStatus(state, now);
    setText(label, text.label);
    setAttribute(button, 'data-tone', text.tone);
    setAttribute(button, 'aria-label', `Event stream: ${text.label}. Show details.`);
    setText(detail, text.detail);
    // Figures without updates are shown paler, see `.live`.
    setAttribute(document.documentElement, 'data-stream', state.phase === 'open' ? 'open' : 'down');
    retry.hidden = text.tone === 'live' || text.tone === 'busy';
    if (panel.matches(':popover-open')) drawFacts(facts, statusFacts(state, now));
    announced = announce(announced, text, now);
    setText(announcement, announced.words);
  }

  retry.addEventListener('click', () => {
    stream.retry();
    draw();
  });
  panel.addEventListener('toggle', draw);
  stream.onState(draw);
  every(1000, draw);
}

function drawFacts(list: HTMLElement, facts: readonly (readonly [string, string])[]): void {
  if (list.childElementCount === 0) {
    for (const [name] of facts) list.append(element('dt', '', name), element('dd'));
  }
  const values = list.querySelectorAll('dd');
  for (const [index, [, value]] of facts.entries()) {
    const cell = values[index];
    if (cell === undefined) continue;
    setText(cell, value);
    cell.title = value;
  }
}
