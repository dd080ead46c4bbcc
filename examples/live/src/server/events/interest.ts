import type { Hub } from 'tidings';
import type { Clock } from '../lib/clock.ts';

/** Whether anybody follows a topic, here or at another node, or is about to. */
export interface Interest {
  /** A page got the snapshot that later events of the topic change. */
  show(): void;
  lasts(): boolean;
}

/**
 * Tabs that share a stream get their snapshot from an answer that ends, and their share of the stream a moment later. What is
 * published in between is for them, too, although nobody watches then.
 */
const LINGER = 10_000;

export function createInterest(
  hub: Pick<Hub, 'watchers' | 'presence'>,
  topic: string,
  clock: Clock,
): Interest {
  let until = -Infinity;
  const show = (): void => {
    until = clock.now() + LINGER;
  };
  return {
    show,
    lasts() {
      // Presence counts over all nodes: the stream may be at another one.
      if (hub.watchers(topic) > 0 || hub.presence(topic).count > 0) show();
      return clock.now() < until;
    },
  };
}
