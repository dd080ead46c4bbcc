import { encodeFrame } from '../../protocol/encode.ts';
import { STREAM_HEADERS } from '../../http/stream-headers.ts';
import { COMMENT, type View, formatRunCursor } from '../view.ts';

/**
 * Events in the style of OpenAI's Responses API: the type twice, `sequence_number` counts from 0, and
 * `?starting_after=` resumes after one. Since adjacent deltas are merged, the numbers are the run's, not the provider's.
 */
export const responseEvents: View = {
  headers: STREAM_HEADERS,
  heartbeat: COMMENT,
  chunk(chunk, position, { id }) {
    const type = (chunk as { type?: unknown } | null)?.type;
    return encodeFrame({
      id: formatRunCursor({ id, after: position + 1 }),
      type: typeof type === 'string' && !/[\r\n\0]/.test(type) ? type : undefined,
      data: JSON.stringify(
        typeof chunk === 'object' && chunk !== null ? { ...chunk, sequence_number: position } : chunk,
      ),
    });
  },
  end({ status, error }, { id }, _last, count) {
    if (status === 'done') return encodeFrame({ id: formatRunCursor({ id, after: Infinity }) });
    const message = error?.text ?? `The answer was ${status}.`;
    return encodeFrame({
      id: formatRunCursor({ id, after: Infinity }),
      type: 'error',
      data: JSON.stringify({
        type: 'error',
        code: error?.code ?? status,
        message,
        param: null,
        sequence_number: count,
      }),
    });
  },
  after({ query }) {
    const after = query.get('starting_after');
    return after !== null && /^\d{1,15}$/.test(after) ? Number(after) + 1 : undefined;
  },
};
