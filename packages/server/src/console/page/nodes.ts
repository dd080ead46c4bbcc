import { type NodeView, type WebhookView, ask } from './api.ts';
import { keyedList, need, setCells, setText, tableRow } from './dom.ts';
import * as format from './format.ts';
import type { View } from './view.ts';

/** The servers on the log. */
export function nodes(): View {
  let now = 0;
  const show = keyedList<NodeView, HTMLTableRowElement>(
    need('#node-rows', HTMLElement),
    ({ id }) => id,
    () => {
      const row = tableRow('wide', 'number', 'number', 'number', 'number', 'number', 'number', 'number');
      row.dataset['testid'] = 'node';
      return row;
    },
    (row, { id, name, startedAt, renewedAt, stats }) =>
      setCells(row, [
        nodeName(id, name),
        format.count(stats.connections - stats.inProcess),
        format.count(stats.behind),
        format.count(stats.published),
        format.count(stats.delivered),
        format.count(stats.tail.head),
        format.age(now - startedAt),
        `${format.age(now - renewedAt)} ago`,
      ]),
  );
  return {
    async refresh() {
      const answer = await ask<{ readonly now: number; readonly nodes: readonly NodeView[] }>('nodes');
      ({ now } = answer);
      show(answer.nodes);
    },
  };
}

/** A log that no other server can share has one node, of this id. */
function nodeName(id: string, name: string | undefined): string {
  if (id === 'only') return name ?? 'this server';
  return name === undefined ? id : `${name} (${id})`;
}

export function webhooks(): View {
  const show = keyedList<WebhookView & { readonly now: number }, HTMLTableRowElement>(
    need('#webhook-rows', HTMLElement),
    ({ name }) => name,
    () => tableRow('', '', 'wide', 'wide'),
    (row, hook) => {
      setCells(row, [hook.name, stateOf(hook, hook.now), hook.url, hook.events.join(', ')]);
      row.cells[1]?.classList.toggle('bad', hook.failingSince !== undefined);
    },
  );
  return {
    async refresh() {
      const answer = await ask<{ readonly now: number; readonly webhooks: readonly WebhookView[] }>(
        'webhooks',
      );
      show(answer.webhooks.map((hook) => ({ ...hook, now: answer.now })));
      const none = answer.webhooks.length === 0;
      setText(
        need('#webhooks-count', HTMLElement),
        none ? 'This server has no webhooks: see the setting webhooks.' : '',
      );
    },
  };
}

export function stateOf({ active, failingSince, lastFailure }: WebhookView, now: number): string {
  if (failingSince !== undefined)
    return `failing for ${format.age(now - failingSince)}: ${lastFailure ?? 'unknown'}`;
  return active ? 'posts from here' : 'another server posts';
}
