import { type Connection, ask } from './api.ts';
import { element, keyedList, need, setCells, setText, tableRow } from './dom.ts';
import * as format from './format.ts';
import type { View } from './view.ts';

/** Rows in the table: a page that is left open must not grow. */
const LIMIT = 200;

interface Answer {
  readonly now: number;
  readonly total: number;
  readonly matching: number;
  readonly connections: readonly Connection[];
}

export function connections(refreshNow: () => void): View {
  const form = need('#connections-filter', HTMLFormElement);
  const shown = need('#connections-count', HTMLElement);
  let now = 0;
  const show = keyedList<Connection, HTMLTableRowElement>(
    need('#connection-rows', HTMLElement),
    ({ id }) => id,
    (connection) => {
      const row = tableRow('', '', 'wide', '', 'number', 'number', 'number', 'action');
      row.dataset['testid'] = 'connection';
      const button = element('button', 'button small', 'Disconnect');
      button.type = 'button';
      button.setAttribute('aria-label', `Disconnect ${nameOf(connection)}`);
      button.addEventListener('click', () => void disconnect(connection, button, refreshNow));
      row.cells[7]?.append(button);
      return row;
    },
    (row, { subject, remote, topics, topicCount, phase, lag, bytes, connectedAt }) => {
      const named = topics.map((topic) => (typeof topic === 'string' ? topic : topic.pattern)).join(', ');
      const more = topicCount > topics.length ? ` and ${topicCount - topics.length} more` : '';
      setCells(row, [
        subject ?? '–',
        remote ?? '–',
        named + more,
        phase,
        format.count(lag),
        format.bytes(bytes),
        format.age(now - connectedAt),
      ]);
      row.cells[3]?.classList.toggle('warn', phase === 'behind');
    },
  );

  form.addEventListener('input', refreshNow);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    refreshNow();
  });

  return {
    async refresh() {
      const query = new URLSearchParams({ limit: String(LIMIT) });
      for (const [name, value] of new FormData(form))
        if (typeof value === 'string' && value !== '') query.set(name, value);
      const answer = await ask<Answer>(`connections?${query}`);
      ({ now } = answer);
      show(answer.connections);
      setText(shown, countOf(answer));
    },
  };
}

export function countOf({ total, matching, connections: listed }: Omit<Answer, 'now'>): string {
  const all = `${format.count(total)} ${total === 1 ? 'stream' : 'streams'} at this server`;
  const some = matching === total ? all : `${format.count(matching)} of ${all}`;
  return listed.length < matching ? `${some}; the first ${listed.length} are listed` : some;
}

function nameOf({ subject, remote, id }: Connection): string {
  return subject ?? remote ?? id;
}

async function disconnect(
  connection: Connection,
  button: HTMLButtonElement,
  refreshNow: () => void,
): Promise<void> {
  if (
    !(await isConfirmed(`End the stream of ${nameOf(connection)}? Its client comes back unless it may not.`))
  )
    return;
  button.disabled = true;
  try {
    await ask('disconnect', { connection: connection.id });
    refreshNow();
  } catch (error) {
    button.disabled = false;
    setText(need('#notice', HTMLElement), error instanceof Error ? error.message : 'It failed.');
  }
}

function isConfirmed(question: string): Promise<boolean> {
  const dialog = need('#confirm', HTMLDialogElement);
  setText(need('#confirm-text', HTMLElement), question);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
