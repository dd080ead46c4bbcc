/** Of several processes that publish their own figures on one topic, the one whose figures a page shows. */
export interface Source {
  /** A snapshot of this node's figures came. */
  begin(node: string): void;
  /** Whether the page shows figures of this node. */
  accepts(node: string): boolean;
}

/** How long a node may say nothing while others do, in ms: each has something to say every second. */
const SILENCE = 5_000;

/** @param lost called when the node is gone, for a snapshot of another one */
export function createSource(lost: () => void, now: () => number = Date.now): Source {
  let own: string | undefined;
  let heardAt = 0;
  return {
    begin(node) {
      own = node;
      heardAt = now();
    },
    accepts(node) {
      const at = now();
      const silent = at - heardAt > SILENCE;
      if (node !== own && !(own !== undefined && silent)) return false;
      // Not again at once: the next snapshot is on its way.
      heardAt = at;
      if (node === own) return true;
      lost();
      return false;
    },
  };
}
