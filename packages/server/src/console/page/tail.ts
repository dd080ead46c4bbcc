import { element, keyedList, need, setText } from './dom.ts';
import { clockTime, count } from './format.ts';
import { TailBuffer } from './tail-buffer.ts';
import { type TailFrame, type TailValue, followTail } from './tail-stream.ts';
import { tailQuery } from './topics-text.ts';
import type { View } from './view.ts';

/** Events in the list: a page that is left open must not grow. */
const SHOWN = 200;

interface Shown extends TailFrame {
  readonly number: string;
}

export function tail(): View {
  const form = need('#tail-filter', HTMLFormElement);
  const pause = need('#tail-pause', HTMLButtonElement);
  const log = need('#tail-log', HTMLElement);
  const buffer = new TailBuffer<Shown>(SHOWN);
  const list = keyedList<Shown, HTMLLIElement>(
    need('#tail-events', HTMLElement),
    ({ number }) => number,
    toElement,
    () => {},
  );
  let following: AbortController | undefined;
  let state: 'closed' | 'open' | 'away' = 'closed';
  let total = 0;
  let frame: number | undefined;

  function show(): void {
    frame = undefined;
    list(buffer.shown);
    log.hidden = buffer.shown.length === 0;
    setText(need('#tail-state', HTMLElement), textOf(state, buffer.isPaused, buffer.waiting, total));
  }

  /** However many events come, the page is changed once a frame. */
  function showSoon(): void {
    frame ??= requestAnimationFrame(show);
  }

  function follow(): void {
    following?.abort();
    const { signal } = (following = new AbortController());
    // Another stream, which isn't open yet.
    state = 'closed';
    const text = new FormData(form).get('topics');
    setText(need('#tail-error', HTMLElement), '');
    void followTail(tailQuery(typeof text === 'string' ? text : ''), signal, {
      frame(received) {
        total += received.kind === 'skipped' ? (received.value.count ?? 0) : 1;
        buffer.add({ ...received, number: String(total) });
        showSoon();
      },
      state(next) {
        state = next;
        showSoon();
      },
      refused(error) {
        state = 'closed';
        setText(need('#tail-error', HTMLElement), error.message);
        showSoon();
      },
    });
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    buffer.clear();
    follow();
    showSoon();
  });
  pause.addEventListener('click', () => {
    if (buffer.isPaused) buffer.resume();
    else buffer.pause();
    pause.setAttribute('aria-pressed', String(buffer.isPaused));
    setText(pause, buffer.isPaused ? 'Resume' : 'Pause');
    showSoon();
  });
  need('#tail-clear', HTMLButtonElement).addEventListener('click', () => {
    buffer.clear();
    showSoon();
  });

  return {
    open: follow,
    leave() {
      following?.abort();
      state = 'closed';
    },
  };
}

export function textOf(
  state: 'closed' | 'open' | 'away',
  isPaused: boolean,
  waiting: number,
  total: number,
): string {
  if (state === 'closed') return '';
  if (state === 'away')
    return 'The stream broke off. It goes on after the last event as soon as the server answers.';
  if (isPaused) return `Paused; ${count(waiting)} more came.`;
  return total === 0 ? 'Following. Nothing has been published yet.' : `Following. ${count(total)} so far.`;
}

function toElement({ kind, value }: Shown): HTMLLIElement {
  const item = element('li');
  item.dataset['kind'] = kind;
  item.dataset['testid'] = 'event';
  if (kind === 'skipped') item.textContent = `${count(value.count ?? 0)} more came too fast to show.`;
  else if (kind === 'gap')
    item.textContent = 'Some events are gone: retention took them before they could be read.';
  else item.append(headOf(value), element('pre', '', dataOf(value)));
  return item;
}

function headOf({
  topics = [],
  type = 'message',
  time = 0,
  key,
  private: isPrivate,
  traceId,
}: TailValue): HTMLElement {
  const head = element('p', 'head');
  head.append(element('span', 'mono', clockTime(time)), element('span', 'topic', topics.join(' ')));
  if (type !== 'message') head.append(element('span', '', `type ${type}`));
  if (key !== undefined) head.append(element('span', '', `key ${key}`));
  if (isPrivate === true) head.append(element('span', '', 'private'));
  if (traceId !== undefined) head.append(element('span', 'mono', `trace ${traceId}`));
  return head;
}

function dataOf({ data = '', length, tombstone }: TailValue): string {
  if (tombstone === true) return '(deleted)';
  return length === undefined ? data : `${data}…  (${count(length)} characters)`;
}
