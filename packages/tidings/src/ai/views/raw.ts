import { encodeFrame } from '../../protocol/encode.ts';
import { STREAM_HEADERS } from '../../http/stream-headers.ts';
import { COMMENT, type View, formatRunCursor } from '../view.ts';

/**
 * Chunks as they are: JSON, each with a cursor as its `id:`. The event `end` has the status. An `EventSource` resumes
 * by itself; after the end it gets a 204, so it stays away.
 */
export const rawChunks: View = {
  headers: STREAM_HEADERS,
  heartbeat: COMMENT,
  chunk: (chunk, position, { id }) =>
    encodeFrame({ id: formatRunCursor({ id, after: position + 1 }), data: JSON.stringify(chunk) }),
  end: ({ status, error }, { id }) =>
    encodeFrame({
      id: formatRunCursor({ id, after: Infinity }),
      type: 'end',
      data: JSON.stringify({ status, error }),
    }),
};
