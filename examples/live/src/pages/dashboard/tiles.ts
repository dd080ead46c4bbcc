import { formatAge } from '../lib/time.ts';
import { UNKNOWN } from '../lib/format.ts';
import { fromTemplate, need, setText } from '../ui/dom.ts';
import { TILES } from './figures.ts';
import type { MetricsState } from './metrics.ts';

export interface Tiles {
  /** @param now by the server's clock */
  draw(state: MetricsState | undefined, now: number): void;
}

export function createTiles(place: HTMLElement): Tiles {
  const tiles = TILES.map((plan) => ({ plan, ...createTile(place, plan.label, plan.figure.name) }));
  const uptime = createTile(place, 'Uptime', 'uptime');
  return {
    draw(state, now) {
      for (const { plan, value, note } of tiles) {
        setText(value, state === undefined ? UNKNOWN : plan.figure.format(state.metrics[plan.figure.name]));
        if (state !== undefined) setText(note, plan.note(state.metrics));
      }
      setText(uptime.value, state === undefined ? UNKNOWN : formatAge(now - state.startedAt));
      setText(uptime.note, 'this server process');
    },
  };
}

function createTile(
  place: HTMLElement,
  label: string,
  name: string,
): { value: HTMLElement; note: HTMLElement } {
  const tile = fromTemplate('tile-template', HTMLElement);
  tile.dataset['figure'] = name;
  setText(need(tile, 'dt', HTMLElement), label);
  place.append(tile);
  return { value: need(tile, '.tile-value', HTMLElement), note: need(tile, '.tile-note', HTMLElement) };
}
