import { summarize } from '../lib/history.ts';
import type { Sample } from '../lib/history.ts';
import { UNKNOWN } from '../lib/format.ts';
import { clockTime } from '../lib/time.ts';
import { element, fromTemplate, need, setText } from '../ui/dom.ts';
import { createTimeChart } from '../ui/time-chart.ts';
import type { TimeSpan } from '../ui/time-chart.ts';
import { CHARTS } from './figures.ts';
import type { ChartPlan } from './figures.ts';

export interface Charts {
  draw(samples: readonly Sample[], span: TimeSpan): void;
}

export function createCharts(place: HTMLElement): Charts {
  const charts = CHARTS.map((plan) => createChart(place, plan));
  return {
    draw(samples, span) {
      const shown = samples.filter(
        (sample, row) => sample.at >= span.from || (samples[row + 1]?.at ?? 0) >= span.from,
      );
      for (const chart of charts) chart.draw(shown, span);
    },
  };
}

function createChart(place: HTMLElement, plan: ChartPlan): Charts {
  const card = fromTemplate('chart-template', HTMLElement);
  setText(need(card, '.card-title', HTMLElement), plan.title);
  const legend = need(card, '.legend', HTMLElement);
  const summary = need(card, '[data-chart-summary]', HTMLElement);
  const moment = need(card, '[data-chart-moment]', HTMLElement);
  const lines = plan.lines.map((line, index) => ({ ...line, ...createKey(legend, line.label, index + 1) }));
  place.append(card);

  let rows: readonly Sample[] = [];
  let hovered: number | undefined;
  const chart = createTimeChart(need(card, '.chart', HTMLElement), {
    series: lines.map(({ swatch }) => ({ swatch, kind: plan.kind })),
    // All lines of a chart are in the same unit.
    format: (value) => lines[0]?.figure.format(value) ?? String(value),
    floor: plan.floor,
    whole: plan.whole ?? false,
    sync: 'dashboard',
    onHover(row) {
      hovered = row;
      drawLegend();
    },
  });

  /** The figures under the pointer, else the latest. */
  function drawLegend(): void {
    const pointed = hovered === undefined ? undefined : rows[hovered];
    const sample = pointed ?? rows.at(-1);
    setText(moment, pointed === undefined ? '' : clockTime(pointed.at, true));
    for (const { figure, output } of lines) {
      setText(output, sample === undefined ? UNKNOWN : figure.format(sample.metrics[figure.name]));
    }
  }

  return {
    draw(samples, span) {
      rows = samples;
      chart.draw(
        samples.map((sample) => sample.at),
        lines.map(({ figure }) => samples.map((sample) => sample.metrics[figure.name])),
        span,
      );
      drawLegend();
      setText(summary, lines.map((line) => sentence(line, samples, span.from)).join(' '));
    },
  };
}

function createKey(
  legend: HTMLElement,
  label: string,
  index: number,
): { swatch: HTMLElement; output: HTMLElement } {
  const item = element('li');
  const swatch = element('span', `swatch swatch-${index}`);
  const output = element('span', 'legend-value', UNKNOWN);
  item.append(swatch, label, output);
  legend.append(item);
  return { swatch, output };
}

/** A description of a line, in words. */
function sentence(
  { figure, label }: ChartPlan['lines'][number],
  samples: readonly Sample[],
  from: number,
): string {
  const found = summarize(samples, figure.name, from);
  if (found === undefined) return `${label}: nothing measured.`;
  return `${label}: from ${figure.format(found.min)} to ${figure.format(found.max)}, ${figure.format(found.mean)} on average.`;
}
