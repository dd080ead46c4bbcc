/** Where one cursor is, seen from another. `unknown`: they are of different epochs. */
export type Order = 'before' | 'same' | 'after' | 'unknown';

/** Whether `a` comes before or after `b`, which PROTOCOL.md allows to compare within an epoch. */
export function orderOf(a: string, b: string): Order {
  if (a === b) return 'same';
  const [epoch, seq] = split(a);
  const [otherEpoch, otherSeq] = split(b);
  if (epoch !== otherEpoch || Number.isNaN(seq - otherSeq)) return 'unknown';
  return seq < otherSeq ? 'before' : 'after';
}

/** Whether everything up to `b` is also up to `a`. */
export function reaches(a: string, b: string): boolean {
  return a === b || orderOf(a, b) === 'after';
}

/** How many numbers `a` is behind `b`; Infinity if that can't be known. */
export function distance(a: string, b: string): number {
  const [epoch, seq] = split(a);
  const [otherEpoch, otherSeq] = split(b);
  return epoch === otherEpoch ? otherSeq - seq : Infinity;
}

function split(cursor: string): [epoch: string, seq: number] {
  const dot = cursor.lastIndexOf('.');
  return [cursor.slice(0, dot), Number(cursor.slice(dot + 1))];
}
