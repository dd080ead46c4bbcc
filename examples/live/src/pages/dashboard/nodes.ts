import type { NodeFigures } from '../../shared/api.ts';
import { formatCount, formatRate } from '../lib/format.ts';
import { formatAge } from '../lib/time.ts';
import { element, keyedList, need, setText } from '../ui/dom.ts';

export interface NodesTable {
  /** @param now by the server's clock */
  draw(nodes: readonly NodeFigures[], here: string, now: number): void;
}

/** The processes that serve the app, if there are several. */
export function createNodesTable(section: HTMLElement): NodesTable {
  const sum = need(section, '[data-nodes-sum]', HTMLElement);
  let [here, now] = ['', 0];
  const list = keyedList<NodeFigures, HTMLElement>(
    need(section, '[data-nodes]', HTMLElement),
    (node) => node.id,
    createRow,
    (row, node) => updateRow(row, node, here, now),
  );

  return {
    draw(nodes, name, at) {
      section.hidden = nodes.length < 2;
      [here, now] = [name, at];
      // In an order that is the same on every page.
      list.show(nodes.toSorted((left, right) => (left.name < right.name ? -1 : 1)));
      const connections = nodes.reduce((total, node) => total + node.connections, 0);
      setText(sum, `${nodes.length} processes, ${formatCount(connections, true)} streams, one log`);
    },
  };
}

function createRow(node: NodeFigures): HTMLElement {
  const row = element('tr');
  row.dataset['testid'] = 'node';
  row.dataset['node'] = node.name;
  const name = element('th');
  name.scope = 'row';
  const badge = element('span', 'badge badge-own', 'this page');
  name.append(`${node.name} `, badge);
  const cells = ['streams', 'published', 'delivered', 'age'].map((kind) => {
    const cell = element('td', 'number');
    cell.dataset['cell'] = kind;
    return cell;
  });
  row.append(name, ...cells);
  return row;
}

function updateRow(row: HTMLElement, node: NodeFigures, here: string, now: number): void {
  const cell = (kind: string): HTMLElement => need(row, `[data-cell=${kind}]`, HTMLElement);
  need(row, '.badge', HTMLElement).hidden = node.name !== here;
  setText(cell('streams'), formatCount(node.connections, true));
  setText(cell('published'), formatRate(node.publishedPerSecond));
  setText(cell('delivered'), formatRate(node.deliveredPerSecond));
  setText(cell('age'), formatAge(now - node.startedAt));
}
