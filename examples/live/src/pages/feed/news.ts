import { plural } from '../lib/format.ts';
import { need, setText } from '../ui/dom.ts';

export interface News {
  /** Somebody else's post arrived at the top of the list. */
  count(): void;
}

/** "3 new posts": for a reader who has scrolled away from the top, where new posts appear. */
export function createNews(list: HTMLElement): News {
  const button = need(document, '[data-news]', HTMLButtonElement);
  let unseen = 0;

  function topIsVisible(): boolean {
    return list.getBoundingClientRect().top > -40;
  }

  function draw(): void {
    button.hidden = unseen === 0;
    setText(button, `↑ ${plural(unseen, 'new post')}`);
  }

  button.addEventListener('click', () => {
    unseen = 0;
    draw();
    scrollTo({ top: 0, behavior: 'smooth' });
  });
  addEventListener(
    'scroll',
    () => {
      if (unseen === 0 || !topIsVisible()) return;
      unseen = 0;
      draw();
    },
    { passive: true },
  );

  return {
    count() {
      if (topIsVisible()) return;
      unseen += 1;
      draw();
    },
  };
}
