import { METRIC_NAMES, summarize } from '../lib/history.ts';
import { UNKNOWN } from '../lib/format.ts';
import { formatAge } from '../lib/time.ts';
import { element, need, setText } from '../ui/dom.ts';
import type { TimeSpan } from '../ui/time-chart.ts';
import { FIGURES } from './figures.ts';
import type { MetricsState } from './metrics.ts';

export interface FiguresTable {
  draw(state: MetricsState, span: TimeSpan): void;
}

/** All figures of the charts as a table, kept up to date while it is open. */
export function createFiguresTable(details: HTMLDetailsElement): FiguresTable {
  const body = need(details, '[data-figures-body]', HTMLElement);
  const caption = need(details, '[data-figures-caption]', HTMLElement);
  const rows = METRIC_NAMES.map((name) => {
    const row = element('tr');
    const head = element('th', '', FIGURES[name].label);
    head.scope = 'row';
    const cells = [0, 1, 2, 3].map(() => element('td', 'number'));
    row.append(head, ...cells);
    body.append(row);
    return { figure: FIGURES[name], cells };
  });

  return {
    draw(state, span) {
      if (!details.open) return;
      setText(caption, `Figures of the last ${formatAge(span.to - span.from)}`);
      for (const { figure, cells } of rows) {
        const range = summarize(state.samples, figure.name, span.from);
        const values = [state.metrics[figure.name], range?.min, range?.mean, range?.max];
        for (const [index, cell] of cells.entries()) {
          const value = values[index];
          setText(cell, value === undefined ? UNKNOWN : figure.format(value));
        }
      }
    },
  };
}
