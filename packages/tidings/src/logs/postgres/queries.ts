import { COLUMNS } from './records.ts';

/** The log's state, a row of `head`, as one text. */
export const STATE = `json_build_array(epoch, lineage, head, floor, newest_loss, loss_count, next_expiry,
  public_loss, public_count, public_forgotten_seq, public_forgotten_count,
  private_loss, private_count, private_forgotten_seq, private_forgotten_count)::text`;

/** The columns of an event, and its weight on a page: the length of its data, a little more at most. `sizeOf` has what else its size is made of. */
export const EVENT = '*, size - 200 - char_length(topics) AS weight';

/**
 * The first events of `found` that fit: a page is as large as its limit, however large its events happen to be. The last
 * column is the weight of all up to the row. Events are never joined with a list of seqs: as long as a table's statistics are
 * old, PostgreSQL would read all of it for that.
 */
export function fittingRows(found: string, order: string, rows: string, length: string): string {
  return `SELECT ${COLUMNS}, e.total FROM (
      SELECT *, sum(weight) OVER (${order}) AS total FROM (${found} ${order} LIMIT ${rows}) AS found
    ) AS e WHERE e.total - e.weight < ${length} ${order}`;
}

export const FORWARDS = 'ORDER BY seq';
export const BACKWARDS = 'ORDER BY seq DESC';
