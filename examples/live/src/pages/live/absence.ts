/** Whether somebody is looking at the page, or was a moment ago. */
export interface Absence {
  /** Nobody does. */
  lasts(): boolean;
}

/** @param after milliseconds that the page has to be hidden for until it counts as absence */
export function watchAbsence(
  page: Pick<Document, 'hidden' | 'addEventListener'>,
  after: number,
  listener: { begins(): void; ends(): void },
): Absence {
  let lasts = false;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function begin(): void {
    lasts = true;
    listener.begins();
  }

  function look(): void {
    clearTimeout(timer);
    if (page.hidden) {
      timer = setTimeout(begin, after);
    } else if (lasts) {
      lasts = false;
      listener.ends();
    }
  }

  look();
  page.addEventListener('visibilitychange', look);
  return { lasts: () => lasts };
}
