import uPlot from 'uplot';
import { clockTime } from '../lib/time.ts';
import { onThemeChange } from './theme.ts';

export interface ChartSeries {
  /** Its CSS colour is the line's: themes belong to CSS. */
  readonly swatch: HTMLElement;
  readonly kind: 'line' | 'steps' | 'bars';
}

export interface TimeChartOptions {
  readonly series: readonly ChartSeries[];
  readonly format: (value: number) => string;
  /** The top of the scale is never below this, which keeps noise around zero small. */
  readonly floor: number;
  /** Whether values are whole, which keeps fractions off the axis. */
  readonly whole?: boolean;
  /** Charts of one key show their crosshairs together. */
  readonly sync?: string;
  /** The row under the pointer; undefined when it leaves. */
  readonly onHover?: (row: number | undefined) => void;
}

export interface TimeSpan {
  readonly from: number;
  readonly to: number;
}

export interface TimeChart {
  /** `columns[i][row]` is the value of series `i` at `at[row]`; null is a gap. Times in ms, ascending. */
  draw(at: number[], columns: (number | null)[][], span: TimeSpan): void;
}

const AXIS_WIDTH = 58;
const AXIS_FONT = '11px "Geist Variable", system-ui, sans-serif';

/** A chart over time in `place`, which gives it its size. */
export function createTimeChart(place: HTMLElement, options: TimeChartOptions): TimeChart {
  let span: TimeSpan = { from: 0, to: 1 };
  const color = (name: string): string => getComputedStyle(place).getPropertyValue(name);
  const size = (): { width: number; height: number } => ({
    width: Math.max(1, place.clientWidth),
    height: Math.max(1, place.clientHeight),
  });
  const axis: uPlot.Axis = {
    stroke: () => getComputedStyle(place).color,
    font: AXIS_FONT,
    grid: { stroke: () => color('border-block-start-color'), width: 1 },
    ticks: { show: false },
  };
  const sync = options.sync === undefined ? {} : { sync: { key: options.sync } };
  const chart = new uPlot(
    {
      ...size(),
      ms: 1,
      // On the right, half of a label with seconds.
      padding: [8, 28, 0, 0],
      legend: { show: false },
      cursor: { ...sync, y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: () => [span.from, span.to] },
        y: { range: (_self, _low, high) => [0, Math.max(options.floor, (high ?? 0) * 1.15)] },
      },
      axes: [
        {
          ...axis,
          incrs: TIME_STEPS,
          space: 62,
          size: 26,
          gap: 6,
          values: (_self, splits) => timeLabels(splits),
        },
        {
          ...axis,
          size: AXIS_WIDTH,
          gap: 8,
          space: 34,
          ...(options.whole === true ? { incrs: WHOLE_STEPS } : {}),
          values: (_self, splits) => splits.map(options.format),
        },
      ],
      series: [{}, ...options.series.map(seriesOptions)],
      hooks: { setCursor: [(self) => options.onHover?.(self.cursor.idx ?? undefined)] },
    },
    [[], ...options.series.map(() => [])],
    place,
  );
  new ResizeObserver(() => chart.setSize(size())).observe(place);
  const redraw = (): void => chart.redraw(false, true);
  onThemeChange(redraw);
  void document.fonts.ready.then(redraw);

  return {
    draw(at, columns, next) {
      span = next;
      chart.setData([at, ...columns]);
    },
  };
}

/** Seconds, minutes and an hour that read well as distances on a time axis, in ms. */
const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600].map((seconds) => seconds * 1000);
const WHOLE_STEPS = [1, 2, 5]
  .flatMap((step) => [1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6].map((scale) => step * scale))
  .toSorted((a, b) => a - b);

function seriesOptions({ swatch, kind }: ChartSeries): uPlot.Series {
  const stroke = (): string => getComputedStyle(swatch).color;
  // A value between two gaps has no line to be part of, so it is a point.
  const points: uPlot.Series.Points = { show: true, size: 4, stroke, fill: stroke, filter: lonely };
  const shared = { stroke, spanGaps: false, points };
  if (kind === 'bars') {
    const paths = uPlot.paths.bars?.({ size: [0.72, 28, 2], radius: 0.25, align: 1 });
    return {
      ...shared,
      points: { show: false },
      fill: stroke,
      width: 0,
      ...(paths === undefined ? {} : { paths }),
    };
  }
  const steps = kind === 'steps' ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    ...shared,
    width: 1.75,
    fill: (self) => fade(self, stroke()),
    ...(steps === undefined ? {} : { paths: steps }),
  };
}

function lonely(self: uPlot, series: number): number[] {
  const values = self.data[series] ?? [];
  const known = (row: number): boolean => typeof values[row] === 'number';
  return Array.from(values.keys()).filter((row) => known(row) && !known(row - 1) && !known(row + 1));
}

/** The colour, fading out towards the bottom of the plot. */
function fade(self: uPlot, color: string): CanvasGradient {
  const { top, height } = self.bbox;
  const gradient = self.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `color-mix(in srgb, ${color} 22%, transparent)`);
  gradient.addColorStop(1, `color-mix(in srgb, ${color} 2%, transparent)`);
  return gradient;
}

function timeLabels(splits: readonly number[]): string[] {
  const [first, second] = splits;
  const fine = first !== undefined && second !== undefined && second - first < 60_000;
  return splits.map((at) => clockTime(at, fine));
}
