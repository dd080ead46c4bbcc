import type { PageName } from '../../shared/api.ts';
import { fromTemplate, keyedList, need, setText } from '../ui/dom.ts';
import type { KeyedList } from '../ui/dom.ts';

export interface Bar {
  readonly page: PageName;
  readonly count: number;
  /** The count in words. */
  readonly label: string;
}

/** A list of pages as bars; the longest one is the highest count. */
export function createBars(place: HTMLElement): KeyedList<Bar> {
  let highest = 1;
  const list = keyedList<Bar, HTMLElement>(
    place,
    (bar) => bar.page,
    () => fromTemplate('bar-template', HTMLElement),
    (item, bar) => {
      item.dataset['page'] = bar.page;
      item.style.setProperty('--share', String(bar.count / highest));
      const name = need(item, '.bar-page', HTMLElement);
      setText(name, bar.page);
      name.title = bar.page;
      setText(need(item, '.bar-count', HTMLElement), bar.label);
    },
  );
  return {
    show(bars) {
      highest = Math.max(1, ...bars.map((bar) => bar.count));
      list.show(bars);
    },
  };
}
