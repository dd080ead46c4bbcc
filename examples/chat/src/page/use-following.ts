import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';

/** So many pixels from the end still count as the end. */
const NEAR = 48;

export interface Following {
  readonly frame: RefObject<HTMLDivElement | null>;
  readonly content: RefObject<HTMLDivElement | null>;
  /** Whether the view stays at the end while the content grows. */
  readonly isFollowing: boolean;
  /** Goes to the end, and stays there. */
  follow(): void;
}

/**
 * Keeps the end of a growing text in view, as long as the reader is there. A reader who scrolls up, or selects text, is left
 * alone until they come back to the end.
 */
export function useFollowing(): Following {
  const frame = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const wants = useRef(true);
  const [isFollowing, setFollowing] = useState(true);

  const set = useCallback((value: boolean) => {
    wants.current = value;
    setFollowing(value);
  }, []);
  const toEnd = useCallback(() => {
    const { current } = frame;
    if (current !== null) current.scrollTop = current.scrollHeight;
  }, []);

  useEffect(() => {
    const [scroller, text] = [frame.current, content.current];
    if (scroller === null || text === null) return;
    let before = scroller.scrollTop;
    const onScroll = (): void => {
      const isUp = scroller.scrollTop < before;
      before = scroller.scrollTop;
      const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
      if (isAtEnd) set(true);
      else if (isUp) set(false);
    };
    const onGrow = (): void => {
      if (wants.current && !isSelecting(scroller)) toEnd();
    };
    scroller.addEventListener('scroll', onScroll, { passive: true });
    const observer = new ResizeObserver(onGrow);
    observer.observe(text);
    observer.observe(scroller);
    return () => {
      scroller.removeEventListener('scroll', onScroll);
      observer.disconnect();
    };
  }, [set, toEnd]);

  const follow = useCallback(() => {
    set(true);
    toEnd();
  }, [set, toEnd]);
  return { frame, content, isFollowing, follow };
}

function isSelecting(within: Element): boolean {
  const selection = getSelection();
  return selection?.type === 'Range' && within.contains(selection.anchorNode);
}
