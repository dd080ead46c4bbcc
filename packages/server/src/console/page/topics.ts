import { type Topic, ask } from './api.ts';
import { element, keyedList, need, setCells, setText, tableRow } from './dom.ts';
import * as format from './format.ts';
import type { View } from './view.ts';

const LIMIT = 200;
/** Members that are listed by name. */
const MEMBERS = 100;

interface PresenceAnswer {
  readonly topic: string;
  readonly count: number;
  readonly members: readonly { readonly id: string }[];
}

export function topics(refreshNow: () => void): View {
  const form = need('#topics-filter', HTMLFormElement);
  const presence = need('#presence', HTMLElement);
  let looked: string | undefined;
  const show = keyedList<Topic, HTMLTableRowElement>(
    need('#topic-rows', HTMLElement),
    ({ topic, pattern }) => topic ?? `\n${pattern}`,
    ({ topic }) => {
      const row = tableRow('wide', 'number', 'action');
      row.dataset['testid'] = 'topic';
      if (topic === undefined) return row;
      const button = element('button', 'button small', 'Presence');
      button.type = 'button';
      button.setAttribute('aria-label', `Presence on ${topic}`);
      button.addEventListener('click', () => {
        looked = topic;
        refreshNow();
      });
      row.cells[2]?.append(button);
      return row;
    },
    (row, { topic, pattern, connections }) =>
      setCells(row, [topic ?? `pattern ${pattern}`, format.count(connections)]),
  );
  const showMembers = keyedList<string, HTMLLIElement>(
    need('#presence-members', HTMLElement),
    (id) => id,
    (id) => element('li', '', id),
    () => {},
  );

  form.addEventListener('input', refreshNow);
  form.addEventListener('submit', (event) => event.preventDefault());

  async function refreshPresence(topic: string): Promise<void> {
    const { count, members } = await ask<PresenceAnswer>(`presence?${new URLSearchParams({ topic })}`);
    presence.hidden = false;
    setText(need('#presence-title', HTMLElement), `Presence on ${topic}`);
    const unnamed = count > members.length ? '; the rule for presence lists no more by name' : '';
    setText(
      need('#presence-count', HTMLElement),
      `${count === 1 ? '1 member' : `${format.count(count)} members`}${unnamed}`,
    );
    showMembers([...new Set(members.slice(0, MEMBERS).map(({ id }) => id))]);
  }

  return {
    async refresh() {
      const q = new FormData(form).get('q');
      const query = new URLSearchParams({ limit: String(LIMIT), q: typeof q === 'string' ? q : '' });
      const answer = await ask<{ readonly total: number; readonly topics: readonly Topic[] }>(
        `topics?${query}`,
      );
      show(answer.topics);
      const more =
        answer.total > answer.topics.length
          ? `; the ${answer.topics.length} with most streams are listed`
          : '';
      setText(need('#topics-count', HTMLElement), `${format.count(answer.total)} topics and patterns${more}`);
      if (looked !== undefined) await refreshPresence(looked);
    },
  };
}
